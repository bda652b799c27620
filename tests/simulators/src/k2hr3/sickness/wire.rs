//! Sends an answer, and does to the bytes and to the connection what the sickness wants.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Sickness;
use crate::k2hr3::answer::{Answer, Body, JSON};
use crate::k2hr3::http::Request;
use crate::k2hr3::lab::Served;

/// The answer of Node itself to a head that is too long; Express never sees the request.
const HEAD_TOO_LONG: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n";

/// Sends it. True when the connection can carry another request.
pub(in crate::k2hr3) async fn send(
    stream: &mut TcpStream,
    request: &Request,
    served: &Served,
) -> io::Result<bool> {
    let Served { answer, sickness, date } = served;
    match sickness {
        Some(Sickness::Refuse) => return Ok(false),
        Some(Sickness::StallThenClose(delay)) => {
            sleep(*delay).await;
            return Ok(false);
        }
        Some(Sickness::Status(431)) => {
            stream.write_all(HEAD_TOO_LONG).await?;
            return Ok(false);
        }
        Some(Sickness::Huge { bytes }) => return flood(stream, request, date, *bytes).await.map(|()| true),
        Some(Sickness::Stall(delay) | Sickness::BackendDead { after: delay }) => sleep(*delay).await,
        Some(sickness) if sickness.breaks_body() => return broken(stream, request, served, sickness).await,
        Some(_) | None => {}
    }
    stream.write_all(&answer.bytes(request, date)).await?;
    Ok(true)
}

impl Sickness {
    /// Checks whether head and body are sent in another way than one after the other, whole.
    fn breaks_body(&self) -> bool {
        matches!(
            self,
            Self::TruncatedBody | Self::WrongContentLength | Self::ResetInMidBody | Self::SlowDrip { .. }
        )
    }
}

async fn broken(
    stream: &mut TcpStream,
    request: &Request,
    served: &Served,
    sickness: &Sickness,
) -> io::Result<bool> {
    let body = served.answer.body();
    let half = body.len() / 2;
    let claimed = if *sickness == Sickness::WrongContentLength { half } else { body.len() };
    stream.write_all(&served.answer.head(request, &served.date, claimed)).await?;
    match sickness {
        Sickness::SlowDrip { byte_every } => drip(stream, body, *byte_every).await.map(|()| true),
        Sickness::WrongContentLength => stream.write_all(body).await.map(|()| false),
        Sickness::ResetInMidBody => reset(stream, &body[..half]).await,
        _ => stream.write_all(&body[..half]).await.map(|()| false),
    }
}

/// A part, then RST: closing with a linger time of zero discards what is unsent.
async fn reset(stream: &mut TcpStream, part: &[u8]) -> io::Result<bool> {
    stream.write_all(part).await?;
    stream.set_zero_linger()?;
    Err(io::ErrorKind::ConnectionReset.into())
}

async fn drip(stream: &mut TcpStream, body: &[u8], pause: Duration) -> io::Result<()> {
    for byte in body {
        stream.write_all(std::slice::from_ref(byte)).await?;
        sleep(pause).await;
    }
    Ok(())
}

/// A valid JSON answer of exactly this many bytes (or the smallest possible), made while it is sent.
async fn flood(stream: &mut TcpStream, request: &Request, date: &str, bytes: u64) -> io::Result<()> {
    const START: &[u8] = br#"{"result":true,"message":null,"resource":""#;
    const END: &[u8] = br#""}"#;
    let filling = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(START.len() + END.len());
    let kind = vec![("Content-Type", JSON.to_owned())];
    let answer = Answer { status: 200, headers: kind, body: Body::Full(START.to_vec()) };
    stream.write_all(&answer.head(request, date, START.len() + filling + END.len())).await?;
    stream.write_all(START).await?;
    let block = vec![b'x'; 64 * 1024];
    let mut left = filling;
    while left > 0 {
        let part = left.min(block.len());
        stream.write_all(&block[..part]).await?;
        left -= part;
    }
    stream.write_all(END).await
}
