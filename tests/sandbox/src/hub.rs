//! `--real`, from inside its own namespaces: a bridge, and on it one set of namespaces for each node.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::supervisor::control_port;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ground::ANSWER_WITHIN;
use super::inside::READY;
use super::options::Options;
use super::programs::Programs;

/// The bridge, which is also K2HR3's host.
const BRIDGE: &str = "ring0";
/// The address; nodes are below it.
const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
/// The addresses of servers count from 1, those of slaves from here.
const SLAVES: u8 = 100;
/// Nodes of a kind that have a name.
const NAMED: u8 = 80;

/// Between two looks for processes that have ended and lost their parent.
const REAP: Duration = Duration::from_millis(300);

/// The bridge and what is needed to attach nodes to it. Its namespaces end with this process.
#[derive(Debug)]
pub(super) struct Hub {
    /// The programs.
    pub programs: Programs,
    /// This process, as the host numbers it.
    pub pid_outside: u32,
    _reaping: JoinSet<()>,
}

/// The namespaces of one node. Dropped, whatever still runs in them keeps them, and else they are gone.
#[derive(Debug)]
pub(super) struct Namespaces {
    holder: Child,
}

impl Hub {
    /// Sets the bridge up. This process must be the first one of its namespaces.
    pub(super) fn open() -> io::Result<Self> {
        let programs = Programs::find()?;
        // The mounted one is still the host's, and numbers processes as the host does.
        let outside = fs::read_link("/proc/self")?;
        let pid_outside = outside.to_string_lossy().parse().map_err(io::Error::other)?;
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>)?;
        let mut reaping = JoinSet::new();
        reaping.spawn(async {
            loop {
                sleep(REAP).await;
                reap();
            }
        });
        let hub = Self { programs, pid_outside, _reaping: reaping };
        let address = format!("{HUB}/24");
        hub.ip(&["link", "set", "lo", "up"])?;
        // Without one of its own a bridge takes the address of a port, and with another port another one: nobody would
        // reach K2HR3 for half a minute after a node went.
        hub.ip(&["link", "add", BRIDGE, "address", "02:00:00:00:00:01", "type", "bridge"])?;
        hub.ip(&["address", "add", &address, "dev", BRIDGE])?;
        hub.ip(&["link", "set", BRIDGE, "up"])?;
        Ok(hub)
    }

    /// K2HR3's address.
    pub(super) fn address() -> Ipv4Addr {
        HUB
    }

    /// The address of a node.
    pub(super) fn address_of(mode: Mode, number: u8) -> Ipv4Addr {
        let first = if mode == Mode::Server { 0 } else { SLAVES };
        let [a, b, c, _] = HUB.octets();
        Ipv4Addr::new(a, b, c, first + number)
    }

    /// Makes the namespaces of a node and attaches them to the bridge.
    pub(super) fn attach(&self, root: &Path, address: Ipv4Addr) -> io::Result<Namespaces> {
        resolver_files(root)?;
        let namespaces = self.hold(root)?;
        let pid = namespaces.holder.id().to_string();
        let outer = format!("node{}", address.octets()[3]);
        self.ip(&["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        self.ip(&["link", "set", &outer, "master", BRIDGE, "up"])?;
        let inside = |words: &[&str]| {
            let mut all = namespaces.entry(&self.programs);
            all.push(self.programs.ip.clone().into());
            all.extend(words.iter().map(OsString::from));
            run(&all)
        };
        inside(&["link", "set", "lo", "up"])?;
        inside(&["address", "add", &format!("{address}/24"), "dev", "eth0"])?;
        inside(&["link", "set", "eth0", "up"])?;
        Ok(namespaces)
    }

    fn hold(&self, root: &Path) -> io::Result<Namespaces> {
        let mut command = Command::new(&self.programs.unshare);
        command.args(["--net", "--ipc", "--mount", "--uts", "--propagation", "private", "--"]);
        command.arg(std::env::current_exe()?).args(Options::as_node(root));
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        let read = holder.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut said));
        match read {
            Some(Ok(_)) if said.trim() == READY => Ok(Namespaces { holder }),
            _ => {
                let _ = holder.kill();
                let _ = holder.wait();
                Err(io::Error::other(format!("the namespaces of {} were not made", root.display())))
            }
        }
    }

    fn ip(&self, words: &[&str]) -> io::Result<()> {
        let all: Vec<_> =
            [self.programs.ip.clone().into()].into_iter().chain(words.iter().map(OsString::from)).collect();
        run(&all)
    }
}

impl Namespaces {
    /// The words before a program that shall run in them.
    pub(super) fn entry(&self, programs: &Programs) -> Vec<OsString> {
        let supervisor = format!("--target={}", self.holder.id());
        let mut words = vec![programs.nsenter.clone().into_os_string(), supervisor.into()];
        words.extend(["--net", "--ipc", "--mount", "--uts", "--"].map(OsString::from));
        words
    }

    /// The network, as a file.
    pub(super) fn network(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.holder.id()))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The first process of its namespace inherits what an agent leaves behind that was killed. Nobody waits for those but
/// it, and it must not take away the status of anybody else.
fn reap() {
    let Ok(entries) = fs::read_dir("/proc") else { return };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if ["chmpx", "k2hdkc"].contains(&comm.trim_end()) {
            // Somebody else's child is an error, one that runs on is none.
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Asks a control port from within a node's network: chmpx turns strangers away, or makes a fuss of them.
pub(super) async fn ask_within(
    network: PathBuf,
    address: SocketAddr,
    command: control_port::Command,
) -> io::Result<String> {
    let (answered, answer) = tokio::sync::oneshot::channel();
    // Only this thread moves there, and it ends with the answer.
    thread::spawn(move || {
        let ask = || -> io::Result<String> {
            setns(File::open(network)?, CloneFlags::CLONE_NEWNET)?;
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let asked = runtime.block_on(control_port::ask(address, &command, ANSWER_WITHIN));
            asked.map_err(io::Error::other)
        };
        // Who asked may have gone.
        let _ = answered.send(ask());
    });
    answer.await.map_err(io::Error::other)?
}

/// chmpx looks up every address, and compares a name with CUSTOM_ID_SEED: so the seed is the first name. The resolver
/// asks nobody else, and hears so at once.
fn resolver_files(root: &Path) -> io::Result<()> {
    let line = |mode: Mode, kind: &str, number: u8| {
        format!("{} {kind}-{number}.sandbox {kind}-{number}\n", Hub::address_of(mode, number))
    };
    let servers = (1..=NAMED).map(|number| line(Mode::Server, "server", number));
    let slaves = (1..=NAMED).map(|number| line(Mode::Slave, "slave", number));
    let hosts: String = servers.chain(slaves).collect();
    fs::create_dir_all(root.join("etc"))?;
    put(&root.join("etc/hosts.node"), &format!("127.0.0.1 localhost\n{HUB} k2hr3\n{hosts}"))?;
    put(&root.join("etc/resolv.conf.node"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    File::options().write(true).create(true).truncate(true).open(path)?.write_all(text.as_bytes())
}

fn run(words: &[OsString]) -> io::Result<()> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let line = words.join(std::ffi::OsStr::new(" "));
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{}: {said}", line.display())))
}
