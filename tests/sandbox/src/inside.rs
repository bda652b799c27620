//! A node of the real programs from inside: this program, started in namespaces of its own, makes them the node's
//! and then only holds them.
//!
//! The real programs have fixed paths. So the node has a `/var/lib/antpickax`, an `/etc/hosts` and a `/dev/mqueue` of its
//! own, in its own mount namespace; the host's are not touched.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::unistd::sethostname;

/// The number of messages that a queue may hold, as chmpx's own unit sets it.
const MSG_MAX: &str = "1025";
/// Queues of chmpx and its clients.
const QUEUES_MAX: &str = "1024";
/// The word of a node that is ready.
pub(super) const READY: &str = "ready";

/// Makes the namespaces of this process the node's whose directory is `root`, says so, and holds them until its standard
/// input ends.
pub(super) fn hold(root: &Path) -> io::Result<()> {
    let name = root.file_name().unwrap_or_default();
    sethostname(name)?;
    // Addresses without a name are slow to look up, and IPv6 ones have none.
    write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")?;
    write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
    directories(root)?;
    // Queues work without it; it only shows them.
    let queues = Path::new("/dev/mqueue");
    if queues.is_dir() {
        fresh("mqueue", queues)?;
    }
    write("/proc/sys/fs/mqueue/msg_max", MSG_MAX)?;
    write("/proc/sys/fs/mqueue/queues_max", QUEUES_MAX)?;
    writeln!(io::stdout(), "{READY}")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn directories(root: &Path) -> io::Result<()> {
    // The host need not have one to mount on.
    fresh("tmpfs", Path::new("/var/lib"))?;
    let base = Path::new("/var/lib/antpickax");
    fs::create_dir(base)?;
    bind(&root.join("var/lib/antpickax"), base)?;
    for (own, place) in [("hosts.node", "/etc/hosts"), ("resolv.conf.node", "/etc/resolv.conf")] {
        let place = Path::new(place);
        if place.exists() {
            bind(&root.join("etc").join(own), place)?;
        }
    }
    Ok(())
}

fn fresh(kind: &str, place: &Path) -> io::Result<()> {
    mounted(mount(Some(kind), place, Some(kind), MsFlags::empty(), None::<&str>), place)
}

fn bind(what: &Path, place: &Path) -> io::Result<()> {
    mounted(mount(Some(what), place, None::<&str>, MsFlags::MS_BIND, None::<&str>), place)
}

fn mounted(result: nix::Result<()>, place: &Path) -> io::Result<()> {
    result.map_err(|error| io::Error::other(format!("cannot mount {}: {error}", place.display())))
}

fn write(path: &str, text: &str) -> io::Result<()> {
    let result =
        fs::File::options().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match result {
        // A kernel without IPv6 needs none of it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.contains("ipv6") => Ok(()),
        result => result.map_err(|error| io::Error::other(format!("cannot write {path}: {error}"))),
    }
}
