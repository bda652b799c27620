//! A web server of a few files, as an operator has one for the packages that are in no repository.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Depot {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Depot {
    /// Serves these files at `/<name>`. Must be called inside a tokio runtime.
    pub(super) async fn start(bind: SocketAddr, files: Vec<(String, Vec<u8>)>) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let files = Arc::new(files.into_iter().collect());
        let accepting = tokio::spawn(accept(listener, files));
        Ok(Self { address, accepting })
    }

    /// Returns the address of that file.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

impl Drop for Depot {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, files: Arc<BTreeMap<String, Vec<u8>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let files = files.clone();
        // Whoever goes away before the end asks again.
        tokio::spawn(async move { answer(stream, &files).await });
    }
}

/// A request, one answer, and the end.
async fn answer(stream: TcpStream, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match files.get(name) {
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", &b""[..]),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}
