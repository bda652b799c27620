//! Connections of the agent's own to the control ports of the other servers, on which nothing is said.
//!
//! chmpx probes an idle connection after a minute only (C35), so a node without traffic to a host that has vanished would find out
//! long after the others: a server holds up their messages round the ring, and a slave the next request. The kernel probes these once a second, and counts what
//! has no answer as for any other connection. They are evidence, and a sign of life of the hosts that answer.
//!
//! chmpx takes such a connection in once, and has nothing to do with it until a word comes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::peers::Ends;

/// Time without traffic until a probe, and from one probe to the next.
const PROBE: Duration = Duration::from_secs(1);

/// Probes without an answer after which the kernel gives a connection up: later than the evidence is complete.
const PROBES: u32 = 30;

/// Time for a connection to be taken in.
const WITHIN: Duration = Duration::from_secs(3);

/// Pause between two attempts: a chmpx that takes a connection in looks up the name of the host.
const AGAIN: Duration = Duration::from_secs(5);

/// Largest number of servers.
const MOST: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sentinels {
    held: BTreeMap<SocketAddr, TcpStream>,
    tried: BTreeMap<SocketAddr, Instant>,
    connecting: JoinSet<(SocketAddr, io::Result<TcpStream>)>,
}

impl Sentinels {
    /// Keeps a connection to each of these, and to nobody else.
    pub(super) fn keep(&mut self, servers: &[SocketAddr]) {
        while let Some(Ok((server, connected))) = self.connecting.try_join_next() {
            self.held.extend(connected.ok().map(|stream| (server, stream)));
        }
        self.held.retain(|server, stream| servers.contains(server) && is_open(stream));
        self.tried.retain(|server, at| servers.contains(server) && at.elapsed() < AGAIN);
        for server in servers.iter().take(MOST) {
            if !self.held.contains_key(server) && !self.tried.contains_key(server) {
                self.tried.insert(*server, Instant::now());
                let server = *server;
                self.connecting.spawn(async move { (server, connect(server).await) });
            }
        }
    }

    /// Returns the ends of the connections.
    pub(super) fn ends(&self) -> BTreeSet<Ends> {
        let ends = |stream: &TcpStream| Some((stream.local_addr().ok()?, stream.peer_addr().ok()?));
        self.held.values().filter_map(ends).collect()
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = timeout(WITHIN, TcpStream::connect(server)).await??;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, PROBE)?;
    sockopt::set_tcp_keepintvl(&stream, PROBE)?;
    sockopt::set_tcp_keepcnt(&stream, PROBES)?;
    Ok(stream)
}

/// True until the other end closes, or the kernel gives up.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0; 16]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Looks until a condition holds.
    async fn until(sentinels: &mut Sentinels, servers: &[SocketAddr], is: impl Fn(&Sentinels) -> bool) {
        let held = timeout(Duration::from_secs(20), async {
            while !is(sentinels) {
                sentinels.keep(servers);
                tokio::task::yield_now().await;
            }
        });
        held.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_is_held_to_each_server_and_let_go_with_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let servers = [listener.local_addr().unwrap()];
        let mut sentinels = Sentinels::default();
        until(&mut sentinels, &servers, |sentinels| sentinels.ends().len() == 1).await;
        let (accepted, other) = listener.accept().await.unwrap();
        assert_eq!(sentinels.ends(), BTreeSet::from([(other, servers[0])]));
        drop(accepted);
        until(&mut sentinels, &servers, |sentinels| sentinels.ends().is_empty()).await;
        assert!(sentinels.connecting.is_empty(), "it is not tried again at once");
        sentinels.keep(&[]);
        assert!(sentinels.tried.is_empty());
    }
}
