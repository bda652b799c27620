//! A ring of simulated processes for a suite: inis, roots, starts, stops and looks, without any agent.
//!
//! Every stage has a network of loopback addresses to itself, 127.x.y.0/24, so that suites run side by side.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::{Place, ROOT};
use crate::k2hdkc::Client;
use crate::node::wait_for;

/// The ports of every node; they do not meet, since every node has an address of its own.
pub const PORT: u16 = 8020;
/// The control port of every node.
pub const CTLPORT: u16 = 8021;

/// The differences of the inis of a stage from the usual one: AUTOMERGE, REPLICA 0, keys in a file.
#[derive(Debug, Clone)]
pub struct Style {
    /// REPLICA
    pub replicas: u32,
    /// AUTOMERGE
    pub automerge: bool,
    /// Records whether k2hdkc keeps its keys in a file.
    pub file: bool,
    /// More lines of `[GLOBAL]`.
    pub global: String,
}

impl Default for Style {
    fn default() -> Self {
        Self { replicas: 0, automerge: true, file: true, global: String::new() }
    }
}

/// The stage; dropped, its processes are killed.
#[derive(Debug)]
pub struct Stage {
    dir: Arc<tempfile::TempDir>,
    network: String,
    style: Style,
}

/// A node of it. Servers have numbers below 100, slaves from 100 on.
#[derive(Debug)]
pub struct Node {
    /// The number.
    pub number: u32,
    /// The address.
    pub address: String,
    root: PathBuf,
    /// The stage's directory, which lives as long as one of its nodes.
    dir: Arc<tempfile::TempDir>,
    chmpx: Option<Child>,
    k2hdkc: Option<Child>,
}

impl Stage {
    /// An empty one.
    pub fn new(style: Style) -> io::Result<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        // Two suites that run at once are two processes.
        let process = std::process::id();
        let network = format!("127.{}.{}", 16 + process % 200, (process / 200 + number * 7) % 250);
        let stage = Self { dir: Arc::new(tempfile::tempdir()?), network, style };
        super::install(&stage.dir.path().join("bin"))?;
        Ok(stage)
    }

    /// A node; it has no ini yet.
    pub fn node(&self, number: u32) -> io::Result<Node> {
        let root = self.dir.path().join(format!("node-{number}"));
        fs::create_dir_all(root.join("var/lib/antpickax"))?;
        fs::create_dir_all(root.join("data"))?;
        let address = self.address(number);
        Ok(Node { number, address, root, dir: Arc::clone(&self.dir), chmpx: None, k2hdkc: None })
    }

    fn address(&self, number: u32) -> String {
        format!("{}.{}", self.network, number + 1)
    }

    /// The ini of one node, with those servers and slaves in it.
    pub fn ini(&self, own: u32, fileversion: u32, servers: &[u32], slaves: &[u32]) -> String {
        let mode = if own < 100 { "SERVER" } else { "SLAVE" };
        let Style { replicas, automerge, file, global } = &self.style;
        let automerge = if *automerge { "on" } else { "off" };
        let mut text = format!(
            "[GLOBAL]\nFILEVERSION = {fileversion}\nGROUP = LAB\nMODE = {mode}\nDELIVERMODE = hash\n\
             CHMPXIDTYPE = CUSTOM\nMAXCHMPX = 64\nREPLICA = {replicas}\nMAXMQSERVER = 4\nMAXMQCLIENT = 16\n\
             MQACK = no\nAUTOMERGE = {automerge}\nDOMERGE = on\nSELFCTLPORT = {CTLPORT}\nSELFCUK = cuk-{own}\n{global}\n"
        );
        for server in servers {
            let address = self.address(*server);
            text.push_str(&format!(
                "[SVRNODE]\nNAME = {address}\nPORT = {PORT}\nCTLPORT = {CTLPORT}\nCUK = cuk-{server}\n\
                 CUSTOM_ID_SEED = node{server}\nSSL = no\n"
            ));
        }
        text.push_str(
            "[SLVNODE]\nNAME = 127.0.0.1\nCTLPORT = 8031\nCUK = dummy_cuk\nCUSTOM_ID_SEED = dummy_host\n",
        );
        for slave in slaves {
            let address = self.address(*slave);
            text.push_str(&format!(
                "[SLVNODE]\nNAME = {address}\nCTLPORT = {CTLPORT}\nCUK = cuk-{slave}\nCUSTOM_ID_SEED = node{slave}\n"
            ));
        }
        if own < 100 {
            let storage =
                if *file { "K2HTYPE = file\nK2HFILE = /data/keys.k2h\n" } else { "K2HTYPE = mem\n" };
            text.push_str(&format!("[K2HDKC]\n{storage}"));
        }
        text
    }
}

impl Node {
    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The ini.
    pub fn conf(&self) -> PathBuf {
        self.root.join("chmpx.ini")
    }

    /// Reads the log of a program of the node.
    pub fn log(&self, program: &str) -> String {
        fs::read_to_string(self.root.join(format!("{program}.log"))).unwrap_or_default()
    }

    /// Puts the ini in place by rename, as everybody should.
    pub fn push(&self, ini: &str) -> io::Result<()> {
        self.put("chmpx.ini.next", ini)?;
        fs::rename(self.root.join("chmpx.ini.next"), self.conf())
    }

