//! A TLS server with certificates of an authority that the test makes itself.

use crate::proxies::head;
use crate::support::{python, repository};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

/// An authority that nobody else knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Identity {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate that it signs for this name.
    pub fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Identity { cert: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A server for `localhost` that answers each request with its first line, and with the number of certificates of the
    /// client; its port. Some servers want a certificate of this authority.
    pub fn serve(&self, clients: Clients) -> u16 {
        let Identity { cert, key } = self.identity("localhost");
        let certs = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.unwrap();
        let builder = match clients {
            Clients::Unknown | Clients::Forgotten | Clients::Dismissed => builder.with_no_client_auth(),
            Clients::Certified => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let config = Arc::new(builder.with_single_cert(certs, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = Arc::clone(&config);
                thread::spawn(move || {
                    answer(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), clients)
                });
            }
        });
        port
    }
}

/// What a server wants of its clients, and does to them.
#[derive(Clone, Copy)]
pub enum Clients {
    Unknown,
    Certified,
    /// Their connections are closed when they send a second request.
    Forgotten,
    /// The same, and TLS says so.
    Dismissed,
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>, clients: Clients) {
    let mut reader = BufReader::new(stream);
    for number in 0.. {
        let Some(head) = head(&mut reader) else { return };
        match clients {
            Clients::Forgotten if number > 0 => return,
            Clients::Dismissed if number > 0 => {
                reader.get_mut().conn.send_close_notify();
                reader.get_mut().flush().unwrap();
                return;
            }
            _ => {}
        }
        let certs = reader.get_ref().conn.peer_certificates().map_or(0, <[_]>::len);
        let body = format!("{}, {certs} certificates", head[0]);
        let stream = reader.get_mut();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// TLS in front of a server that does not speak it; ends when it is dropped.
pub struct Front {
    child: Child,
    pub port: u16,
}

impl Front {
    /// With the certificate in `front.pem` of this folder, and the key in `front.key`.
    pub fn of(port: u16, folder: &Path) -> Self {
        let script = repository().join("tests/support/tls_front.py");
        let mut command = Command::new(python());
        command.arg(script).args([folder.join("front.pem"), folder.join("front.key")]).arg(port.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().expect("it prints its port") }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
