//! A container, and what a suite asks of it and does to it.

use std::io;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use super::docker::Docker;
use k2hdkc_simulators::node::wait_for;

/// A container by its name; dropped, it goes on.
#[derive(Debug, Clone)]
pub struct Container {
    docker: Docker,
    name: String,
}

/// A process and its name, as the kernel has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The number inside.
    pub pid: u32,
    /// The number of its parent.
    pub parent: u32,
    /// The name.
    pub comm: String,
    /// The name of its user.
    pub user: String,
}

impl Container {
    /// Names that container of that daemon.
    pub fn new(docker: &Docker, name: &str) -> Self {
        Self { docker: docker.clone(), name: name.to_owned() }
    }

    /// The daemon.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program inside, as the container's user, to whatever end.
    pub fn output(&self, words: &[&str]) -> io::Result<Output> {
        self.docker.output(["exec", &self.name].iter().chain(words))
    }

    /// Runs it and gives what it printed; another end than success is an error.
    pub fn exec(&self, words: &[&str]) -> io::Result<String> {
        self.docker.run(["exec", &self.name].iter().chain(words))
    }

    /// The same as root.
    pub fn exec_as_root(&self, words: &[&str]) -> io::Result<String> {
        self.docker.run(["exec", "--user", "0:0", &self.name].iter().chain(words))
    }

    /// The same with something to read.
    pub fn feed(&self, words: &[&str], input: &str) -> io::Result<String> {
        self.docker.feed(["exec", "--interactive", &self.name].iter().chain(words), input)
    }

    /// A file's text, to the last byte.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let output = self.output(&["cat", path])?;
        if output.status.success() {
            return String::from_utf8(output.stdout).map_err(io::Error::other);
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Puts a file in place by rename; its directory is made.
    pub fn put(&self, path: &str, text: &str) -> io::Result<()> {
        let script = r#"mkdir -p "$(dirname "$1")" && cat >"$1.next" && mv -f "$1.next" "$1""#;
        self.feed(&["sh", "-c", script, "put", path], text).map(drop)
    }

    /// The processes. Only such programs as run inside at this moment are missing.
    pub fn processes(&self) -> io::Result<Vec<Process>> {
        let text = self.exec(&["ps", "-e", "-o", "pid=,ppid=,user=,comm="])?;
        let row = |line: &str| {
            let mut words = line.split_whitespace();
            let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let (user, comm) = (words.next()?.to_owned(), words.next()?.to_owned());
            Some(Process { pid, parent, comm, user })
        };
        Ok(text.lines().filter_map(row).collect())
    }

    /// The processes of that name; none where nothing can be asked.
    pub fn pids(&self, comm: &str) -> Vec<u32> {
        let all = self.processes().unwrap_or_default();
        all.into_iter().filter(|process| process.comm == comm).map(|process| process.pid).collect()
    }

    /// The first process of that name.
    pub fn pid(&self, comm: &str) -> Option<u32> {
        self.pids(comm).first().copied()
    }

    /// When a process started, in clock ticks since the machine did.
    pub fn started(&self, pid: u32) -> io::Result<u64> {
        let stat = self.read(&format!("/proc/{pid}/stat"))?;
        // The name in it may have blanks. Field 22 of all is the 20th behind it.
        let ticks = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok());
        ticks.ok_or_else(|| io::Error::other(format!("not understood: {stat}")))
    }

    /// Waits until a process of that name runs that is not `old`.
    pub fn runs(&self, comm: &str, old: Option<u32>, within: Duration) -> io::Result<u32> {
        let mut found = None;
        wait_for(within, || {
            found = self.pids(comm).into_iter().find(|pid| Some(*pid) != old);
            found.is_some()
        });
        found.ok_or_else(|| io::Error::other(format!("no new {comm} in {} within {within:?}", self.name)))
    }

    /// The names of a process's parent, its parent's parent and so on.
    pub fn ancestors(&self, pid: u32) -> io::Result<Vec<String>> {
        let all = self.processes()?;
        let find = |pid: u32| all.iter().find(|process| process.pid == pid);
        let parent = |process: &&Process| find(process.parent);
        let line = std::iter::successors(find(pid), parent);
        Ok(line.skip(1).map(|process| process.comm.clone()).collect())
    }

    /// Sends all processes of that name a signal; which ones that were.
    pub fn kill(&self, comm: &str, signal: &str) -> io::Result<Vec<u32>> {
        let pids = self.pids(comm);
        if pids.is_empty() {
            return Err(io::Error::other(format!("no {comm} runs in {}", self.name)));
        }
        let words: Vec<String> = pids.iter().map(u32::to_string).collect();
        let mut command = vec!["kill", "-s", signal];
        command.extend(words.iter().map(String::as_str));
        self.exec_as_root(&command)?;
        Ok(pids)
    }

    /// Sends a command to a control port, from inside this container, and reads the answer to its end.
    ///
    /// Not from the test machine, whose address is in no ini: a question from such a one makes a server swallow the
    /// reload of that moment (chmpx.md 2.4).
    pub fn ask(&self, address: &str, ctlport: u16, command: &str) -> io::Result<String> {
        let script = r#"exec 3<>"/dev/tcp/$1/$2" && printf %s "$3" >&3 && cat <&3"#;
        self.exec(&["timeout", "10", "bash", "-c", script, "ask", address, &ctlport.to_string(), command])
    }

    /// The number on this machine's side of the process tree, whose namespaces are the container's.
    pub fn host_pid(&self) -> io::Result<u32> {
        let text = self.inspect("{{.State.Pid}}")?;
        text.parse()
            .ok()
            .filter(|pid| *pid != 0)
            .ok_or_else(|| io::Error::other("the container does not run"))
    }

    /// Returns the path of its files on this machine, as long as its first process runs: to look often without a program inside.
    pub fn root(&self) -> io::Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root", self.host_pid()?)))
    }

    /// `docker inspect` of it.
    pub fn inspect(&self, format: &str) -> io::Result<String> {
        self.docker.run(["inspect", "--format", format, &self.name])
    }

    /// Freezes everything in it.
    pub fn pause(&self) -> io::Result<()> {
        self.docker.run(["pause", &self.name]).map(drop)
    }

    /// Lets it go on.
    pub fn unpause(&self) -> io::Result<()> {
        self.docker.run(["unpause", &self.name]).map(drop)
    }

    /// Ends everything in it at once, and starts it again: what was on its disk is there.
    pub fn power_cut(&self) -> io::Result<()> {
        self.docker.run(["kill", &self.name])?;
        self.start()
    }

    /// Starts it after its end.
    pub fn start(&self) -> io::Result<()> {
        self.docker.run(["start", &self.name]).map(drop)
    }

    /// Checks whether its first process runs.
    pub fn is_running(&self) -> bool {
        self.inspect("{{.State.Running}}").is_ok_and(|running| running.trim() == "true")
    }

    /// Takes it away, its processes killed.
    pub fn remove(&self) -> io::Result<()> {
        self.docker.run(["rm", "--force", "--volumes", &self.name]).map(drop)
    }

    /// Reads the output of its first process.
    pub fn log(&self) -> String {
        let output = self.docker.output(["logs", &self.name]);
        output
            .map(|output| {
                String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr)
            })
            .unwrap_or_default()
    }
}
