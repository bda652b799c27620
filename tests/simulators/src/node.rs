//! A node of a cluster: a root directory as K2HR3's user-data leaves it, and a real agent process in it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use k2hdkc_agent::installed::{self, Installed};
use k2hdkc_agent::ring::{Mode, Ring};

use crate::binaries;

/// The identity of a node and the configuration of its agent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `http://host:port` of K2HR3.
    pub api_uri: String,
    /// The role, a full YRN.
    pub role: String,
    /// The role token, if its user-data left one.
    pub token: Option<String>,
    /// The address with which it is registered.
    pub address: String,
    /// The CUK.
    pub cuk: String,
    /// `agent.toml`.
    pub config: String,
}

/// The vendor's layer of every node's configuration: an agent that is not told of processes leaves those of the test
/// machine alone, whatever Docker or systemd has there; and most suites register their nodes themselves, under addresses
/// from which the agents do not come.
pub const VENDOR: &str = "[join]\nenabled = false\n[supervisor]\nkind = \"none\"\n";

/// A fragment of the configuration that makes the agent read `source.ini` in its root instead of asking K2HR3.
pub const FILE_SOURCE: &str = "[k2hr3]\nsource = \"file\"\nfile = \"/source.ini\"\n";

/// The live ini at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The inode.
    pub inode: u64,
    /// The bytes, as text.
    pub text: String,
}

/// A node. Dropped, its agent is killed; its directory stays.
#[derive(Debug)]
pub struct Node {
    plan: Plan,
    root: PathBuf,
    entry: Vec<OsString>,
    child: Option<Child>,
}

impl Node {
    /// Lays out the directory; nothing runs yet.
    pub fn new(root: &Path, plan: Plan) -> io::Result<Self> {
        let node = Self { plan, root: root.to_owned(), entry: Vec::new(), child: None };
        let userdata = root.join("etc/antpickax");
        let [vendor, own] = ["usr/lib/k2hdkc-agent", "etc/k2hdkc-agent"].map(|path| root.join(path));
        for directory in [&userdata, &vendor, &own, &root.join("var/lib/cloud/data")] {
            fs::create_dir_all(directory)?;
        }
        put(&userdata.join("k2hr3-api-uri"), &node.plan.api_uri)?;
        put(&userdata.join("k2hr3-role-name"), &node.plan.role)?;
        put(&userdata.join("k2hr3-cuk"), &node.plan.cuk)?;
        put(&root.join("var/lib/cloud/data/instance-id"), &node.plan.cuk)?;
        if let Some(token) = &node.plan.token {
            put(&userdata.join("k2hr3-role-token"), token)?;
        }
        put(&vendor.join("agent.toml"), VENDOR)?;
        put(&own.join("agent.toml"), &node.plan.config)?;
        Ok(node)
    }

    /// From now on every program of the node is started by these words and its own behind them: what enters the
    /// namespaces of a node that has some.
    pub fn enter_by(&mut self, words: Vec<OsString>) {
        self.entry = words;
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the plan that it was made of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The live ini.
    pub fn ini(&self) -> PathBuf {
        self.root.join("etc/antpickax/k2hdkc.ini")
    }

    /// Reads the log of the agent.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.root.join("agent.log")
    }

    /// An agent command on this node, not yet run.
    pub fn command(&self, arguments: &[&str]) -> io::Result<Command> {
        let agent = binaries::agent()?.as_os_str().to_owned();
        let mut words = self.entry.iter().cloned().chain([agent]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("--root").arg(&self.root).args(arguments).stdin(Stdio::null());
        // cargo's and the test runner's variables are not the agent's business.
        command.env_clear();
        Ok(command)
    }

    /// Runs an agent command to its end.
    pub fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        self.command(arguments)?.output()
    }

    /// Starts the agent; its log is appended to.
    pub fn start(&mut self) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.command(&["run"])?;
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn()?);
        Ok(())
    }

    /// The running agent's process.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Checks whether the agent runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends the agent a signal by its name (`TERM`, `HUP`, `USR1`).
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let pid = self.pid().ok_or_else(|| io::Error::other("no agent runs"))?;
        let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
    }

    /// Ends the agent with SIGTERM; how long it took.
    pub fn stop(&mut self) -> io::Result<Duration> {
        let start = Instant::now();
        self.signal("TERM")?;
        if let Some(mut child) = self.child.take() {
            let status = child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("the agent ended with {status}: {}", self.log())));
            }
        }
        Ok(start.elapsed())
    }

    /// Kills the agent.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// `status --json` of the running agent.
    pub fn status(&self) -> io::Result<serde_json::Value> {
        let output = self.run(&["status", "--json"])?;
        serde_json::from_slice(&output.stdout).map_err(io::Error::other)
    }

    /// Writes a file below the root, in place as an editor does; private, so that tokens may go in.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        put(&path, text)
    }

    /// Replaces a file below the root by renaming a new one to it.
    pub fn swap(&self, path: &str, text: &str) -> io::Result<()> {
        let next = format!("{path}.next");
        self.write(&next, text)?;
        fs::rename(self.root.join(next), self.root.join(path))
    }

    /// Replaces the ini that the `file` source reads, see [`FILE_SOURCE`].
    pub fn give(&self, ini: &str) -> io::Result<()> {
        self.swap("source.ini", ini)
    }

    /// Bytes and inode of the live ini: what no bad answer may change.
    pub fn live(&self) -> io::Result<Live> {
        use std::os::unix::fs::MetadataExt as _;
        let mut file = File::open(self.ini())?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes)?;
        Ok(Live { inode: file.metadata()?.ino(), text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// FILEVERSION of the live ini; 0 where there is none.
    pub fn fileversion(&self) -> u32 {
        self.ring().ok().flatten().map_or(0, |(_, fileversion)| fileversion)
    }

    /// Reads the live ini; an error for one that chmpx would refuse.
    pub fn ring(&self) -> io::Result<Option<(Ring, u32)>> {
        let bytes = match fs::read(self.ini()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match installed::read_bytes(&bytes) {
            Installed::Present { ring, fileversion } => {
                Ok(Some(((*ring).clone(), fileversion.unwrap_or_default())))
            }
            Installed::Missing => Ok(None),
            Installed::Broken(problems) => {
                Err(io::Error::other(format!("chmpx would refuse it: {problems:?}")))
            }
        }
    }

    /// The CUKs of one kind of node in the live ini, sorted; empty where there is no file.
    pub fn cuks(&self, mode: Mode) -> Vec<String> {
        let ring = self.ring().ok().flatten();
        let nodes = ring.as_ref().map_or(&[][..], |(ring, _)| ring.nodes(mode));
        let mut cuks: Vec<_> = nodes.iter().filter(|n| !n.is_placeholder()).map(|n| n.cuk.clone()).collect();
        cuks.sort();
        cuks
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nothing can be told from here; a test that cares calls `kill` or `stop` itself.
        let _ = self.kill();
    }
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Waits for a condition, at most until the deadline; whether it came true.
///
/// It looks every few milliseconds: what it waits for is a file or another process, and tells nobody.
pub fn wait_for(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that looks again after a moment; it waits for no fixed time"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}
