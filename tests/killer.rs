//! A way to an API server on which a process is killed: by SIGKILL, at the request of its that is to change something for the
//! n-th time, before the server sees it or before the process sees the answer. It keeps what was asked.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test says no")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The server never sees the request.
    Before,
    /// The server has answered, and nobody hears it.
    After,
}

/// A way to one API server, over plain HTTP.
pub struct Killer {
    /// Where it listens.
    pub port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// How many changes are left to the process, the last of which it dies at; nothing: it lives.
    left: Option<usize>,
    death: Option<Death>,
    victim: Option<i32>,
    dead: bool,
    asked: Vec<String>,
}

/// What becomes of a request.
enum Fate {
    Passes,
    PassesAndKills,
    Ends,
}

impl Killer {
    /// A way to the server at this address.
    pub fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                // A connection that breaks is the end of whoever had it.
                std::thread::spawn(move || drop(serve(client, upstream, &state)));
            }
        });
        Self { port, state }
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        format!(
            "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{}'}}}}], \
             users: [{{name: u, user: {{}}}}], contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}\n",
            self.port
        )
    }

    /// The next process dies at its `n`th change, or not at all. What was asked so far is forgotten with the first.
    pub fn arm(&self, death: Option<(Death, usize)>) {
        let mut state = self.state.0.lock().unwrap();
        if death.is_some() {
            state.asked.clear();
        }
        (state.left, state.death) = (death.map(|(_, n)| n), death.map(|(death, _)| death));
        (state.victim, state.dead) = (None, false);
    }

    /// This is the process.
    pub fn watch(&self, process: u32) {
        self.state.0.lock().unwrap().victim = Some(i32::try_from(process).unwrap());
        self.state.1.notify_all();
    }

    /// The changes that the server was asked for, in order: `PATCH /api/v1/…`.
    pub fn asked(&self) -> Vec<String> {
        self.state.0.lock().unwrap().asked.clone()
    }
}

fn fate(state: &(Mutex<State>, Condvar), line: &str) -> Fate {
    let is_change = ["POST ", "PUT ", "PATCH ", "DELETE "].iter().any(|method| line.starts_with(method));
    let mut now = state.0.lock().unwrap();
    if now.dead {
        return Fate::Ends;
    }
    if !is_change {
        return Fate::Passes;
    }
    now.left = now.left.map(|left| left.saturating_sub(1));
    let dies = now.left == Some(0);
    if !dies || now.death == Some(Death::After) {
        let path = line.trim_end_matches(" HTTP/1.1").split('?').next().unwrap_or_default();
        now.asked.push(path.to_owned());
    }
    match (dies, now.death) {
        (false, _) | (_, None) => Fate::Passes,
        (true, Some(Death::After)) => {
            now.dead = true;
            Fate::PassesAndKills
        }
        (true, Some(Death::Before)) => {
            now.dead = true;
            drop(now);
            end(state);
            Fate::Ends
        }
    }
}

/// Kills the process, as soon as it is known which one it is.
fn end(state: &(Mutex<State>, Condvar)) {
    let now = state.1.wait_while(state.0.lock().unwrap(), |state| state.victim.is_none()).unwrap();
    kill(Pid::from_raw(now.victim.unwrap()), Signal::SIGKILL).unwrap();
}

/// One connection: requests one after another, answers as they come.
fn serve(
    client: TcpStream,
    upstream: SocketAddr,
    state: &Arc<(Mutex<State>, Condvar)>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    let kills = Arc::new(AtomicBool::new(false));
    {
        let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
        let (kills, state) = (kills.clone(), state.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 14];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if kills.load(Ordering::SeqCst) {
                    end(&state);
                    break;
                }
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            drop(to.shutdown(std::net::Shutdown::Both));
        });
    }
    let mut client = BufReader::new(client);
    loop {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if client.read_line(&mut line)? == 0 {
                return server.shutdown(std::net::Shutdown::Both);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head += &line;
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        client.read_exact(&mut body)?;
        match fate(state, head.lines().next().unwrap_or_default()) {
            Fate::Passes => {}
            Fate::PassesAndKills => kills.store(true, Ordering::SeqCst),
            Fate::Ends => return server.shutdown(std::net::Shutdown::Both),
        }
        server.write_all(head.as_bytes())?;
        server.write_all(&body)?;
    }
}
