//! Environment A: nodes with a real systemd as their first process, and chmpx and k2hdkc as its units.

mod units;

use std::collections::BTreeMap;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::container::Container;
use super::ground::{Ground, Identity};
use super::{asset, say};
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::wait_for;

/// The path of the live ini on every node.
pub const INI: &str = "/etc/antpickax/k2hdkc.ini";
/// The time that systemd may need; measured: 0.7 s for one, 2 s for four at once.
pub const BOOT: Duration = Duration::from_secs(30);
/// The options that systemd needs, without `--privileged`, and what root has on a VM besides.
const OPTIONS: &str = "--cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_PTRACE --security-opt seccomp=unconfined --cgroupns=host \
     --tmpfs /run --stop-signal SIGRTMIN+3 -v /sys/fs/cgroup:/sys/fs/cgroup:rw";

/// The ways in which units run the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each as the main process of its unit, ended by HUP, never started again by systemd.
    Direct,
    /// As upstream: a helper is the main process, and the program below it, behind `sudo`.
    Helper,
    /// Upstream's units with this repository's drop-ins, which make them run the programs themselves.
    Shipped,
    /// Upstream's units, and nothing of the agent: its package, which is in `/packages`, brings it.
    Packaged,
}

/// The environment. Dropped, it is gone.
#[derive(Debug)]
pub struct Environment {
    shape: Shape,
    second: String,
    nodes: BTreeMap<u32, Node>,
    ground: Ground,
}

/// A node of it: a container, with systemd on top.
#[derive(Debug)]
pub struct Node {
    identity: Identity,
    container: Container,
}

impl Environment {
    /// Servers 1 to `servers` and slaves 100 on, booted and entered into their roles. No unit of theirs runs.
    ///
    /// `second` is how long a second of the helpers is, in seconds: 1.0 for upstream's own times.
    pub fn start(shape: Shape, second: f64, servers: u32, slaves: u32) -> io::Result<Self> {
        let ground = Ground::open()?;
        let mut environment = Self { shape, second: second.to_string(), nodes: BTreeMap::new(), ground };
        let numbers: Vec<u32> = (1..=servers).chain(100..100 + slaves).collect();
        for number in &numbers {
            environment.create(*number)?;
        }
        let begun = Instant::now();
        for number in &numbers {
            environment.node(*number).booted()?;
            environment.furnish(*number)?;
            environment.ground.register(*number);
        }
        say(&format!("{} nodes with systemd after {:.1} s", numbers.len(), begun.elapsed().as_secs_f64()));
        Ok(environment)
    }

    /// A more node, booted and entered into its role.
    pub fn add(&mut self, number: u32) -> io::Result<()> {
        self.create(number)?;
        self.node(number).booted()?;
        self.furnish(number)?;
        self.ground.register(number);
        Ok(())
    }

    /// Takes a node's container away, as the deletion of a VM does; its record in K2HR3 stays.
    pub fn destroy(&mut self, number: u32) -> io::Result<()> {
        self.nodes.remove(&number).map_or(Ok(()), |node| node.container.remove())
    }

    /// Returns its ground: K2HR3, addresses, roles.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The same, to stop K2HR3 and to start it.
    pub fn ground_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }

    /// The node.
    pub fn node(&self, number: u32) -> &Node {
        &self.nodes[&number]
    }

    /// Lists all of them.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> + Clone {
        self.nodes.values()
    }

    fn create(&mut self, number: u32) -> io::Result<()> {
        let mut options = options(self.shape, &self.second)?;
        // A package comes to a VM; but this one is entered by hand.
        if self.shape == Shape::Packaged {
            options.extend(["-v", "/dev/null:/etc/cloud/cloud-init.disabled:ro"].map(str::to_owned));
        }
        let container = self.ground.run_from(self.image(), number, &options, &["/sbin/init"])?;
        self.nodes.insert(number, Node { identity: self.ground.identity(number), container });
        Ok(())
    }

    fn image(&self) -> &str {
        let base = self.ground.base();
        if self.shape == Shape::Packaged { &base.vm } else { &base.name }
    }

    /// Leaves on a node what user-data and packages leave, without an ini.
    fn furnish(&self, number: u32) -> io::Result<()> {
        let (node, (role, token)) = (self.node(number), self.ground.role(number));
        let cuk = &node.identity.cuk;
        let directory = "/etc/antpickax";
        for (name, text) in [
            ("k2hr3-api-uri", &*self.ground.api_uri()),
            ("k2hr3-role-name", role),
            ("k2hr3-role-token", token),
            ("k2hr3-cuk", cuk),
        ] {
            node.put(&format!("{directory}/{name}"), text)?;
        }
        node.put("/var/lib/cloud/data/instance-id", cuk)?;
        node.put(&format!("{directory}/override.conf"), &std::fs::read_to_string(asset("override.conf"))?)?;
        // Upstream's helper makes it for everybody; without one, k2hdkc's user needs it.
        node.exec(&["install", "-d", "-m", "0777", "/var/lib/antpickax/k2hdkc/data"])?;
        if self.shape == Shape::Packaged {
            return Ok(());
        }
        node.put("/etc/k2hdkc-agent/agent.toml", "")
    }
}

