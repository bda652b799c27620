//! Environment B: nodes as Trove makes them, chmpx and k2hdkc in containers on the network of their VM; see [`Vm`].
//!
//! [`Layout::Database`] is Trove's: one container `database` with both programs below a shell that rewrites the ini.
//! [`Layout::Split`] has a container for each program, which share a directory with the ini, one with the data, and
//! `/dev/shm` with the message queues. Slaves are what Trove gives: a VM where nothing was started.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use super::container::Container;
use super::ground::Ground;
use super::systemd::{INI, scripts};
use super::vm::Vm;
use super::{asset, say};
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::{self, Plan};

/// The name of the image in the nodes' daemons: the family that Trove's guest is configured with.
pub const IMAGE: &str = "antpickax/k2hdkc-trove:1.0.5-environment";
/// The image's override.conf: upstream's with the edits of its build (dbaas.md 4.3).
const OVERRIDE: &str = "\
k2hr3-get-resource-helper.conf:OUTPUT_FILE              = k2hdkc.ini
k2hr3-get-resource-helper.conf:USE_DAEMON               = false
chmpx-service-helper.conf:CHMPX_INI_CONF_FILE           = k2hdkc.ini
chmpx-service-helper.conf:SUBPROCESS_USER               = database
chmpx-service-helper.conf:SUBPROCESS_OPTIONS            = -d err
k2hdkc-service-helper.conf:K2HDKC_INI_CONF_FILE         = k2hdkc.ini
k2hdkc-service-helper.conf:SUBPROCESS_USER              = database
k2hdkc-service-helper.conf:SUBPROCESS_OPTIONS           = -d err
k2hdkc-service-helper.conf:WAIT_DEPENDPROC_PIDFILE      =
";
/// The uid and gid of the image's user.
pub const USER: u32 = 1001;

/// Which containers a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `database`
    Database,
    /// `chmpx` and `k2hdkc`
    Split,
}

/// The environment. Dropped, it is gone.
#[derive(Debug)]
pub struct Environment {
    layout: Layout,
    second: String,
    servers: BTreeMap<u32, Server>,
    slaves: BTreeMap<u32, Container>,
    ground: Ground,
}

