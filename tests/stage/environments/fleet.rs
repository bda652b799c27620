//! Environment C: VMs of a cloud. Each boots from one image, with cloud-init and upstream's packages in it and nothing of the
//! agent, and becomes a node by its user-data alone: K2HR3 serves that, and the operator's web server the package.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use k2hdkc_agent::admin::{Request, Response, socket};
use k2hdkc_agent::status::Status;

use super::depot::Depot;
use super::docker::told;
use super::ground::Ground;
use super::owner::LABEL;
use super::systemd::{self, Node, Shape};

/// The deadline of the agent's socket.
const ANSWER: Duration = Duration::from_secs(5);

/// The environment. Dropped, it is gone.
#[derive(Debug)]
pub struct Fleet {
    vms: BTreeMap<u32, Vm>,
    images: Vec<String>,
    /// The place of the package.
    package: String,
    _depot: Depot,
    ground: Ground,
}

/// A VM of it.
#[derive(Debug)]
pub struct Vm {
    node: Node,
    /// When its container was started last.
    started: Instant,
    /// The files, as long as that container runs.
    root: PathBuf,
}

impl Fleet {
    /// A cloud without any VM, whose operator has put this package on a web server, and its address and checksum into the
    /// keys of both roles.
    pub fn open(package: &Path) -> io::Result<Self> {
        let ground = Ground::open()?;
        let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = fs::read(package)?;
        let depot = ground.serve(vec![(name.clone(), content)])?;
        let sum = told(Command::new("sha256sum").arg(package).output()?)?;
        let sum = sum.split(' ').next().unwrap_or_default();
        for resource in [&ground.cluster().server_resource, &ground.cluster().slave_resource] {
            ground.lab().set_key(resource, "k2hdkc-agent-package-url", depot.url(&name));
            ground.lab().set_key(resource, "k2hdkc-agent-package-sha256", sum);
        }
        let package = depot.url(&name);
        Ok(Self { vms: BTreeMap::new(), images: Vec::new(), package, _depot: depot, ground })
    }

    /// Starts these VMs, and waits for none of them.
    pub fn boot(&mut self, numbers: &[u32]) -> io::Result<()> {
        let image = self.ground.base().vm.clone();
        numbers.iter().try_for_each(|number| self.boot_from(&image, *number))
    }

    /// Starts another VM from what is on the disk of this one.
    pub fn boot_copy(&mut self, of: u32, number: u32) -> io::Result<()> {
        let image = format!("{}-copy{number}", self.ground.name());
        let label = format!("LABEL {LABEL}=copy");
        self.ground.docker().run(["commit", "--change", &label, self.vm(of).node.name(), &image])?;
        self.images.push(image.clone());
        self.boot_from(&image, number)
    }

    fn boot_from(&mut self, image: &str, number: u32) -> io::Result<()> {
        let identity = self.ground.identity(number);
        let seed = self.ground.dir().join(format!("seed-{}", identity.host));
        self.write_seed(&seed, number)?;
        let mut options = systemd::options(Shape::Packaged, "0.1")?;
        options.extend(["-v".to_owned(), format!("{}:/var/lib/cloud/seed/nocloud:ro", seed.display())]);
        let started = Instant::now();
        let container = self.ground.run_from(image, number, &options, &["/sbin/init"])?;
        let root = container.root()?;
        self.vms.insert(number, Vm { node: Node::new(identity, container), started, root });
        Ok(())
    }

    /// Writes what a cloud hands a VM: its identity, and the address of its user-data. The command line of the DBaaS gives Nova
    /// these two lines.
    fn write_seed(&self, seed: &Path, number: u32) -> io::Result<()> {
        let (identity, (_, token)) = (self.ground.identity(number), self.ground.role(number));
        let path = self.ground.lab().register_path(token).unwrap_or_default();
        fs::create_dir_all(seed)?;
        let meta = format!("instance-id: {}\nlocal-hostname: {}\n", identity.cuk, identity.host);
        put(&seed.join("meta-data"), &meta)?;
        put(&seed.join("user-data"), &format!("#include\n{}/v1/userdata/{path}\n", self.ground.api_uri()))
    }

    /// Ends everything in a VM at once, as a power cut does.
    pub fn cut_power(&self, number: u32) -> io::Result<()> {
        self.ground.docker().run(["kill", self.vm(number).node.name()]).map(drop)
    }

    /// Shuts a VM down in good order, as a reboot does before it comes up again.
    pub fn shut_down(&self, number: u32) -> io::Result<()> {
        self.ground.docker().run(["stop", "--time", "60", self.vm(number).node.name()]).map(drop)
    }

    /// Starts a VM that does not run, from its own disk.
    pub fn start(&mut self, number: u32) -> io::Result<()> {
        let Some(vm) = self.vms.get_mut(&number) else { return Err(io::Error::other("no such VM")) };
        vm.started = Instant::now();
        vm.node.start()?;
        vm.root = vm.node.root()?;
        Ok(())
    }

    /// Deletes a VM.
    pub fn delete(&mut self, number: u32) -> io::Result<()> {
        self.vms.remove(&number).map_or(Ok(()), |vm| vm.node.remove())
    }

    /// Returns its ground: K2HR3, addresses, roles.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The address that the package comes from.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// The VM.
    pub fn vm(&self, number: u32) -> &Vm {
        &self.vms[&number]
    }

    /// The node that it is.
    pub fn node(&self, number: u32) -> &Node {
        &self.vm(number).node
    }

    /// Lists all of them.
    pub fn numbers(&self) -> Vec<u32> {
        self.vms.keys().copied().collect()
    }
}

impl Vm {
    /// When its container was started last.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The address, as a peer of the test's servers.
    pub fn peer(&self) -> Option<IpAddr> {
        self.node.identity().address.parse().ok()
    }

    /// Asks its agent by its socket and without a program inside: it may be asked often while others boot.
    pub fn status(&self) -> Option<Status> {
        use std::io::{Read as _, Write as _};
        let path = socket(&self.root.join("run/k2hdkc-agent"));
        let mut stream = std::os::unix::net::UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(ANSWER)).ok()?;
        let mut line = serde_json::to_vec(&Request::Status).ok()?;
        line.push(b'\n');
        stream.write_all(&line).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        match serde_json::from_slice(&answer).ok()? {
            Response::Status(status) => Some(*status),
            Response::Done(_) | Response::Refused(_) => None,
        }
    }
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs::File::options().write(true).create(true).truncate(true).open(path)?.write_all(text.as_bytes())
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (_, vm) in std::mem::take(&mut self.vms) {
            // The ground takes what stays.
            let _ = vm.node.remove();
        }
        for image in &self.images {
            let _ = self.ground.docker().run(["rmi", "--force", image]);
        }
    }
}
