//! A webhook receiver on loopback: it answers `ok` to every request and prints what really arrived.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Sender;

use anyhow::{Context as _, Result};

/// Where the examples send their webhook.
pub(crate) const PORT: u16 = 8642;
/// The largest body that is read.
const MAX_BODY: usize = 1 << 20;

/// One request that arrived.
pub(crate) struct Arrival {
    pub(crate) head: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// Receives until the process ends.
pub(crate) fn run(port: u16) -> Result<()> {
    let listener =
        TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("cannot listen on port {port}"))?;
    println!("receiving on http://127.0.0.1:{}/ until Ctrl-C", listener.local_addr()?.port());
    let (sender, arrivals) = std::sync::mpsc::channel();
    std::thread::spawn(move || serve(&listener, &sender));
    for arrival in arrivals {
        print(&arrival);
    }
    Ok(())
}

/// Tells what arrived.
pub(crate) fn print(arrival: &Arrival) {
    println!("{}\nContent-Type: {}\n\n{}", arrival.head, arrival.content_type, arrival.body);
}

/// Answers requests, one after the other, and hands them on.
pub(crate) fn serve(listener: &TcpListener, arrivals: &Sender<Arrival>) {
    for stream in listener.incoming().flatten() {
        // A client that went away in the middle is no arrival.
        if let Ok(arrival) = receive(stream)
            && arrivals.send(arrival).is_err()
        {
            return;
        }
    }
}

fn receive(mut stream: TcpStream) -> Result<Arrival> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    reader.read_line(&mut head)?;
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<usize>()?.min(MAX_BODY),
            "content-type" => value.trim().clone_into(&mut content_type),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    )?;
    Ok(Arrival {
        head: head.trim().to_owned(),
        content_type,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
