//! Processes found: in a `/proc` that the test makes, and real ones.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// A `/proc` with an ini beside it.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        for directory in ["etc", "proc/self/ns", "proc/sys"] {
            fs::create_dir_all(host.at(directory)).unwrap();
        }
        symlink("mnt:[1]", host.at("proc/self/ns/mnt")).unwrap();
        host.put("etc/k2hdkc.ini", b"");
        host
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn ini(&self) -> PathBuf {
        self.at("etc/k2hdkc.ini")
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        fs::File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .open(self.at(path))
            .unwrap()
            .write_all(bytes)
            .unwrap();
    }

    /// A chmpx that sleeps since tick 40 and was started as `chmpx -d err -conf <ini>`.
    fn chmpx(&self, pid: u32, ini: &Path) {
        fs::create_dir_all(self.at(&format!("proc/{pid}/ns"))).unwrap();
        symlink("mnt:[1]", self.at(&format!("proc/{pid}/ns/mnt"))).unwrap();
        self.set(pid, "comm", b"chmpx\n");
        self.set(pid, "environ", b"");
        self.set(pid, "cmdline", format!("chmpx\0-d\0err\0-CONF\0{}\0", ini.display()).as_bytes());
        self.stat(pid, 'S', 40);
    }

    fn set(&self, pid: u32, file: &str, bytes: &[u8]) {
        self.put(&format!("proc/{pid}/{file}"), bytes);
    }

    fn stat(&self, pid: u32, state: char, ticks: u64) {
        self.set(
            pid,
            "stat",
            format!("{pid} (chmpx) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 {ticks} 20")
                .as_bytes(),
        );
    }

    fn remove(&self, pid: u32, file: &str) {
        fs::remove_file(self.at(&format!("proc/{pid}/{file}"))).unwrap();
    }

    fn pids(&self) -> Vec<u32> {
        processes_in(&self.at("proc"), Program::Chmpx, "chmpx", &self.ini()).iter().map(|id| id.pid).collect()
    }
}

#[test]
fn all_that_read_the_ini_are_found_the_oldest_first() {
    let host = Host::new();
    for (pid, ticks) in [(30, 70), (7, 90), (400, 20)] {
        host.chmpx(pid, &host.ini());
        host.stat(pid, 'S', ticks);
    }
    host.chmpx(8, &host.at("etc/another.ini"));
    host.chmpx(9, &host.ini());
    host.set(9, "comm", b"k2hdkc\n");
    assert_eq!(host.pids(), [400, 30, 7]);
}

#[test]
fn what_ended_or_says_no_ini_is_none() {
    let host = Host::new();
    (1..=5).for_each(|pid| host.chmpx(pid, &host.ini()));
    host.stat(1, 'Z', 40);
    host.stat(2, 'X', 40);
    host.set(3, "cmdline", b"");
    host.set(4, "cmdline", b"chmpx\0-conf\0");
    host.remove(5, "stat");
    assert_eq!(host.pids(), [0; 0]);
}

#[test]
fn a_number_that_was_used_again_is_another_process() {
    let host = Host::new();
    host.chmpx(7, &host.ini());
    let found = |host: &Host| processes_in(&host.at("proc"), Program::Chmpx, "chmpx", &host.ini());
    let before = found(&host);
    host.stat(7, 'S', 41);
    assert_ne!(found(&host), before);
}

#[test]
fn the_ini_is_the_same_by_every_path() {
    let host = Host::new();
    symlink(host.at("etc"), host.at("linked")).unwrap();
    fs::create_dir(host.at("other")).unwrap();
    symlink(host.ini(), host.at("other/linked.ini")).unwrap();
    let paths = ["linked/k2hdkc.ini", "etc/../etc/./k2hdkc.ini", "other/linked.ini"];
    (1..).zip(paths).for_each(|(pid, path)| host.chmpx(pid, &host.at(path)));
    host.chmpx(4, Path::new("k2hdkc.ini"));
    symlink(host.at("etc"), host.at("proc/4/cwd")).unwrap();
    assert_eq!(host.pids(), [1, 2, 3, 4]);
    // Missing at the moment, it is known by its name in its directory.
    fs::remove_file(host.ini()).unwrap();
    assert_eq!(host.pids(), [1, 2, 4]);
}

#[test]
fn it_may_stand_in_the_environment() {
    let host = Host::new();
    host.chmpx(7, &host.ini());
    host.set(7, "cmdline", b"chmpx\0");
    assert_eq!(host.pids(), [0; 0]);
    host.set(7, "environ", format!("A=b\0CHMCONFFILE={}\0", host.ini().display()).as_bytes());
    assert_eq!(host.pids(), [7]);
}