    /// Writes a file below the root, in place.
    pub fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.root.join(name);
        File::options().write(true).create(true).truncate(true).open(path)?.write_all(text.as_bytes())
    }

    /// Prepares one of the programs with this node's ini.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.dir.path().join("bin").join(program));
        command.arg("-conf").arg(self.conf()).args(arguments).env_clear().env(ROOT, &self.root);
        command.stdin(Stdio::null());
        command
    }

    fn spawn(&self, program: &str, arguments: &[&str]) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(self.root.join(format!("{program}.log")))?;
        let mut command = self.command(program, arguments);
        command.args(["-d", "msg"]).stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// Starts chmpx and waits until its control port answers.
    pub fn start_chmpx(&mut self) -> io::Result<()> {
        self.chmpx = Some(self.spawn("chmpx", &[])?);
        let up =
            wait_for(Duration::from_secs(10), || self.ask("VERSION").is_ok_and(|answer| !answer.is_empty()));
        if up { Ok(()) } else { Err(io::Error::other(format!("chmpx did not start: {}", self.log("chmpx")))) }
    }

    /// Starts k2hdkc.
    pub fn start_k2hdkc(&mut self, arguments: &[&str]) -> io::Result<()> {
        self.k2hdkc = Some(self.spawn("k2hdkc", arguments)?);
        Ok(())
    }

    /// The process of chmpx or k2hdkc.
    pub fn child(&mut self, program: &str) -> Option<&mut Child> {
        if program == "chmpx" { self.chmpx.as_mut() } else { self.k2hdkc.as_mut() }
    }

    /// Sends a program a signal.
    pub fn signal(&self, program: &str, signal: Signal) -> io::Result<()> {
        let child = if program == "chmpx" { self.chmpx.as_ref() } else { self.k2hdkc.as_ref() };
        let child = child.ok_or_else(|| io::Error::other(format!("no {program} runs")))?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }

    /// Waits for the end of a program; `None` where it still runs after that time.
    pub fn ended(&mut self, program: &str, within: Duration) -> Option<ExitStatus> {
        let child = self.child(program)?;
        let mut status = None;
        wait_for(within, || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        status
    }

    /// Ends a program by a signal and waits for it.
    pub fn end(&mut self, program: &str, signal: Signal) -> io::Result<ExitStatus> {
        self.signal(program, signal)?;
        let status = self.ended(program, Duration::from_secs(10));
        status.ok_or_else(|| io::Error::other(format!("{program} does not end: {}", self.log(program))))
    }

    /// Sends bytes to the control port and reads the answer to its end.
    pub fn ask(&self, command: &str) -> io::Result<String> {
        let address: IpAddr = self.address.parse().map_err(io::Error::other)?;
        let mut stream = TcpStream::connect(SocketAddr::new(address, CTLPORT))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_nodelay(true)?;
        stream.write_all(command.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The statuses that this node's chmpx gives, by seed; empty where it does not answer.
    pub fn statuses(&self) -> Vec<(String, u64)> {
        let text = self.ask("ALLSTATUS").unwrap_or_default();
        let value = |line: &str, name: &str| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        };
        let seeds: Vec<String> = text.lines().filter_map(|line| value(line, "Custom ID Seed")).collect();
        let words = text.lines().filter_map(|line| value(line, "Server Status"));
        let bits = words.map(|word| {
            let hex = word.split('(').next().unwrap_or_default().trim_start_matches("0x");
            u64::from_str_radix(hex, 16).unwrap_or_default()
        });
        seeds.into_iter().zip(bits).collect()
    }

    /// The status of one server, as this node sees it; 0 where it knows none.
    pub fn status_of(&self, number: u32) -> u64 {
        let seed = format!("node{number}");
        self.statuses().into_iter().find(|(name, _)| *name == seed).map_or(0, |(_, bits)| bits)
    }

    /// Waits until this node sees a server so.
    pub fn sees(&self, number: u32, status: u64) -> bool {
        wait_for(Duration::from_secs(15), || self.status_of(number) == status)
    }

    /// A value of DUMP, the first of that name.
    pub fn dumped(&self, name: &str) -> String {
        let text = self.ask("DUMP").unwrap_or_default();
        let found = text.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    /// Waits until that FILEVERSION is in force. On a slave the question itself may swallow the reload: use
    /// [`Node::shows`] there.
    pub fn has_loaded(&self, fileversion: u32) -> bool {
        wait_for(Duration::from_secs(10), || self.dumped("cfg_revision") == fileversion.to_string())
    }

    /// Waits until `chmpxstatus` shows that FILEVERSION, without a word to chmpx.
    pub fn shows(&self, fileversion: u32) -> bool {
        let wanted = format!("configuration file version                   = {fileversion}");
        wait_for(Duration::from_secs(10), || {
            let output = self.chmpxstatus(&[]).map(|output| output.stdout).unwrap_or_default();
            String::from_utf8_lossy(&output).lines().any(|line| line == wanted)
        })
    }

    /// `chmpxstatus` with those arguments.
    pub fn chmpxstatus(&self, arguments: &[&str]) -> io::Result<Output> {
        self.command("chmpxstatus", arguments).output()
    }

    /// A client of this node.
    pub fn client(&self) -> Client {
        Client::per_command(&self.conf(), Place::at(&self.root))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in [&mut self.chmpx, &mut self.k2hdkc].into_iter().flatten() {
            // Nothing can be told from here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
