//! Small proxies for tests: one for HTTP and CONNECT, one for SOCKS 5.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

/// An address that no proxy reaches.
pub const UNREACHABLE: &str = "127.0.0.2";

/// A proxy on a free port. What it was asked for comes out, in words.
pub struct Proxy {
    pub port: u16,
    asked: mpsc::Receiver<String>,
}

impl Proxy {
    /// A proxy that forwards requests with a whole URL, and opens tunnels for CONNECT. It says the request line, and
    /// `Proxy-Authorization` behind it.
    pub fn http() -> Self {
        Self::start(|stream, tell| {
            let mut reader = BufReader::new(stream);
            while let Some(head) = head(&mut reader) {
                let authorization = header(&head, "proxy-authorization").unwrap_or_default();
                let _ = tell.send(format!("{} {authorization}", head[0]).trim_end().to_owned());
                let target = head[0].split(' ').nth(1).unwrap();
                if head[0].starts_with("CONNECT ") {
                    match TcpStream::connect(target) {
                        Ok(server) => tunnel(reader, b"HTTP/1.1 200 Connection established\r\n\r\n", server),
                        Err(_) => reader.get_mut().write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").unwrap(),
                    }
                    return;
                }
                forward(&mut reader, &head);
            }
        })
    }

    /// A proxy that refuses everything with this line.
    pub fn refusing(status: &'static str) -> Self {
        Self::start(move |stream, tell| {
            let mut reader = BufReader::new(stream);
            let head = head(&mut reader).unwrap();
            let _ = tell.send(head[0].clone());
            write!(reader.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        })
    }

    /// A SOCKS proxy that leads all names to this machine. It says user, password and destination. It wants a log-in if
    /// one is offered.
    pub fn socks() -> Self {
        Self::start(|mut stream, tell| {
            let [_, count] = read(&mut stream);
            let mut methods = vec![0; usize::from(count)];
            stream.read_exact(&mut methods).unwrap();
            let mut said = String::new();
            if methods.contains(&2) {
                stream.write_all(&[5, 2]).unwrap();
                let [_] = read(&mut stream);
                said = format!("{}:{} ", text(&mut stream), text(&mut stream));
                stream.write_all(&[1, u8::from(said.contains("wrong"))]).unwrap();
            } else {
                stream.write_all(&[5, 0]).unwrap();
            }
            let [_, _, _, kind] = read(&mut stream);
            let host = match kind {
                1 => read::<4>(&mut stream).map(|byte| byte.to_string()).join("."),
                _ => format!("name {}", text(&mut stream)),
            };
            let port = u16::from_be_bytes(read(&mut stream));
            let _ = tell.send(format!("{said}{host}"));
            if host.contains("forbidden") {
                stream.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
                return;
            }
            if host == UNREACHABLE {
                stream.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
                return;
            }
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            tunnel(BufReader::new(stream), &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], server);
        })
    }

    fn start(serve: impl Fn(TcpStream, &mpsc::Sender<String>) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (serve, tell) = (serve.clone(), tell.clone());
                thread::spawn(move || serve(stream, &tell));
            }
        });
        Self { port, asked }
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// What it was asked for since the last call.
    pub fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

/// The lines of a request's head.
pub fn head(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    (!head.is_empty()).then_some(head)
}

/// The value of a header.
pub fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let of = |line: &'a String| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name));
    head.iter().find_map(of).map(|(_, value)| value)
}

/// Passes a request on to the server in its URL, as a server reads it, and the answer back.
fn forward(reader: &mut BufReader<TcpStream>, head: &[String]) {
    let url = head[0].split(' ').nth(1).unwrap().strip_prefix("http://").expect("a whole URL");
    let (host, _) = url.split_once('/').unwrap();
    assert_eq!(header(head, "host"), Some(host));
    let mut body = vec![0; header(head, "content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    // Names lead to this machine.
    let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let lines = head[1..].iter().filter(|line| !line.to_lowercase().starts_with("proxy-"));
    let lines: Vec<&str> = lines.map(String::as_str).collect();
    let first = head[0].replacen(&format!("http://{host}"), "", 1);
    write!(server, "{first}\r\n{}\r\nconnection: close\r\n\r\n", lines.join("\r\n")).unwrap();
    server.write_all(&body).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    // The client may keep its connection to the proxy.
    let answer = String::from_utf8(answer).unwrap().replace("Connection: close\r\n", "");
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
}

/// Passes bytes on in both directions, after a first answer.
fn tunnel(mut client: BufReader<TcpStream>, answer: &[u8], server: TcpStream) {
    let (mut there, mut back) = (server.try_clone().unwrap(), client.get_ref().try_clone().unwrap());
    client.get_mut().write_all(answer).unwrap();
    let pump = thread::spawn(move || drop(std::io::copy(&mut { server }, &mut back)));
    let _ = std::io::copy(&mut client, &mut there);
    let _ = there.shutdown(std::net::Shutdown::Write);
    pump.join().unwrap();
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// A text after its length.
fn text(stream: &mut TcpStream) -> String {
    let [length] = read(stream);
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
