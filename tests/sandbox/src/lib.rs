//! The sandbox: a whole cluster on this machine. A K2HR3 simulator, and nodes with a real agent, chmpx and k2hdkc each. Scale
//! events, kills and sick answers of K2HR3 happen to it while programs on the slaves read their keys all the time.
//!
//! ```text
//! options     the command line                         settings   the nodes' agent.toml
//! scenario    the events, as data; read this first     sick       the sick answers, as data
//! ground      where nodes live, and with what programs
//! real        .. the real ones, from outside           hub        the bridge in namespaces, and a node's own
//! inside      .. what a node does in its own           programs   what must be on PATH
//! cluster     K2HR3, its roles, its nodes              member     one node: directory, agent, status
//! change      carries out what an event changes        leaving    .. as an operator does today
//! sightings   the states of a node's file, with times  ring       the states of its chmpx's ring, with times
//! census      which processes there are and were
//! keys        the keys, and what a read may give       handle     how a program reaches them; linetool: the real one
//! traffic     the programs that read and write         counters   .. and their counts
//! cost        the cost of an event, and whether that is too much
//! director    plays the events                         following  every file and ring follows
//!                                                      holding    .. or stays, and the status gives the reason
//!                                                      loss       .. until the loss is confirmed
//!                                                      restarts   .. or is right again after a restart
//!                                                      killing    .. or the processes are back in order
//! record      the measures, and the verdict            table      .. as the rows that are printed
//! report      everything else                          home       the directory of a run, and what stays of it
//! news        what is shown while it runs              plain, live, terminal, text   how that is shown
//! ```
//!
//! The director owns the cluster, and the cluster the processes. The end of a run drops them, and with them every
//! agent, chmpx and k2hdkc. A VM is a directory and an address of 127.0.0.0/8 here.

mod census;
mod change;
mod cluster;
mod cost;
mod counters;
mod director;
mod following;
mod ground;
mod handle;
mod holding;
mod home;
mod hub;
mod inside;
mod keep;
mod keys;
mod killing;
mod leaving;
mod linetool;
mod live;
mod loss;
mod member;
mod news;
mod options;
mod plain;
mod programs;
mod real;
mod record;
mod report;
mod restarts;
mod ring;
mod scenario;
mod settings;
mod sick;
mod sightings;
mod table;
mod terminal;
mod text;
mod traffic;

use std::io;
use std::path::Path;

use k2hdkc_agent::ring::Mode;

use cluster::Cluster;
use director::Director;
use ground::Ground;
use home::Home;
use k2hdkc_simulators::binaries;
use news::{News, Teller};
pub use options::{MergesBy, Options};
use programs::Programs;
use report::Report;
use settings::Pace;
use traffic::KEYS;

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A run in which everything was as it must be.
    Good,
    /// Something failed.
    Failed,
    /// The user had enough.
    Interrupted,
}

/// Runs the sandbox; `interrupted` is called for a future that ends with Ctrl-C.
///
/// # Errors
///
/// The cluster could not be set up, or its directory not be cleaned up.
pub async fn run<F: Future<Output = ()>>(options: &Options, interrupted: impl Fn() -> F) -> io::Result<End> {
    if let Some(root) = &options.as_node {
        return inside::hold(root).map(|()| End::Good);
    }
    if !options.as_hub {
        prepare(options)?;
    }
    let home = Home::new(options.dir.as_deref())?;
    let end = if options.real && !options.as_hub {
        real::run(options, binaries::agent()?, home.path(), interrupted).await?
    } else {
        shown(options, home.path(), interrupted).await?
    };
    home.leave(end)?;
    Ok(end)
}

/// Builds the programs before any picture is drawn, since cargo writes to the terminal, too.
fn prepare(options: &Options) -> io::Result<()> {
    if options.real {
        Programs::find()?;
    }
    plain::print("building the agent and the simulators, if that is not done yet ..");
    binaries::agent()?;
    if !options.real {
        binaries::simulators()?;
    }
    Ok(())
}

async fn shown<F: Future<Output = ()>>(
    options: &Options,
    home: &Path,
    interrupted: impl Fn() -> F,
) -> io::Result<End> {
    let (news, listener) = Teller::new();
    let live = terminal::is_one() && !options.plain;
    let shown =
        tokio::spawn(
            async move { if live { live::show(listener).await } else { plain::show(listener).await } },
        );
    let ended = shown_run(options, home, news, interrupted).await;
    // It ends with the last teller, and prints what is left.
    let _ = shown.await;
    ended
}

