//! An HTTP client that hides nothing: bytes out, head lines and body back, faults included.
//!
//! For suites that look at the wire. It takes the source address as an argument, since K2HR3 knows hosts by
//! it; every address in 127.0.0.0/8 is ours on Linux.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Of the status line.
    pub status: u16,
    /// The header lines as sent, without the status line.
    pub lines: Vec<String>,
    /// As many bytes as `Content-Length` says, or as came before the end.
    pub body: Vec<u8>,
    /// Records whether the body is as long as `Content-Length` says.
    pub is_complete: bool,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text, with what is no UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection from this source address.
pub async fn connect(server: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(server).await
}

/// A request on a connection of its own.
pub async fn exchange(server: SocketAddr, from: IpAddr, request: &[u8]) -> io::Result<Response> {
    let mut stream = connect(server, from).await?;
    stream.write_all(request).await?;
    receive(&mut stream, request.starts_with(b"HEAD ")).await
}

/// Reads one response; an interim `100 Continue` is skipped.
pub async fn receive(stream: &mut TcpStream, is_head: bool) -> io::Result<Response> {
    loop {
        let head = head(stream).await?;
        let mut lines = head.lines().map(str::to_owned);
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        if status == 100 {
            continue;
        }
        let mut response = Response { status, lines: lines.collect(), body: Vec::new(), is_complete: true };
        let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if !is_head {
            stream.take(length).read_to_end(&mut response.body).await?;
            response.is_complete = u64::try_from(response.body.len()) == Ok(length);
        }
        return Ok(response);
    }
}

/// Up to the blank line and not a byte further.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).trim_end().to_owned())
}
