//! A connection: requests in, answers out, until either side has enough.

use std::io;
use std::net::IpAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::http::{Read, Reader};
use super::lab::Lab;
use super::sickness::wire;

/// Serves until the connection ends. A broken connection concerns the client only, so errors end here.
pub(super) async fn serve(mut stream: TcpStream, peer: IpAddr, lab: Lab) {
    let _ended: io::Result<()> = exchange(&mut stream, peer, &lab).await;
}

async fn exchange(stream: &mut TcpStream, peer: IpAddr, lab: &Lab) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(peer);
    loop {
        match reader.next(stream).await? {
            Read::Closed => return Ok(()),
            Read::Refused(answer) => {
                stream.write_all(answer).await?;
                return stream.shutdown().await;
            }
            Read::Request(request) => {
                let served = lab.serve(&request);
                let stays = wire::send(stream, &request, &served).await?;
                if !stays || !request.keeps_alive() {
                    return stream.shutdown().await;
                }
            }
        }
    }
}
