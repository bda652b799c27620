//! The sandbox: a whole cluster on this machine. A K2HR3 simulator, and nodes with a real agent, chmpx and k2hdkc each,
//! put through scale events, sick answers and kills while programs on the slaves read their keys all the time.
//!
//! ```text
//! options     the command line                         settings   the nodes' agent.toml
//! scenario    what happens, as data; read this first   malady     the ways to be sick, as data
//! ground      where nodes live, and with what programs
//! real        .. the real ones, from outside            hub        the bridge in namespaces, and a node's own
//! inside      .. what a node does in its own            programs   what must be on PATH
//! cluster     K2HR3, its roles, its nodes              member     one node: directory, agent, status
//! change      carries out what an event changes        leaving    .. as an operator does today
//! sightings   what stood in a node's file, and when    ring       what its chmpx said of the ring, and when
//! census      which processes there are and were
//! keys        the keys, and what a read may give       handle     how a program reaches them; linetool: the real one
//! traffic     the programs that read and write         toll       what an event cost, and whether that is too much
//! director    plays the events                         following  every file and ring follows
//!                                                      holding    .. or stays, and the status says why
//!                                                      loss       .. until the loss is confirmed
//!                                                      restarts   .. or is right again after a new start
//!                                                      killing    .. or the processes are back in order
//! record      what was measured                        tables     the end as text
//! news        what is told while it runs               plain, live, terminal, text   how that is shown
//! ```
//!
//! The director owns the cluster, and the cluster the processes; whatever ends a run drops them, and with them every
//! agent, chmpx and k2hdkc. What stands in for a VM is a directory and an address of 127.0.0.0/8.

mod census;
mod change;
mod cluster;
mod director;
mod following;
mod ground;
mod handle;
mod holding;
mod hub;
mod inside;
mod keep;
mod keys;
mod killing;
mod leaving;
mod linetool;
mod live;
mod loss;
mod malady;
mod member;
mod news;
mod options;
mod plain;
mod programs;
mod real;
mod record;
mod restarts;
mod ring;
mod scenario;
mod settings;
mod sightings;
mod tables;
mod terminal;
mod text;
mod toll;
mod traffic;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use k2hdkc_agent::ring::Mode;
use tempfile::TempDir;

use cluster::Cluster;
use director::Director;
use ground::Ground;
use k2hdkc_simulators::binaries;
use news::{News, Teller};
pub use options::Options;
use programs::Programs;
use settings::Pace;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything was as it must be.
    Good,
    /// Something failed.
    Failed,
    /// The user had enough.
    Interrupted,
}

/// Runs the sandbox; `interrupted` is called for a future that ends with Ctrl-C.
pub async fn run<F: Future<Output = ()>>(options: &Options, interrupted: impl Fn() -> F) -> io::Result<End> {
    if let Some(root) = &options.as_node {
        return inside::hold(root).map(|()| End::Good);
    }
    if options.real && !options.as_hub {
        Programs::find()?;
    }
    // Before any picture is drawn, since cargo talks too; Ctrl-C still ends both of them.
    if !options.as_hub {
        plain::print("building the agent, if it is not yet ..");
    }
    let agent = binaries::agent()?;
    if options.real && !options.as_hub {
        let home = Home::new(options.dir.as_deref())?;
        return real::run(options, agent, home.path(), interrupted).await;
    }
    let (news, listener) = Teller::new();
    let live = terminal::is_one() && !options.plain;
    let shown =
        tokio::spawn(
            async move { if live { live::show(listener).await } else { plain::show(listener).await } },
        );
    let ended = shown_run(options, agent, news, interrupted).await;
    // It ends with the last teller, and prints what is left.
    let _ = shown.await;
    ended
}

/// Plays, tells what came of it, and leaves the nodes to the user if that is wanted.
async fn shown_run<F: Future<Output = ()>>(
    options: &Options,
    agent: &Path,
    news: Teller,
    interrupted: impl Fn() -> F,
) -> io::Result<End> {
    let home = Home::new(options.dir.as_deref())?;
    let director = tokio::select! {
        director = play(options, home.path(), &news) => director?,
        () = interrupted() => {
            news.say("interrupted: every process is ended, a temporary directory is removed");
            return Ok(End::Interrupted);
        }
    };
    for line in tables::report(&director.record, terminal::size().map(|(width, _)| width)) {
        news.tell(News::Line(line));
    }
    if options.keep {
        keep::instructions(&director.cluster, agent, home.path(), &news);
        interrupted().await;
    }
    Ok(if director.record.failures.is_empty() { End::Good } else { End::Failed })
}

async fn play(options: &Options, home: &Path, news: &Teller) -> io::Result<Director> {
    let pace = Pace::of(usize::from(options.servers) + usize::from(options.slaves) + 3, options.real);
    let ground = if options.as_hub { Ground::real()? } else { Ground::simulated(home)? };
    let cluster = Cluster::open(home, ground, pace, news.clone()).await?;
    introduce(&cluster, home, news);
    let mut director = Director::new(cluster, news.clone());
    director.play(&scenario::scenario(options)).await;
    Ok(director)
}

fn introduce(cluster: &Cluster, home: &Path, news: &Teller) {
    news.say(format!("K2HR3 simulator at {}, nodes below {}", cluster.uri(), home.display()));
    news.say("every node has this agent.toml, with an address and paths of its own:");
    let address = cluster.ground.address(Mode::Server, 1).to_string();
    let supervisor = cluster.ground.supervisor(&home.join("server-1"));
    cluster.pace.file(&address, &supervisor).lines().filter(|line| !line.is_empty()).for_each(|line| {
        news.say(format!("    {line}"));
    });
    news.say(
        "every server has every key (REPLICA 4 is asked for, one less than there are servers is written)",
    );
    news.say("    with fewer copies chmpx itself loses sight of some at each change");
    news.say("while K2HR3 is sick the operator changes RWTIMEOUT, which only the next good answer may bring to the nodes");
    if cluster.ground.is_real() {
        news.say("left out with the real programs: server-1 that registers again and again, which needs its address here");
    }
}

/// Where the nodes' directories are.
enum Home {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Home {
    /// A new directory; one that the user names must be empty, since an old ledger would be believed.
    fn new(given: Option<&Path>) -> io::Result<Self> {
        let Some(path) = given else {
            return tempfile::Builder::new().prefix("k2hdkc-sandbox.").tempdir().map(Self::Temporary);
        };
        fs::create_dir_all(path)?;
        let path = path.canonicalize()?;
        if fs::read_dir(&path)?.next().is_some() {
            return Err(io::Error::other(format!("{} is not empty", path.display())));
        }
        Ok(Self::Kept(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}
