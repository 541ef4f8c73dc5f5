//! A proxy that answers some requests itself, for answers that the emulator does not give.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// It lives as long as the test's process.
pub(crate) struct Proxy(SocketAddr);

impl Proxy {
    /// Hands everything on to `to`, but answers a request whose head is `caught` with 401 and `body`.
    pub(crate) fn start(to: &str, caught: fn(&str) -> bool, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to = to.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let to = to.clone();
                thread::spawn(move || serve(stream.unwrap(), &to, caught, body));
            }
        });
        Self(address)
    }

    /// Hands everything on to `to`, and the answers back under another name for their `Date` header.
    pub(crate) fn without_date(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to = to.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let to = to.clone();
                thread::spawn(move || rename_date(stream.unwrap(), &to));
            }
        });
        Self(address)
    }

    /// What to write into the configuration.
    pub(crate) fn endpoint(&self, service: &str) -> String {
        format!("{service} = \"http://{}\"", self.0)
    }
}

fn serve(mut client: TcpStream, to: &str, caught: fn(&str) -> bool, body: &str) {
    let mut head = vec![0; 1 << 16];
    let read = client.read(&mut head).unwrap_or(0);
    head.truncate(read);
    if caught(&String::from_utf8_lossy(&head)) {
        let answer = format!(
            "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = client.write_all(answer.as_bytes());
        return;
    }
    let Ok(mut server) = TcpStream::connect(to) else { return };
    if server.write_all(&head).is_err() {
        return;
    }
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

fn rename_date(mut client: TcpStream, to: &str) {
    let Ok(mut server) = TcpStream::connect(to) else { return };
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    let mut answer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = server.read(&mut answer) {
        let bytes = &mut answer[..read];
        if let Some(at) = bytes.windows(6).position(|part| part.eq_ignore_ascii_case(b"\ndate:")) {
            bytes[at + 1] = b'x';
        }
        if client.write_all(bytes).is_err() {
            return;
        }
    }
}
