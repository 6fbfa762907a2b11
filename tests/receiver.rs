//! A webhook receiver on a free port of loopback, which keeps what it is sent.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test says no")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver as Channel, channel};
use std::time::Duration;

/// A running receiver.
pub struct Receiver {
    /// Where it listens.
    pub port: u16,
    requests: Channel<Request>,
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// `POST /services/demo`.
    pub line: String,
    /// The header of this name.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Receiver {
    /// Listens from now on.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
                let (mut length, mut content_type) = (0, String::new());
                loop {
                    let mut header = String::new();
                    reader.read_line(&mut header).unwrap();
                    let Some((name, value)) = header.trim_end().split_once(": ") else { break };
                    match name.to_ascii_lowercase().as_str() {
                        "content-length" => length = value.parse().unwrap(),
                        "content-type" => value.clone_into(&mut content_type),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
                let body = String::from_utf8(body).unwrap();
                if sender.send(Request { line, content_type, body }).is_err() {
                    return;
                }
            }
        });
        Self { port, requests }
    }

    /// The next request; the program that sent it has ended.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(5)).expect("a request arrived")
    }

    /// That nothing arrived. The program that could have sent something has ended.
    pub fn is_empty(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}