/// The options of `docker run` for a node of that shape.
pub(super) fn options(shape: Shape, second: &str) -> io::Result<Vec<String>> {
    let mount = |from: String, to: String| ["-v".to_owned(), format!("{from}:{to}:ro")];
    let mut options: Vec<String> = OPTIONS.split_whitespace().map(str::to_owned).collect();
    options.extend(["-e".to_owned(), format!("ENVIRONMENT_SECOND={second}")]);
    options.extend(mount(binaries::simulators()?.display().to_string(), "/opt/k2hdkc/simulators".into()));
    if shape == Shape::Packaged {
        options.extend(mount(packages().display().to_string(), "/packages".into()));
    } else {
        options.extend(mount(binaries::agent()?.display().to_string(), "/usr/bin/k2hdkc-agent".into()));
    }
    options.extend(scripts());
    options.extend(units::mounts(shape));
    Ok(options)
}

/// Returns the directory in which `packaging/build` puts the packages.
pub fn packages() -> PathBuf {
    asset("../../target/packages")
}

/// The scripts that stand in for upstream's, under upstream's paths.
pub(super) fn scripts() -> Vec<String> {
    let pairs = [
        ("lookup.sh", "k2hdkc-environments/lookup.sh"),
        ("service-helper", "chmpx-service-helper"),
        ("service-helper", "k2hdkc-service-helper"),
        ("get-resource", "k2hr3-get-resource-helper"),
        ("k2hdkctrove.sh", "k2hdkctrove.sh"),
    ];
    let mount = |(from, to): (&str, &str)| {
        let from = asset(&format!("libexec/{from}"));
        ["-v".to_owned(), format!("{}:/usr/libexec/{to}:ro", from.display())]
    };
    pairs.into_iter().flat_map(mount).collect()
}

impl Deref for Node {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.container
    }
}

impl Node {
    /// Makes that node, in that container.
    pub(super) fn new(identity: Identity, container: Container) -> Self {
        Self { identity, container }
    }

    /// The identity of the sender.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The container.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Waits until systemd is through with the boot; whether without a failed unit.
    pub fn booted(&self) -> io::Result<bool> {
        let mut state = String::new();
        let came = wait_for(BOOT, || {
            let output = self.output(&["systemctl", "is-system-running"]);
            state = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
            state == "running" || state == "degraded"
        });
        if came {
            Ok(state == "running")
        } else {
            Err(io::Error::other(format!("systemd is {state:?}: {}", self.log())))
        }
    }

    /// `systemctl` with these words; what it printed.
    pub fn systemctl(&self, words: &[&str]) -> io::Result<String> {
        self.exec(&[&["systemctl"], words].concat())
    }

    /// A property of a unit.
    pub fn show(&self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", "--value", "--property", property, unit]).unwrap_or_default()
    }

    /// Checks whether a unit is `active`, `failed`, `inactive` ...
    pub fn state(&self, unit: &str) -> String {
        self.show(unit, "ActiveState")
    }

    /// Waits for a state of a unit.
    pub fn becomes(&self, unit: &str, state: &str, within: Duration) -> io::Result<()> {
        let came = wait_for(within, || self.state(unit) == state);
        let told = || format!("{unit} is {}, not {state}:\n{}", self.state(unit), self.journal(unit));
        if came { Ok(()) } else { Err(io::Error::other(told())) }
    }

    /// A unit's main process; 0 where it has none.
    pub fn main_pid(&self, unit: &str) -> u32 {
        self.show(unit, "MainPID").parse().unwrap_or_default()
    }

    /// Reads the log of a unit.
    pub fn journal(&self, unit: &str) -> String {
        self.exec(&["journalctl", "--no-pager", "--output", "short-precise", "--unit", unit])
            .unwrap_or_default()
    }

    /// More lines for a unit, in force from the next start on.
    pub fn drop_in(&self, unit: &str, text: &str) -> io::Result<()> {
        self.put(&format!("/etc/systemd/system/{unit}.d/90-environment.conf"), text)?;
        self.systemctl(&["daemon-reload"]).map(drop)
    }

    /// Writes the agent's settings and starts its unit.
    pub fn start_agent(&self, config: &str) -> io::Result<()> {
        self.put("/etc/k2hdkc-agent/agent.toml", config)?;
        self.systemctl(&["start", "k2hdkc-agent.service"]).map(drop)
    }

    /// A poll by the incumbent: how an ini comes to a node that has no agent.
    pub fn fetch_ini(&self) -> io::Result<()> {
        self.exec(&["/usr/libexec/k2hr3-get-resource-helper"]).map(drop)
    }

    /// Sends a command to this node's control port, from this node.
    pub fn control(&self, command: &str) -> io::Result<String> {
        self.ask(&self.identity.address, self.identity.ctlport(), command)
    }

    /// Runs `chmpxstatus -self` on this node.
    pub fn chmpxstatus(&self) -> io::Result<String> {
        self.exec(&["chmpxstatus", "-conf", INI, "-self"])
    }
}
