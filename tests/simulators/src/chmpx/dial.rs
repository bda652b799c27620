//! Connections of a chmpx: to other servers, from others on PORT, from processes of this host, and on the control port.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::os::linux::net::SocketAddrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::event::{Event, Origin};
use super::link::Link;
use super::wire::Frame;

/// Between two accepts of which the first failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The size of one recv, which is the whole request of the control port (docs/facts.md C24).
const LONGEST_COMMAND: usize = 8191;

type Events = mpsc::UnboundedSender<Event>;

/// Listens on an address that other sockets may share, as chmpx does (`SO_REUSEPORT`).
pub fn listen(name: &str, port: i32) -> io::Result<TcpListener> {
    let address = resolve(name, port)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(128)
}

/// The abstract unix socket of that name.
pub fn listen_locally(name: &str) -> io::Result<UnixListener> {
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Connects to a server in the background, from the own address, so that the other side can tell who it is.
pub fn to_server((name, port): (String, i32), from: String, id: u64, events: Events) {
    tokio::spawn(async move {
        let connected = timeout(Duration::from_secs(1), connect(&name, port, &from)).await;
        let event = match connected {
            Ok(Ok(stream)) => open(stream, Origin::Dialled(id), &events),
            Ok(Err(_)) | Err(_) => Event::Unreachable(id),
        };
        let _ = events.send(event);
    });
}

async fn connect(name: &str, port: i32, from: &str) -> io::Result<TcpStream> {
    let address = resolve(name, port)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Ok(own) = from.parse::<IpAddr>()
        && own.is_ipv4() == address.is_ipv4()
    {
        socket.bind(SocketAddr::new(own, 0))?;
    }
    socket.connect(address).await
}

fn resolve(name: &str, port: i32) -> io::Result<SocketAddr> {
    let port = u16::try_from(port).map_err(io::Error::other)?;
    let found = (name, port).to_socket_addrs()?.next();
    found.ok_or_else(|| io::Error::other(format!("{name} has no address")))
}

/// Takes connections on PORT.
pub async fn accept_peers(listener: TcpListener, events: Events) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(events.send(open(stream, Origin::Port(peer.ip()), &events))),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Takes connections of processes on this host.
pub async fn accept_processes(listener: UnixListener, events: Events) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let number = next();
                let (read, write) = stream.into_split();
                let link = Link::open(read, write, sink(number, events.clone()));
                let _ = events.send(Event::Opened(number, link, Origin::Local));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn open(stream: TcpStream, origin: Origin, events: &Events) -> Event {
    // Without it everything works as well, only slower.
    let _ = stream.set_nodelay(true);
    let number = next();
    let (read, write) = stream.into_split();
    let link = Link::open(read, write, sink(number, events.clone()));
    Event::Opened(number, link, origin)
}

fn sink(number: u64, events: Events) -> impl Fn(Option<Frame>) + Send + Sync {
    move |frame| {
        let event = frame.map_or(Event::Closed(number), |frame| Event::Frame(number, frame));
        // Nobody hears it when the process ends.
        let _ = events.send(event);
    }
}

/// Numbers of connections.
fn next() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Serves the control port: one command a connection, and no time limit for it.
pub async fn accept_commands(listener: TcpListener, events: Events) {
    let events = Arc::new(events);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = events.send(Event::Control(peer.ip()));
                tokio::spawn(serve_command(stream, Arc::clone(&events)));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve_command(mut stream: TcpStream, events: Arc<Events>) {
    let mut bytes = vec![0; LONGEST_COMMAND];
    let Ok(length @ 1..) = stream.read(&mut bytes).await else { return };
    bytes.truncate(length);
    let (sender, answer) = oneshot::channel();
    if events.send(Event::Command(bytes, sender)).is_err() {
        return;
    }
    if let Ok(answer) = answer.await {
        // Whoever asked may be gone.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}
