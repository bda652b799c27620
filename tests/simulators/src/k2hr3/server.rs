//! Accepts connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::connection;
use super::lab::Lab;

/// Between two accepts of which the first failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The options of a simulator.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The inside to serve. Give the one of a server that was stopped to start it again with its data.
    pub lab: Lab,
}

/// A running simulator. Dropping it closes its port and cuts every connection, as the end of the API process does; the
/// [`Lab`] lives on. The port is free a moment later: [`Server::stop`] waits for it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    lab: Lab,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Binds and serves until dropped. Must be called inside a tokio runtime.
    pub async fn start(bind: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let lab = options.lab;
        let accepting = tokio::spawn(accept(listener, lab.clone()));
        Ok(Self { address, lab, accepting })
    }

    /// Returns the address on which it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://<address>`, what goes into `k2hr3-api-uri`.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The control.
    pub fn lab(&self) -> Lab {
        self.lab.clone()
    }

    /// Ends it, and returns when its port is free.
    pub async fn stop(mut self) {
        self.accepting.abort();
        // The end by an abort is an error of its task.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Owns every connection's task, so that they end together with it.
async fn accept(listener: TcpListener, lab: Lab) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = accepted else {
            // Too many open files: the listener stays usable, but would be ready again at once.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if lab.refuses_connections() {
            continue;
        }
        connections.spawn(connection::serve(stream, peer.ip(), lab.clone()));
    }
}