/// A server: its VM, and containers on it.
#[derive(Debug)]
pub struct Server {
    vm: Vm,
    containers: Vec<(&'static str, Vec<String>)>,
}

impl Environment {
    /// Servers 1 to `servers` with their containers started, and slaves 100 on where nothing runs.
    ///
    /// In a `database` each registers itself; elsewhere all are in their roles before the first ini is fetched.
    /// `second` is how long a second of the image's script and helpers is, in seconds.
    pub fn start(layout: Layout, second: f64, servers: u32, slaves: u32) -> io::Result<Self> {
        let (begun, ground) = (Instant::now(), Ground::open()?);
        let mut environment = Self {
            layout,
            second: second.to_string(),
            servers: BTreeMap::new(),
            slaves: BTreeMap::new(),
            ground,
        };
        (100..100 + slaves).try_for_each(|number| environment.add_slave(number))?;
        environment.boot(&(1..=servers).collect::<Vec<_>>())?;
        say(&format!("{servers} nodes with Docker after {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(environment)
    }

    /// A more server.
    pub fn add_server(&mut self, number: u32) -> io::Result<()> {
        self.boot(&[number])
    }

    /// Boots VMs side by side: an import of the image takes some seconds.
    fn boot(&mut self, numbers: &[u32]) -> io::Result<()> {
        if self.layout == Layout::Split {
            for number in numbers {
                self.ground.register(*number);
            }
        }
        let environment = &*self;
        let booted: Vec<io::Result<Server>> = thread::scope(|scope| {
            let threads: Vec<_> =
                numbers.iter().map(|number| scope.spawn(|| environment.server_of(*number))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a boot panicked"))))
                .collect()
        });
        for (number, server) in numbers.iter().zip(booted) {
            self.servers.insert(*number, server?);
        }
        numbers.iter().try_for_each(|number| self.server(*number).create())
    }

    fn server_of(&self, number: u32) -> io::Result<Server> {
        let vm = Vm::boot(&self.ground, number)?;
        let tarball = self.ground.base().tarball.display().to_string();
        let user = format!("USER {USER}:{USER}");
        let entry = r#"ENTRYPOINT ["/usr/libexec/k2hdkctrove.sh"]"#;
        vm.docker().run(["import", "--change", entry, "--change", &user, &tarball, IMAGE])?;
        let containers = match self.layout {
            Layout::Database => vec![("database", self.database(&vm)?)],
            Layout::Split => self.split(&vm)?,
        };
        Ok(Server { vm, containers })
    }

    /// Lists the options of all containers of a VM.
    fn common(&self, vm: &Vm) -> io::Result<Vec<String>> {
        let identity = vm.identity();
        let mut words =
            vec!["--network".to_owned(), "host".into(), "--restart".into(), "unless-stopped".into()];
        words.extend(["--hostname".into(), identity.host.clone()]);
        words.extend(["--add-host".into(), format!("{}:{}", identity.host, identity.address)]);
        words.extend(["-e".into(), format!("ENVIRONMENT_SECOND={}", self.second)]);
        words.extend(["-v".into(), simulators()?]);
        words.extend(scripts());
        Ok(words)
    }

    /// Runs `database` as Trove's guest does.
    fn database(&self, vm: &Vm) -> io::Result<Vec<String>> {
        let data = directory(&vm.dir().join("cloud-data"))?;
        put(&data.join("instance-id"), &vm.identity().cuk)?;
        let k2hdkc = directory(&vm.dir().join("k2hdkc"))?;
        let mut words = self.common(vm)?;
        words.extend(["--user".into(), format!("{USER}:{USER}")]);
        words.extend(["-v".into(), format!("{}:/var/lib/cloud/data:rw", data.display())]);
        words.extend(["-v".into(), format!("{}:/var/lib/antpickax/k2hdkc:rw", k2hdkc.display())]);
        let token = self.ground.role(vm.identity().number).1;
        let path = self.ground.lab().register_path(token).unwrap_or_default();
        let extdata = format!("{}/v1/extdata/trove/{path}", self.ground.api_uri());
        for (key, value) in [
            ("cluster-name", "mycluster"),
            ("extdata-url", &*extdata),
            ("chmpx-server-port", "8020"),
            ("chmpx-server-ctlport", "8021"),
            ("chmpx-slave-ctlport", "8031"),
        ] {
            words.extend(["-e".into(), format!("{key}={value}")]);
            words.extend(["-e".into(), format!("{}={value}", key.replace('-', "_"))]);
        }
        words.push(IMAGE.into());
        Ok(words)
    }

    /// A container for each program. What they share is on the VM.
    fn split(&self, vm: &Vm) -> io::Result<Vec<(&'static str, Vec<String>)>> {
        let etc = directory(&vm.dir().join("antpickax"))?;
        let lib = directory(&vm.dir().join("lib-antpickax"))?;
        directory(&lib.join("k2hdkc"))?;
        directory(&lib.join("k2hdkc/data"))?;
        let data = directory(&vm.dir().join("cloud-data"))?;
        put(&data.join("instance-id"), &vm.identity().cuk)?;
        let (role, token) = self.ground.role(vm.identity().number);
        put(&etc.join("k2hr3-api-uri"), &self.ground.api_uri())?;
        put(&etc.join("k2hr3-role-name"), role)?;
        put(&etc.join("k2hr3-role-token"), token)?;
        put(&etc.join("override.conf"), &fs::read_to_string(asset("override.conf"))?)?;
        let mut words = self.common(vm)?;
        for (from, to) in
            [(&etc, "/etc/antpickax"), (&lib, "/var/lib/antpickax"), (&data, "/var/lib/cloud/data")]
        {
            words.extend(["-v".into(), format!("{}:{to}:rw", from.display())]);
        }
        // One poll of the incumbent leaves the first ini, as an init container does.
        let once = words.iter().filter(|word| !["--restart", "unless-stopped"].contains(&word.as_str()));
        let poll =
            ["--rm", "--entrypoint", "/usr/libexec/k2hr3-get-resource-helper", IMAGE].map(str::to_owned);
        vm.docker().run(["run".to_owned()].iter().chain(once).chain(&poll))?;
        let program = |name: &'static str, ipc: &str, options: &[&str]| {
            let mut words = words.clone();
            words.extend(["--ipc".into(), ipc.into(), "--entrypoint".into(), format!("/usr/bin/{name}")]);
            words.extend(
                [IMAGE, "-conf", INI, "-d", "err"].iter().chain(options).map(|&word| word.to_owned()),
            );
            (name, words)
        };
        Ok(vec![
            program("chmpx", "shareable", &[]),
            program("k2hdkc", "container:chmpx", &["-no_giveup_rejoin"]),
        ])
    }

    /// A more slave VM; it is in its role, and has the files of its user-data, but nothing runs.
    pub fn add_slave(&mut self, number: u32) -> io::Result<()> {
        self.ground.register(number);
        let mut options = vec!["-v".to_owned(), simulators()?];
        options.extend(scripts());
        let slave = self.ground.run(number, &options, &["sleep", "infinity"])?;
        let (role, token) = self.ground.role(number);
        for (path, text) in [
            ("/etc/antpickax/k2hr3-api-uri", &*self.ground.api_uri()),
            ("/etc/antpickax/k2hr3-role-name", role),
            ("/etc/antpickax/k2hr3-role-token", token),
            ("/etc/antpickax/override.conf", &fs::read_to_string(asset("override.conf"))?),
            ("/var/lib/cloud/data/instance-id", &self.ground.identity(number).cuk),
        ] {
            slave.put(path, text)?;
        }
        self.slaves.insert(number, slave);
        Ok(())
    }

    /// Does what an operator does by hand on a slave: fetches the ini and starts chmpx in the background.
    pub fn start_slave(&self, number: u32) -> io::Result<()> {
        let slave = self.slave(number);
        slave.exec(&["/usr/libexec/k2hr3-get-resource-helper"])?;
        let words = ["exec", "--detach", slave.name(), "chmpx", "-conf", INI, "-d", "err"];
        slave.docker().run(words).map(drop)
    }

    /// Returns its ground: K2HR3, addresses, roles.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The server.
    pub fn server(&self, number: u32) -> &Server {
        &self.servers[&number]
    }

    /// The server, to restart its daemon.
    pub fn server_mut(&mut self, number: u32) -> Option<&mut Server> {
        self.servers.get_mut(&number)
    }

    /// The slave's VM.
    pub fn slave(&self, number: u32) -> &Container {
        &self.slaves[&number]
    }

    /// An agent for that server, on its VM, with `DOCKER_HOST` set; not started.
    pub fn agent(&self, number: u32, config: &str) -> io::Result<node::Node> {
        let (server, (role, token)) = (self.server(number), self.ground.role(number));
        let identity = server.vm.identity();
        let plan = Plan {
            api_uri: self.ground.api_uri(),
            role: role.to_owned(),
            token: Some(token.to_owned()),
            address: identity.address.clone(),
            cuk: identity.cuk.clone(),
            config: config.to_owned(),
        };
        let mut agent = node::Node::new(&server.vm.dir().join("agent"), plan)?;
        agent.enter_by(server.vm.enter()?);
        Ok(agent)
    }
}

impl Server {
    /// The container `database`.
    pub fn database(&self) -> Container {
        self.container("database")
    }

    /// A container of that name.
    pub fn container(&self, name: &str) -> Container {
        Container::new(self.vm.docker(), name)
    }

    /// The VM.
    pub fn vm(&self) -> &Vm {
        &self.vm
    }

    /// The VM, to restart the daemon.
    pub fn vm_mut(&mut self) -> &mut Vm {
        &mut self.vm
    }

    /// Returns the path of its containers' `/etc/antpickax` on the VM; only with [`Layout::Split`].
    pub fn shared_etc(&self) -> PathBuf {
        self.vm.dir().join("antpickax")
    }

    /// Starts its containers.
    pub fn create(&self) -> io::Result<()> {
        for (name, words) in &self.containers {
            let head = ["create", "--name", name].map(str::to_owned);
            self.vm.docker().run(head.iter().chain(words))?;
            if *name == "database" {
                self.furnish(name)?;
            }
            self.vm.docker().run(["start", name])?;
        }
        Ok(())
    }

    /// Takes back what was edited in the helpers' settings of `database`, as somebody may who does not know why.
    pub fn restore_settings(&self) -> io::Result<()> {
        self.furnish("database")
    }

    /// Puts into a container what is in Trove's image besides.
    fn furnish(&self, name: &str) -> io::Result<()> {
        let conf = self.vm.dir().join("override.conf");
        put(&conf, OVERRIDE)?;
        let (from, to) = (conf.display().to_string(), format!("{name}:/etc/antpickax/override.conf"));
        self.vm.docker().run(["cp", &from, &to]).map(drop)
    }

    /// Takes its containers away; volumes and shared directories stay.
    pub fn remove(&self) -> io::Result<()> {
        self.containers.iter().rev().try_for_each(|(name, _)| self.container(name).remove())
    }

    /// Makes its containers anew, as Trove's rebuild and upgrade do: what was edited inside is lost.
    pub fn recreate(&self) -> io::Result<()> {
        self.remove()?;
        self.create()
    }
}

fn simulators() -> io::Result<String> {
    Ok(format!("{}:/opt/k2hdkc/simulators:ro", binaries::simulators()?.display()))
}

/// A directory of the image's user, open to everybody as the real ones are.
fn directory(path: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(path)?;
    chown(path, Some(USER), Some(USER))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    Ok(path.to_owned())
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs::File::options().write(true).create(true).truncate(true).open(path)?.write_all(text.as_bytes())?;
    chown(path, Some(USER), Some(USER))
}
