//! Takes away what killed runs have left, and only that: their containers, networks, directories, and daemons of nodes.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::docker::Docker;
use super::owner::{LABEL, Owner};
use k2hdkc_simulators::node::wait_for;

/// The place of the files of environments: on a disk, which the daemons of nodes need for their layers.
pub(super) const HOME: &str = "/var/lib/k2hdkc-environments";
/// The place where the daemons of nodes put their containers' cgroups, below each controller.
pub(super) const CGROUP: &str = "k2hdkc-environments";

/// Takes away what belongs to no running process.
pub fn sweep() -> io::Result<()> {
    let docker = Docker::of_machine();
    let format = format!("{{{{.ID}}}} {{{{.Label \"{LABEL}\"}}}}");
    let filter = format!("label={LABEL}");
    let containers = docker.run(["ps", "--all", "--filter", &filter, "--format", &format])?;
    for id in left(&containers) {
        gone(docker.run(["rm", "--force", "--volumes", id]))?;
    }
    let networks = docker.run(["network", "ls", "--filter", &filter, "--format", &format])?;
    for id in left(&networks) {
        gone(docker.run(["network", "rm", id]))?;
    }
    let Ok(environments) = fs::read_dir(HOME) else { return Ok(()) };
    for environment in environments.flatten() {
        let name = environment.file_name().to_string_lossy().into_owned();
        let owner = name.rsplit_once('-').and_then(|(owner, _)| Owner::parse(owner));
        if owner.is_some_and(|owner| !owner.lives()) {
            clear(&environment.path())?;
        }
    }
    Ok(())
}

/// The identifiers in lines of identifier and owner whose owner is gone.
fn left(lines: &str) -> impl Iterator<Item = &str> {
    lines.lines().filter_map(|line| {
        let (id, owner) = line.split_once(' ')?;
        (!Owner::parse(owner)?.lives()).then_some(id)
    })
}

/// Two suites may sweep at once: what the other has taken away is no failure.
fn gone(result: io::Result<String>) -> io::Result<()> {
    match result {
        Err(error)
            if !["No such", "not found", "in progress"].iter().any(|w| error.to_string().contains(w)) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Ends everything that runs for an environment's directory, and removes it.
pub(super) fn clear(environment: &Path) -> io::Result<()> {
    let name = environment.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let busy = || {
        let mut pids = daemons_below(environment);
        pids.extend(members(&Path::new("/sys/fs/cgroup/pids").join(CGROUP).join(&name)));
        pids.extend(members(&Path::new("/sys/fs/cgroup").join(CGROUP).join(&name)));
        pids
    };
    wait_for(super::PATIENCE, || {
        let pids = busy();
        for pid in &pids {
            // Some end by themselves when others do.
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        pids.is_empty()
    });
    unmount_below(environment);
    remove_cgroups(&name);
    match fs::remove_dir_all(environment) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// dockerd, containerd and its shims name a directory of the environment in their command line.
fn daemons_below(environment: &Path) -> Vec<i32> {
    let below = format!("{}/", environment.display()).into_bytes();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_one = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        let names = [&b"dockerd"[..], b"containerd", b"containerd-shim", b"containerd-shim-runc-v2"];
        let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        names.contains(&name)
            && words.any(|word| word.windows(below.len()).any(|part| part == below.as_slice()))
    };
    pids.filter(is_one).collect()
}

/// The processes of a cgroup and of those below it.
fn members(cgroup: &Path) -> Vec<i32> {
    let own = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(members(&entry.path()));
        }
    }
    pids
}

fn unmount_below(environment: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let below = format!("{}/", environment.display());
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|p| p.starts_with(&below));
    // The innermost are the last.
    for point in points.collect::<Vec<_>>().into_iter().rev() {
        // If it stays, so does the directory, and that is told.
        let _ = umount2(point, MntFlags::MNT_DETACH);
    }
}

fn remove_cgroups(name: &str) {
    let mut roots = vec![Path::new("/sys/fs/cgroup").to_owned()];
    roots.extend(fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()));
    for root in roots {
        remove_cgroup(&root.join(CGROUP).join(name));
    }
}

fn remove_cgroup(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path());
        }
    }
    // Empty ones are only untidy.
    let _ = fs::remove_dir(cgroup);
}
