//! Reads one request after the other from a connection, within the limits of Node and of body-parser.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Content, Request};
use crate::k2hr3::query::Query;

/// Node's limit for the request line and all headers together.
const HEAD_LIMIT: usize = 16 * 1024;
/// body-parser's limit for JSON.
const BODY_LIMIT: usize = 100 * 1024;
/// Node closes an idle connection after the advertised five seconds and one of grace (measured: 6.0 s).
const IDLE_LIMIT: Duration = Duration::from_secs(6);

/// The bytes that came off the connection.
#[derive(Debug)]
pub(in crate::k2hr3) enum Read {
    Request(Box<Request>),
    /// Not HTTP, or a head that is too long: Node answers by itself and closes.
    Refused(&'static [u8]),
    /// The client went away or stayed idle.
    Closed,
}

const NOT_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
const HEAD_TOO_LONG: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n";
const NO_HOST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

/// The reading side of one connection, with what was read ahead.
#[derive(Debug)]
pub(in crate::k2hr3) struct Reader {
    peer: IpAddr,
    buffer: Vec<u8>,
}

impl Reader {
    pub(in crate::k2hr3) fn new(peer: IpAddr) -> Self {
        Self { peer, buffer: Vec::new() }
    }

    /// The next request. Several may have been sent at once; they are answered in order.
    pub(in crate::k2hr3) async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Read> {
        let end = loop {
            if let Some(end) = head_end(&self.buffer) {
                break end;
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Ok(Read::Refused(HEAD_TOO_LONG));
            }
            if !self.fill(stream).await? {
                return Ok(Read::Closed);
            }
        };
        if end > HEAD_LIMIT {
            return Ok(Read::Refused(HEAD_TOO_LONG));
        }
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let Some(mut request) = self.parse(&head) else { return Ok(Read::Refused(NOT_HTTP)) };
        if request.header("host").is_none() && !request.is_old {
            return Ok(Read::Refused(NO_HOST));
        }
        match self.body(stream, &request).await? {
            Some(body) => request.body = body,
            None => return Ok(Read::Closed),
        }
        Ok(Read::Request(Box::new(request)))
    }

    async fn fill(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        match timeout(IDLE_LIMIT, stream.read_buf(&mut self.buffer)).await {
            Ok(read) => Ok(read? > 0),
            Err(_) => Ok(false),
        }
    }

    fn parse(&self, head: &[u8]) -> Option<Request> {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Request::new(&mut headers);
        if !parsed.parse(head).ok()?.is_complete() {
            return None;
        }
        let target = parsed.path?.to_owned();
        let headers = parsed
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()));
        Some(Request {
            method: parsed.method?.to_owned(),
            query: Query::parse(target.split_once('?').map_or("", |(_, query)| query)),
            headers: headers.collect(),
            body: Content::Nothing,
            peer: self.peer,
            is_old: parsed.version? == 0,
            target,
        })
    }

    /// Reads the body, or skips it when it is too large. Nothing when the client went away meanwhile.
    async fn body(&mut self, stream: &mut TcpStream, request: &Request) -> io::Result<Option<Content>> {
        let length =
            request.header("content-length").and_then(|value| value.parse::<usize>().ok()).unwrap_or(0);
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        if length > BODY_LIMIT {
            return Ok(self.skip(stream, length).await?.then_some(Content::TooLarge));
        }
        while self.buffer.len() < length {
            if !self.fill(stream).await? {
                return Ok(None);
            }
        }
        let bytes: Vec<u8> = self.buffer.drain(..length).collect();
        Ok(Some(content(request, &bytes)))
    }

    async fn skip(&mut self, stream: &mut TcpStream, mut length: usize) -> io::Result<bool> {
        loop {
            let skipped = length.min(self.buffer.len());
            self.buffer.drain(..skipped);
            length -= skipped;
            if length == 0 {
                return Ok(true);
            }
            if !self.fill(stream).await? {
                return Ok(false);
            }
        }
    }
}

fn head_end(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// Only `application/json` is parsed, and only objects and arrays (m05: a text body is no body).
fn content(request: &Request, bytes: &[u8]) -> Content {
    let kind = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if bytes.is_empty() || kind.split(';').next().map(str::trim) != Some("application/json") {
        return Content::Nothing;
    }
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(value) if value.is_object() || value.is_array() => Content::Json(value),
        Ok(_) | Err(_) => Content::Malformed,
    }
}
