//! Hosts in network namespaces at one bridge. The namespaces have no names: they end with this process.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use k2hdkc_agent::supervisor::ProcessId;
use nix::sched::{CloneFlags, setns, unshare};

/// Address of the host on which the stand-in for chmpx runs.
const HERE: &str = "10.213.0.254";
/// Port of the other hosts: for connections of chmpx, and for questions.
const PORT: u16 = 8020;

/// For what must happen some time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Address of another host.
pub(crate) fn there(host: u8) -> IpAddr {
    IpAddr::from([10, 213, 0, host])
}

/// Checks whether namespaces can be had here. In CI their absence is a failure.
pub(crate) fn ready() -> bool {
    let Err(reason) = namespace().and_then(|namespace| ip(&namespace, "link set lo up")) else { return true };
    assert!(std::env::var_os("CI").is_none(), "no namespaces, and in CI that is a failure: {reason}");
    // Whoever closed stderr does not want to know.
    let _ = writeln!(io::stderr(), "dead_peers: SKIPPED: this suite needs root and the program ip: {reason}");
    false
}

/// Makes a network namespace.
fn namespace() -> io::Result<File> {
    let made = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net")
    });
    made.join().unwrap()
}

/// Does something in a namespace.
fn inside<T: Send>(namespace: &File, act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            act()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs the program `ip` in a namespace.
fn ip(namespace: &File, words: &str) -> io::Result<()> {
    let output = inside(namespace, || Command::new("ip").args(words.split(' ')).output())?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Runs a test outside of any namespace of a network.
pub(crate) fn outside(test: impl AsyncFnOnce()) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test());
}

/// One host here, and some there.
pub(crate) struct Network {
    bridge: File,
    here: File,
    there: Vec<Host>,
}

/// A host that takes connections, and throws away what comes.
struct Host {
    _namespace: File,
    stopped: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
}

impl Network {
    /// Makes hosts 1 to `hosts`, and the one here.
    pub(crate) fn new(hosts: u8) -> io::Result<Self> {
        let bridge = namespace()?;
        ip(&bridge, "link add br0 type bridge")?;
        ip(&bridge, "link set br0 up")?;
        let here = attach(&bridge, 0, HERE)?;
        let there = (1..=hosts).map(|host| Host::new(&bridge, host)).collect::<io::Result<_>>()?;
        Ok(Self { bridge, here, there })
    }

    /// Takes the port of a host down; 0 is the one here.
    pub(crate) fn down(&self, host: u8) {
        ip(&self.bridge, &format!("link set v{host} down")).unwrap();
    }

    /// Takes it up again.
    pub(crate) fn up(&self, host: u8) {
        ip(&self.bridge, &format!("link set v{host} up")).unwrap();
    }

    /// Stops the program of a host from reading.
    pub(crate) fn stop(&self, host: u8) {
        self.there[usize::from(host) - 1].stopped.store(true, Ordering::Relaxed);
    }

    /// Waits until a host has taken in so many connections.
    pub(crate) async fn connected(&self, host: u8, times: usize) {
        let accepted = &self.there[usize::from(host) - 1].accepted;
        let late = Instant::now() + PATIENCE;
        while accepted.load(Ordering::Relaxed) < times {
            assert!(Instant::now() < late, "host {host} has taken in too few connections");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Control ports of the other hosts.
    pub(crate) fn others(&self) -> Vec<SocketAddr> {
        (1..).zip(&self.there).map(|(host, _)| SocketAddr::new(there(host), PORT)).collect()
    }

    /// Runs a test on the host here.
    pub(crate) fn run(&self, test: impl AsyncFnOnce() + Send) {
        inside(&self.here, || outside(test));
    }
}

/// Makes a host's namespace, and connects it to the bridge by the port `v<number>`.
fn attach(bridge: &File, number: u8, address: &str) -> io::Result<File> {
    let host = namespace()?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), host.as_raw_fd());
    ip(bridge, &format!("link add v{number} type veth peer name eth0 netns {path}"))?;
    ip(bridge, &format!("link set v{number} master br0 up"))?;
    ip(&host, &format!("addr add {address}/24 dev eth0"))?;
    ip(&host, "link set eth0 up")?;
    ip(&host, "link set lo up")?;
    Ok(host)
}

