//! A VM of environment B: a network namespace on the environment's network, and in it a Docker daemon of its own.
//!
//! Trove's guest starts the container `database` on the network of its VM. So each node here has its own daemon, in the
//! network namespace of a container that only holds it: `--network host` means the node's network, every node has its
//! own `database`, and a daemon can be restarted without anybody else noticing. The agent runs on the test machine, in
//! that network namespace, as it runs on a VM: beside the daemon, outside of the containers.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::container::Container;
use super::docker::Docker;
use super::ground::{Ground, Identity};
use super::sweep::CGROUP;
use k2hdkc_simulators::node::wait_for;

/// A VM. Dropped, its daemon is killed; the ground takes the rest away.
#[derive(Debug)]
pub struct Vm {
    identity: Identity,
    network: Container,
    docker: Docker,
    dir: PathBuf,
    cgroup: String,
    daemon: Option<Child>,
}

impl Vm {
    /// Boots it: the namespace, and the daemon without any image.
    pub fn boot(ground: &Ground, number: u32) -> io::Result<Self> {
        let identity = ground.identity(number);
        let network = ground.run(number, &[], &["sleep", "infinity"])?;
        let dir = ground.dir().join(&identity.host);
        fs::create_dir_all(&dir)?;
        let docker = Docker::at(&dir.join("docker.sock"));
        let cgroup = format!("/{CGROUP}/{}/{}", ground.name(), identity.host);
        let mut vm = Self { identity, network, docker, dir, cgroup, daemon: None };
        vm.start_daemon()?;
        Ok(vm)
    }

    /// The identity of the sender.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The daemon's client.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// The directory on the test machine.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the log of its daemon.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("dockerd.log")).unwrap_or_default()
    }

    /// The container that holds its network: what is asked in there is asked from the VM.
    pub fn network(&self) -> &Container {
        &self.network
    }

    /// Sends a command to this node's control port, from the VM.
    pub fn control(&self, command: &str) -> io::Result<String> {
        self.network.ask(&self.identity.address, self.identity.ctlport(), command)
    }

    /// The words that start a program in its network, with `DOCKER_HOST` set to its daemon.
    pub fn enter(&self) -> io::Result<Vec<OsString>> {
        let host = self.docker.host().unwrap_or_default();
        let network = format!("--net=/proc/{}/ns/net", self.network.host_pid()?);
        Ok(vec![
            "/usr/bin/env".into(),
            format!("DOCKER_HOST={host}").into(),
            "nsenter".into(),
            network.into(),
        ])
    }

    /// Starts the daemon and waits until it answers; how long that took.
    pub fn start_daemon(&mut self) -> io::Result<Duration> {
        let begun = Instant::now();
        let words = self.enter()?;
        let path = |name: &str| self.dir.join(name);
        let log = File::options().create(true).append(true).open(path("dockerd.log"))?;
        let mut command = Command::new(&words[2]);
        command.args(&words[3..]).arg("dockerd");
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command
            .arg("--pidfile")
            .arg(path("dockerd.pid"))
            .arg("--config-file")
            .arg(empty(&path("daemon.json"))?);
        command.arg("--host").arg(self.docker.host().unwrap_or_default());
        // Its containers have the node's network, so it needs none of its own.
        command.args(["--bridge", "none", "--iptables=false", "--ip-masq=false"]);
        command.args(["--cgroup-parent", &self.cgroup, "--shutdown-timeout", "1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn()?);
        let answers = || self.docker.run(["version", "--format", "{{.Server.Version}}"]).is_ok();
        if !wait_for(super::PATIENCE, answers) {
            return Err(io::Error::other(format!("no dockerd on {}: {}", self.identity.host, self.log())));
        }
        Ok(begun.elapsed())
    }

    /// Ends the daemon, and with it, as without live-restore, its containers.
    pub fn stop_daemon(&mut self) -> io::Result<()> {
        self.end_daemon(Signal::SIGTERM)
    }

    /// Kills the daemon alone. What becomes of its containers is the next one's business: Docker 20.10 did not start
    /// them again.
    pub fn kill_daemon(&mut self) -> io::Result<()> {
        self.end_daemon(Signal::SIGKILL)
    }

    fn end_daemon(&mut self, signal: Signal) -> io::Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        kill(Pid::from_raw(i32::try_from(daemon.id()).map_err(io::Error::other)?), signal)?;
        let ended = wait_for(super::PATIENCE, || !matches!(daemon.try_wait(), Ok(None)));
        if !ended {
            return Err(io::Error::other(format!("dockerd does not end: {}", self.log())));
        }
        self.forget_containerd()
    }

    /// containerd is killed with its dockerd, and where nobody reaps it, the next dockerd takes its remains for a
    /// running one and waits for it in vain. So its pid file goes when it is dead.
    fn forget_containerd(&self) -> io::Result<()> {
        let file = self.dir.join("exec/containerd/containerd.pid");
        let Ok(pid) = fs::read_to_string(&file) else { return Ok(()) };
        let line = PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
        if !wait_for(super::PATIENCE, || fs::read(&line).unwrap_or_default().is_empty()) {
            return Err(io::Error::other("containerd does not end with its dockerd"));
        }
        fs::remove_file(file)
    }
}

fn empty(path: &Path) -> io::Result<&Path> {
    use std::io::Write as _;
    File::options().write(true).create(true).truncate(true).open(path)?.write_all(b"{}\n")?;
    Ok(path)
}

impl Drop for Vm {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // The ground ends what it leaves.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
