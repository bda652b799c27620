//! A VM for user-data: a directory in place of its root, and programs that write down how they were called. Only those on its
//! PATH are there, so nothing of the test's machine is installed or started.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use k2hdkc_tests::testbed::Testbed;
use tempfile::TempDir;

/// The programs that the script may count on, each of which is taken away in turn; the scripts in place of programs need more.
pub(crate) const TOOLS: &[&str] =
    &["cat", "chmod", "curl", "mkdir", "mktemp", "mv", "rm", "sha256sum", "uname"];
/// The paths of the script that lead out of the directory; it has no others.
const PATHS: &[&str] = &[
    "/etc/antpickax",
    "/var/lib/cloud/data",
    "/var/lib/k2hdkc-agent",
    "/etc/resolv.conf",
    "/proc/sys/kernel/hostname",
    "/run/systemd/system",
];
/// Puts the agent in place, as a package does.
const BRING: &str = "cp \"$root/agent\" \"$root/bin/k2hdkc-agent\"\n";
/// As long as `outage` has lines, each attempt to install takes one and fails; an update never does.
const APT: &str = "case \"$*\" in *' install '*) ;; *) echo 'W: Failed to fetch' >&2; exit 0 ;; esac
[ ! -s \"$root/outage\" ] || { sed -i 1d \"$root/outage\"; exit 100; }
for name; do :; done
case $name in
/*) [ -s \"$name\" ] || exit 100; cp \"$name\" \"$root/package\" ;;
curl) ln -s \"$root/curl\" \"$root/bin/curl\"; exit 0 ;;
*) grep -q -x \"$name\" \"$root/repository\" || { echo \"E: Unable to locate package $name\" >&2; exit 100; } ;;
esac\n";
const SUDO: &str = "[ \"$1\" = -- ] && shift\nFAKE_UID=0 exec \"$@\"\n";

/// The shells that cloud images have as /bin/sh, as far as they are here.
pub(crate) fn shells() -> Vec<PathBuf> {
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap();
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
    };
    let shells: Vec<PathBuf> = ["dash", "busybox", "bash"].into_iter().filter_map(found).collect();
    assert!(!shells.is_empty(), "there is neither dash nor busybox nor bash");
    shells
}

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The status.
    pub(crate) code: i32,
    /// The last line of what it said, on either stream.
    pub(crate) last: String,
    /// The whole output.
    pub(crate) said: String,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Vm {
    root: TempDir,
    script: PathBuf,
    uid: u32,
    umask: &'static str,
}

impl Vm {
    /// A VM with systemd, apt and nothing of the cluster, and K2HR3's user-data for a server node in it.
    pub(crate) fn new(testbed: &Testbed, shell: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        let script = root.path().join("k2hr3-init.sh");
        let vm = Self { root, script, uid: 0, umask: "022" };
        for directory in ["bin", "etc", "run/systemd/system", "var/lib/cloud/data", "tmp"] {
            fs::create_dir_all(vm.path(directory)).unwrap();
        }
        vm.write("var/lib/cloud/data/instance-id", "8f7d-11\n");
        vm.write("etc/resolv.conf", "nameserver 192.0.2.1\nsearch novalocal example.com\n");
        vm.write("repository", "k2hdkc-agent\n");
        vm.lay_out_programs(shell);
        vm.write("k2hr3-init.sh", &vm.moved(&user_data(testbed)));
        vm
    }

    fn lay_out_programs(&self, shell: &Path) {
        symlink(shell, self.path("bin/sh")).unwrap();
        for tool in TOOLS.iter().chain(&["cp", "ln", "grep", "sed"]) {
            let places = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
            let place = places.iter().find(|place| place.is_file()).unwrap();
            symlink(place, self.path("bin").join(tool)).unwrap();
        }
        symlink(fs::read_link(self.path("bin/curl")).unwrap(), self.path("curl")).unwrap();
        self.program("apt-get", &format!("{APT}{BRING}"));
        for (name, text) in [("systemctl", ""), ("sleep", ""), ("sudo", SUDO)] {
            self.program(name, text);
        }
        self.quiet_program("bin/id", "echo \"${FAKE_UID:?}\"\n");
        self.name("vm11");
        self.agent("");
    }

    /// The host's name, for the kernel and for `uname -n`; there is no program `hostname`.
    pub(crate) fn name(&self, name: &str) {
        fs::create_dir_all(self.path("proc/sys/kernel")).unwrap();
        self.write("proc/sys/kernel/hostname", &format!("{name}\n"));
        let _ = fs::remove_file(self.path("bin/uname"));
        self.quiet_program("bin/uname", &format!("[ \"$1\" = -n ] && echo '{name}'\n"));
    }

    /// The agent that a package brings, with something that it does.
    pub(crate) fn agent(&self, text: &str) {
        self.quiet_program("agent", &format!("echo \"k2hdkc-agent $*\" >>\"$root/calls\"\n{text}"));
    }

    /// A program on its PATH that writes its call down.
    pub(crate) fn program(&self, name: &str, text: &str) {
        self.quiet_program(&format!("bin/{name}"), &format!("echo \"{name} $*\" >>\"$root/calls\"\n{text}"));
    }

    fn quiet_program(&self, path: &str, text: &str) {
        self.write(path, &format!("#!/bin/sh\nroot={}\n{text}", self.root.path().display()));
        fs::set_permissions(self.path(path), Permissions::from_mode(0o755)).unwrap();
    }

    /// A program is not there any more.
    pub(crate) fn without(self, name: &str) -> Self {
        fs::remove_file(self.path("bin").join(name)).unwrap();
        self
    }

    /// A container: no systemd runs.
    pub(crate) fn without_systemd(self) -> Self {
        fs::remove_dir(self.path("run/systemd/system")).unwrap();
        self
    }

    /// The user who runs the script is not root.
    pub(crate) fn of_user(mut self) -> Self {
        self.uid = 1000;
        self
    }

    /// Files are made with less than usual.
    pub(crate) fn with_umask(mut self, umask: &'static str) -> Self {
        self.umask = umask;
        self
    }

    /// Runs the script.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(self.path("bin/sh"));
        command.args(["-c", "umask \"$0\"; exec sh \"$@\"", self.umask]).arg(&self.script).args(words);
        self.ended(command)
    }

    /// Runs a line of its shell.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        let mut command = Command::new(self.path("bin/sh"));
        command.args(["-c", line]);
        self.ended(command)
    }

    fn ended(&self, mut command: Command) -> Ended {
        command.env_clear().env("PATH", self.path("bin"));
        command.env("FAKE_UID", self.uid.to_string()).env("TMPDIR", self.path("tmp"));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, errors) = (text(&output.stdout), text(&output.stderr));
        let last = if output.status.success() { &out } else { &errors };
        Ended {
            code: output.status.code().unwrap_or(-1),
            last: last.lines().next_back().unwrap_or_default().to_owned(),
            said: format!("{out}{errors}"),
        }
    }

    /// Takes the calls so far, without the pauses.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        self.write("calls", "");
        calls.lines().map(|call| call.replace(&self.root.path().display().to_string(), "")).collect()
    }

    /// A path of the VM.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A file of it.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Writes one.
    pub(crate) fn write(&self, path: &str, text: &str) {
        put(&self.path(path), text);
    }

    /// The mode of one.
    pub(crate) fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }

    /// Lists a directory.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The script with its paths below the VM's root.
    fn moved(&self, script: &str) -> String {
        PATHS.iter().fold(script.to_owned(), |script, path| {
            assert_eq!(
                script.matches(&format!("={path}")).count(),
                1,
                "{path} is named once, in an assignment"
            );
            script.replace(&format!("={path}"), &format!("={}{path}", self.root.path().display()))
        })
    }
}

/// Writes a file that nobody watches.
pub(crate) fn put(path: &Path, text: &str) {
    fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap();
}

/// The script as the VM of a server node gets it.
pub(crate) fn user_data(testbed: &Testbed) -> String {
    let path = testbed.lab().register_path(&testbed.cluster().server_token).unwrap();
    let url = format!("http://{}/v1/extdata/trove/{path}", testbed.address());
    let output = Command::new("curl")
        .args(["--fail", "--silent", "--user-agent", "extdata_k2hr3_trove", &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