/// Plays, prints the verdict, and leaves the nodes to the user if that is wanted.
async fn shown_run<F: Future<Output = ()>>(
    options: &Options,
    home: &Path,
    news: Teller,
    interrupted: impl Fn() -> F,
) -> io::Result<End> {
    let mut director = tokio::select! {
        director = play(options, home, &news) => director?,
        () = interrupted() => {
            news.say("interrupted: every process is ended, a temporary directory is removed");
            return Ok(End::Interrupted);
        }
    };
    let (verdict, is_good) = (director.record.verdict(), director.record.is_good());
    news.lines([vec![String::new()], verdict.clone()].concat());
    director.report.add(verdict);
    let report = director.report.write(home)?;
    news.tell(News::Whole(format!("report:  {}", report.display())));
    if !is_good {
        news.tell(News::Whole(format!("logs:    {}/*/agent.log", home.display())));
    }
    if options.keep {
        keep::instructions(&director.cluster, binaries::agent()?, home, &news);
        interrupted().await;
    }
    Ok(if is_good { End::Good } else { End::Failed })
}

async fn play(options: &Options, home: &Path, news: &Teller) -> io::Result<Director> {
    let events = scenario::scenario(options);
    let most = options.servers + scenario::MORE_SERVERS;
    let nodes = usize::from(most) + usize::from(options.slaves) + 1;
    let pace = Pace::of(nodes, options.real, options.merges_by);
    let ground = if options.as_hub { Ground::real()? } else { Ground::simulated(home)? };
    let copies = match options.merges_by {
        MergesBy::Agents => 1,
        MergesBy::Chmpx => most - 1,
    };
    let cluster = Cluster::open(home, ground, pace, copies, news.clone()).await?;
    news.lines(introduction(options));
    let mut report = Report::default();
    report.add(circumstances(options, &cluster, home));
    let mut director = Director::new(cluster, report, news.clone());
    director.play(&events).await;
    Ok(director)
}

/// The first lines on the screen.
fn introduction(options: &Options) -> Vec<String> {
    let programs =
        if options.real { "chmpx and k2hdkc are real too" } else { "chmpx and k2hdkc are simulated" };
    let warning = if options.real && options.merges_by == MergesBy::Chmpx {
        " The real servers lose sight of keys when their number changes (docs/limits.md): such keys count as lost."
    } else {
        ""
    };
    let text = format!(
        "K2HR3, {} servers and {} slaves on this machine. The agents are real; {programs}. A program on each slave reads \
         and writes {KEYS} keys all the time. Intervals are shorter than the defaults.{warning}",
        options.servers, options.slaves
    );
    let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    let mut lines = text::wrapped("", &words, " ", Some(table::WIDTH));
    lines.extend(table::legend());
    lines.push(String::new());
    lines
}

/// The first lines of the report.
fn circumstances(options: &Options, cluster: &Cluster, home: &Path) -> Vec<String> {
    let mut lines = vec![
        format!("K2HR3 simulator at {}, nodes below {}", cluster.uri(), home.display()),
        format!("{options:?}"),
        match options.merges_by {
            MergesBy::Agents => "REPLICA is 1: each key is on two servers",
            MergesBy::Chmpx => {
                "REPLICA is one less than there are servers, so that every server has every key: with fewer copies chmpx \
                 loses sight of some at each change (docs/limits.md)"
            }
        }
        .to_owned(),
        "while K2HR3 is sick the operator changes RWTIMEOUT, which only the next good answer may bring to the nodes"
            .to_owned(),
        "every node has this agent.toml, with an address and paths of its own:".to_owned(),
    ];
    let address = cluster.ground.address(Mode::Server, 1).to_string();
    let supervisor = cluster.ground.supervisor(&home.join("server-1"));
    let file = cluster.pace.file(&address, &supervisor);
    lines.extend(file.lines().filter(|line| !line.is_empty()).map(|line| format!("    {line}")));
    lines.push(String::new());
    lines.extend(table::legend());
    lines.push("  *      started by the event".to_owned());
    lines.push(String::new());
    lines.extend(table::head());
    lines
}