impl Host {
    fn new(bridge: &File, number: u8) -> io::Result<Self> {
        let namespace = attach(bridge, number, &there(number).to_string())?;
        let listener = inside(&namespace, || TcpListener::bind((there(number), PORT)))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let host = Self { _namespace: namespace, stopped: Arc::clone(&stopped), accepted };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let stopped = Arc::clone(&stopped);
                thread::spawn(move || drain(stream, &stopped));
            }
        });
        Ok(host)
    }
}

fn drain(mut stream: TcpStream, stopped: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    while !stopped.load(Ordering::Relaxed) && matches!(stream.read(&mut buffer), Ok(1..)) {}
    if stopped.load(Ordering::Relaxed) {
        // It keeps the connection, and reads no more.
        loop {
            thread::park();
        }
    }
}

/// In the environment of a run of this suite that only stands in for chmpx.
const STAND_IN: &str = "K2HDKC_DEAD_PEERS_STAND_IN";

/// The stand-in for chmpx: a process on the host here with a connection to each other one, on which it sends all the time.
pub(crate) struct Talker {
    process: Child,
    talks: mpsc::Receiver<u8>,
    ended: Arc<Mutex<Vec<u8>>>,
}

impl Talker {
    /// Starts it, and has it connect to all other hosts, and send all the time.
    pub(crate) fn new(network: &Network) -> io::Result<Self> {
        Self::start(network, "talks")
    }

    /// Starts one that sends nothing.
    pub(crate) fn silent(network: &Network) -> io::Result<Self> {
        Self::start(network, "silent")
    }

    fn start(network: &Network, manner: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", "stands_in_for_chmpx", "--nocapture"]).env(STAND_IN, manner);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = inside(&network.here, || command.spawn())?;
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let (heard, (connected, talks)) = (Arc::clone(&ended), mpsc::channel());
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The harness has its own words before the first one.
                let host = |word| line.split_once(word).and_then(|(_, host)| host.parse().ok());
                host("talks ").map_or(Ok(()), |host| connected.send(host)).unwrap();
                heard.lock().unwrap().extend(host("ended "));
            }
        });
        let mut talker = Self { process, talks, ended };
        for (host, _) in (1..).zip(&network.there) {
            talker.connect(host)?;
        }
        Ok(talker)
    }

    /// Returns the process.
    pub(crate) fn id(&self) -> ProcessId {
        let pid = self.process.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap();
        ProcessId { pid, start_ticks: ticks.parse().unwrap() }
    }

    /// Has it connect to a host once more.
    pub(crate) fn connect(&mut self, host: u8) -> io::Result<()> {
        self.ended.lock().unwrap().retain(|ended| *ended != host);
        writeln!(self.process.stdin.as_mut().unwrap(), "{host}")?;
        let talks = self.talks.recv_timeout(PATIENCE).map_err(io::Error::other)?;
        if talks == host { Ok(()) } else { Err(io::Error::other("it talks to another host")) }
    }

    /// Returns true while the connection to a host is open.
    pub(crate) fn is_alive(&self, host: u8) -> bool {
        !self.ended.lock().unwrap().contains(&host)
    }

    /// Waits until the connection to a host has ended; `None` where none has in time.
    pub(crate) fn ended(&self, within: Duration) -> Option<IpAddr> {
        let late = Instant::now() + within;
        loop {
            let ended = self.ended.lock().unwrap().first().copied();
            if ended.is_some() || Instant::now() >= late {
                return ended.map(there);
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The stand-in itself: connects to each host that a line of standard input names.
pub(crate) fn stand_in() {
    let Ok(manner) = std::env::var(STAND_IN) else { return };
    let words = if manner == "talks" { &[0; 8192][..] } else { &[] };
    for line in io::stdin().lines().map_while(Result::ok) {
        let host = line.parse().unwrap();
        let address = SocketAddr::new(there(host), PORT);
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_nonblocking(true).unwrap();
        thread::spawn(move || talk(stream, host, words));
    }
}

#[expect(clippy::print_stdout, reason = "the suite reads it")]
fn talk(mut stream: TcpStream, host: u8, words: &[u8]) {
    println!("talks {host}");
    let goes_on = |done: &io::Result<usize>| match done {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    };
    // One that is closed is read as its end or as an error; nobody answers.
    while goes_on(&stream.write(words)) && goes_on(&stream.peek(&mut [0])) {
        thread::park_timeout(Duration::from_millis(50));
    }
    println!("ended {host}");
}
