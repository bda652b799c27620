//! A web server with packages on it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The body that it gives: always the same.
pub(crate) const PACKAGE: &str = "this is a package\n";
/// `sha256sum` of it.
pub(crate) const SHA256: &str = "6633986540de539367f840a74fde56129aea1f7acd0c6d7198ac98339b773227";

/// The server. It ends with the test's process.
#[derive(Debug)]
pub(crate) struct Mirror {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Mirror {
    /// A mirror that fails so many times before it gives anything.
    pub(crate) fn open(failures: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let head = BufReader::new(&stream).lines().map_while(Result::ok);
                head.take_while(|line| !line.is_empty()).for_each(drop);
                let (status, body) = match count.fetch_add(1, Ordering::SeqCst) {
                    before if before < failures => ("503 Service Unavailable", ""),
                    _ => ("200 OK", PACKAGE),
                };
                let length = body.len();
                // Whoever has gone does not want it.
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { address, asked }
    }

    /// The place of the package.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/pool/k2hdkc-agent_0.1.0_amd64.deb", self.address)
    }

    /// Counts its requests.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