#[test]
fn a_namespace_that_may_not_be_seen_counts_as_ours() {
    let host = Host::new();
    host.chmpx(7, &host.ini());
    host.remove(7, "ns/mnt");
    host.chmpx(8, &host.at("etc/another.ini"));
    host.remove(8, "ns/mnt");
    assert_eq!(host.pids(), [7], "its ini can be seen all the same");
}

#[test]
fn in_another_mount_namespace_the_same_file_is_the_same_ini_and_the_same_path_is_not() {
    let host = Host::new();
    for pid in [7, 8] {
        host.chmpx(pid, Path::new("/etc/k2hdkc.ini"));
        host.remove(pid, "ns/mnt");
        symlink("mnt:[2]", host.at(&format!("proc/{pid}/ns/mnt"))).unwrap();
    }
    symlink(host.at(""), host.at("proc/7/root")).unwrap();
    fs::create_dir_all(host.at("container/etc")).unwrap();
    host.put("container/etc/k2hdkc.ini", b"");
    symlink(host.at("container"), host.at("proc/8/root")).unwrap();
    assert_eq!(host.pids(), [7]);
}

#[test]
fn what_is_hidden_from_the_agent_counts_as_ours() {
    let hidden = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    assert_eq!(Told::unreadable(&hidden), Told::Hidden);
    assert_eq!(Told::unreadable(&std::io::ErrorKind::NotFound.into()), Told::Nothing);
}

/// A real process that is called chmpx and waits until its input ends.
struct Real(Child);

impl Real {
    fn start(host: &Host, before: &[&str]) -> Self {
        let chmpx = host.at("chmpx");
        if !chmpx.exists() {
            symlink("/bin/sh", &chmpx).unwrap();
        }
        let (own, ini) = (chmpx.display().to_string(), host.ini().display().to_string());
        let words = [&own, "-c", "read end", "chmpx", "-conf", &ini];
        let words: Vec<&str> = before.iter().copied().chain(words).collect();
        let mut command = Command::new(words[0]);
        Self(command.args(&words[1..]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn real(host: &Host) -> Vec<ProcessId> {
    processes(Program::Chmpx, "chmpx", &host.ini())
}

/// Looks until it is so.
fn becomes(mut is: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if is() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn a_real_process_is_found_from_its_start_to_its_end() {
    let host = Host::new();
    assert_eq!(real(&host), []);
    let mut chmpx = Real::start(&host, &[]);
    let id = identity(chmpx.0.id()).unwrap();
    assert_eq!(child(chmpx.0.id()), id);
    assert!(becomes(|| real(&host) == [id]), "it gets its name a moment after its start");
    assert_eq!(owner(id.pid), Some(nix::unistd::geteuid()));
    drop(chmpx.0.stdin.take());
    assert!(becomes(|| real(&host).is_empty()), "it is a zombie by now");
    assert_eq!((identity(id.pid), child(id.pid)), (None, id), "still itself for whom it belongs to");
    chmpx.0.wait().unwrap();
    assert_eq!(worked(id.pid), None);
}

#[test]
fn namespaces_of_its_own_hide_no_process_that_reads_the_same_file() {
    let allowed = |flags: &[&str]| {
        let status = Command::new("unshare").args(flags).arg("true").stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    for flags in [&["--net"][..], &["--ipc"], &["--mount"], &["--pid", "--fork", "--kill-child"]] {
        if !allowed(flags) {
            eprintln!("SKIPPED: this host does not let the test unshare {flags:?}");
            continue;
        }
        let host = Host::new();
        let before: Vec<&str> = ["unshare"].iter().chain(flags).copied().collect();
        let _chmpx = Real::start(&host, &before);
        assert!(becomes(|| real(&host).len() == 1), "{flags:?}");
    }
}

#[test]
fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
    let stat = b"7 (a) R (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
    assert_eq!(parse(stat), Some(Stat { state: b'S', worked: 11 + 12, ticks: 4711 }));
    assert_eq!(parse(b"7 (a"), None);
}

#[test]
fn this_process_has_an_identity_and_a_gone_one_has_none() {
    let own = identity(std::process::id()).unwrap();
    assert_eq!(Some(own), identity(std::process::id()));
    assert_eq!(identity(u32::MAX), None);
}

#[test]
fn a_program_is_known_by_its_own_name_and_by_that_of_its_file() {
    let named = |comm, configured| is_named(comm, Program::Chmpx, configured);
    assert!(
        named("chmpx", "/opt/chmpx-1.0.113-patched")
            && named("chmpx-1.0.113-p", "/opt/chmpx-1.0.113-patched")
    );
    assert!(!named("k2hdkc", "chmpx"));
}
