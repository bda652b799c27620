//! Nodes in containers, with the process managers that real nodes have: [`systemd`] and [`trove`]; and VMs of a cloud, which
//! become such nodes by their user-data alone: [`fleet`].
//!
//! An environment is a Docker network of its own with a K2HR3 simulator at its gateway's address, and nodes on it that run the
//! simulators under the real programs' paths. What stands in for upstream's scripts and units is in `tests/environments/`, and
//! so are the scripts that make the image and start a daemon. The machine's daemon is asked by the `docker` program,
//! not by bollard: the agent has its client there, and a witness should not share the faults of what it watches.
//!
//! Nothing here starts or ends the machine's daemon; `tests/run` does. An environment takes itself away when it is dropped, and
//! what a killed run has left goes when the next one begins ([`sweep`]).

pub mod changes;
pub mod container;
pub mod depot;
pub mod docker;
pub mod fleet;
pub mod ground;
pub mod image;
pub mod keys;
pub mod link;
pub mod owner;
pub mod sweep;
pub mod systemd;
pub mod trove;
pub mod vm;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

pub use container::Container;
pub use docker::Docker;
pub use ground::Ground;

use k2hdkc_simulators::binaries;
pub use k2hdkc_simulators::node::wait_for;

/// The longest time for anything on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Checks whether environments can be had here. Where not, it is said loudly, and with `CI` in the environment it is a failure: a
/// skipped suite must not pass for one that passed.
///
/// # Panics
///
/// In CI, where there is no Docker daemon.
pub fn ready() -> bool {
    static READY: OnceLock<Result<(), String>> = OnceLock::new();
    let ready = READY.get_or_init(|| check().map_err(|error| error.to_string()));
    let Err(reason) = ready else { return true };
    assert!(std::env::var_os("CI").is_none(), "no environments, and in CI that is a failure: {reason}");
    say(&format!("SKIPPED: this suite needs Docker, which ./tests/run sets up as root: {reason}"));
    false
}

fn check() -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err(io::Error::other("not root"));
    }
    Docker::of_machine().run(["version", "--format", "{{.Server.Version}}"])?;
    image::base()?;
    // Builds count in no suite's time.
    binaries::agent()?;
    binaries::simulators()?;
    sweep::sweep()
}

/// A line that shows without `--nocapture` as well: skips and times.
pub fn say(line: &str) {
    // Whoever closed stderr does not want to know.
    let _ = writeln!(io::stderr(), "environments: {line}");
}

/// Settings of an agent in an environment under which nobody waits for polls: `kind` is its supervisor's, and `more` are further
/// lines for `[supervisor]`. The environment registers its nodes itself, and takes them out of their roles while they run.
pub fn settings(kind: &str, more: &str) -> String {
    format!(
        "\
[join]
enabled = false
[poll]
interval = \"300ms\"
jitter = 0.0
backoff = \"100ms\"
max-backoff = \"300ms\"
settle = \"0ms\"
max-settle = \"0ms\"
[guard]
removal-polls = 1
removal-for = \"0s\"
max-lost-servers = 9
max-lost-share = 1.0
[log]
level = \"debug\"
[supervisor]
kind = \"{kind}\"
timing.resync-interval = \"1s\"
timing.min-query-interval = \"200ms\"
timing.settle-before-drain = \"1s\"
timing.restart-backoff = \"200ms\"
{more}"
    )
}

/// The same for an agent that looks and asks but once in ten minutes: what it learns before, an event has told it.
///
/// # Panics
///
/// Where that is not what the settings say.
pub fn by_events(settings: &str) -> String {
    let seldom = |text: String, often: &str, seldom: &str| {
        assert_eq!(text.matches(often).count(), 1, "{often}: {text}");
        text.replace(often, seldom)
    };
    let text = seldom(settings.to_owned(), "\ninterval = \"300ms\"\n", "\ninterval = \"10m\"\n");
    seldom(text, "\ntiming.resync-interval = \"1s\"\n", "\ntiming.resync-interval = \"10m\"\n")
}

/// A file of `tests/environments/`.
pub(crate) fn asset(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/environments").join(path)
}
