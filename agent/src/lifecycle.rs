//! From what runs to what must be done next, so that the processes run what the file says: one step, or a wait, or the
//! word that all is well.
//!
//! There is no script that could be interrupted. Every pass looks at the processes and at what chmpx said, and asks for
//! the one thing that comes next; an agent that was killed in the middle of a restart goes on where the processes are.
//! What must outlive it is in [`Known`], what may be forgotten in [`Memory`].
//!
//! The order of the stages is the order in which things are safe, measured on chmpx 1.0.113 and k2hdkc 1.0.19: k2hdkc
//! stops before chmpx and half a second apart, starts after it and only in sight of its peers, and is never older than
//! it. Pure: the time is an argument.

mod copies;
mod departed;
mod drain;
mod gate;
mod keeping;
mod known;
mod leaving;
mod lonely;
mod memory;
mod merge_work;
mod past;
mod place;
mod placement;
mod placing;
mod prompts;
mod resolving;
mod rules;
mod starting;
mod stir;
mod stopping;
mod takeover;
mod trial;
mod way_out;
mod unlisted;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

pub use copies::Copies;
pub use keeping::{Database, Keeps};
pub use known::{Known, Pair, Ran, Rejected, Restart, Urgency};
pub use leaving::{obstacle, price, unread};
pub use memory::Memory;
pub(crate) use rules::{COMES_SOON, SOON};
pub use rules::{Restarts, Rules};
pub use way_out::{Leaving, Stage};

use crate::clock::BootTime;
use crate::ring::{Mode, Node, Ring};
use crate::supervisor::{Observed, Step};
use crate::view::{NodeStatus, Row, View};

/// Everything that the next step follows from, besides what is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The present.
    pub now: Instant,
    /// The same for what outlives the agent.
    pub boot: BootTime,
    /// What the installed file says.
    pub ring: &'a Ring,
    /// Its generation.
    pub fileversion: u32,
    /// Where the file lets chmpx listen for control.
    pub ctlport: u16,
    /// What runs, and what chmpx said.
    pub observed: &'a Observed,
    /// How long ago the agent installed this very file; `None` where somebody else did.
    pub written: Option<Duration>,
    /// Which ways back there are.
    pub ways: Ways,
    /// Whether chmpx was seen with this generation loaded, be it with a restart still to come.
    pub loaded: bool,
    /// Whether chmpx was seen with this generation loaded, and nothing waited for a restart.
    pub verified: bool,
    /// Whether it replaced a file that chmpx does not survive: an end soon after says nothing of this one.
    pub mended: bool,
    /// The operator's rules.
    pub rules: &'a Rules,
}

/// Generations of another ring that chmpx ran with, and that are still kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// The one before this.
    pub before: bool,
    /// The last one with which nothing waited for a restart.
    pub proven: bool,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// chmpx and k2hdkc run what the file says.
    Converged,
    /// Nothing to do but to look again, at the latest after this time.
    Wait(String, Duration),
    /// Nothing that the agent may do by itself: somebody must look. The agent looks again after this time.
    Hold(String, Duration),
    /// This step, for this reason.
    Step(Step, String),
    /// The same ring again, with the next FILEVERSION: chmpx has not loaded this one.
    Rewrite(String),
    /// Another ring, since this one ended chmpx, or made it deaf.
    RollBack(Back, String),
}

/// How far a roll-back goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// To the generation that chmpx ran with before this one.
    Before,
    /// To the last one with which nothing waited for a restart: a later one was perhaps only reloaded, never started with.
    Proven,
}

/// One stage: what it asks for, or `None` where it is content.
type Look = fn(&Case<'_>, &mut Memory, &mut Known) -> Option<Next>;

/// In the order in which they are safe. What one asks for keeps the later ones waiting.
const STAGES: [Look; 17] = [
    placing::seen,
    starting::rival,
    placing::placed,
    starting::alone,
    trial::roll_back,
    stopping::k2hdkc,
    stopping::chmpx,
    starting::enable,
    starting::chmpx,
    trial::answering,
    trial::loaded,
    starting::k2hdkc,
    departed::departed,
    departed::others,
    place::own,
    place::peers,
    starting::tidy,
];

/// Those of them that see to the file: a node that leaves follows it as long as its keys have not moved, and what keeps it
/// from leaving may be over with the next one.
const CARES: [Look; 5] =
    [starting::rival, placing::placed, trial::roll_back, trial::answering, trial::loaded];

/// What comes next, and what is for somebody to look at meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// What comes next.
    pub next: Next,
    /// What the agent may not do by itself, although it goes on with the rest.
    pub held: Option<String>,
}

/// What comes next. Takes what is observed into `memory` and `known` first.
pub fn chart(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Course {
    notice(case, memory, known);
    if let Some(next) = leaving::chart(case, memory, known) {
        return on_the_way_out(case, memory, known, next);
    }
    let asked = STAGES.iter().find_map(|stage| stage(case, memory, known));
    // What is held comes last: a held node follows its file all the same.
    let asked = asked.or(memory.pending.take());
    memory.pending = None;
    let texts: Vec<_> = memory.at_stake.take().into_iter().chain(std::mem::take(&mut memory.loud)).collect();
    let (next, held) = beside(asked, &texts, case.rules.look);
    let next = match next {
        Next::Wait(text, time) if memory.stalls(case) => Next::Hold(stalled(&text), time),
        next => next,
    };
    memory.went_on(case, &next);
    Course { next, held }
}

/// A leave that waits for something, or is held, keeps nobody from caring for the file meanwhile.
fn on_the_way_out(case: &Case<'_>, memory: &mut Memory, known: &mut Known, next: Next) -> Course {
    let follows = known.way_out().is_some_and(Leaving::follows);
    if !follows || !matches!(next, Next::Wait(..) | Next::Hold(..)) {
        return Course { next, held: None };
    }
    let asked = CARES.iter().find_map(|stage| stage(case, memory, known));
    let mut texts = std::mem::take(&mut memory.loud);
    let next = match next {
        // It stays in sight beside what is done, or held, meanwhile.
        Next::Hold(text, time) if asked.is_some() || !texts.is_empty() => {
            texts.push(text.clone());
            Next::Wait(text, time)
        }
        next => next,
    };
    let (next, held) = beside(asked.or(Some(next)), &texts, case.rules.look);
    Course { next, held }
}

/// What was asked for, beside what is held: a wait is for somebody to look at then.
fn beside(asked: Option<Next>, texts: &[String], look: Duration) -> (Next, Option<String>) {
    let held = (!texts.is_empty()).then(|| texts.join("; "));
    let next = match (asked, &held) {
        (Some(Next::Wait(_, time)), Some(held)) => Next::Hold(held.clone(), time),
        (Some(next), _) => next,
        (None, Some(held)) => Next::Hold(held.clone(), look),
        (None, None) => Next::Converged,
    };
    (next, held)
}

/// The same where a file is to be installed: that comes first, but for the end of who would write over it in place.
pub fn before_file(case: &Case<'_>, memory: &mut Memory, known: &mut Known) -> Course {
    notice(case, memory, known);
    let first = starting::rival(case, memory, known);
    memory.loud.clear();
    Course { next: first.unwrap_or_else(|| Next::Wait("the file comes first".to_owned(), SOON)), held: None }
}

/// Takes what is observed into `memory` and `known`, and asks for nothing: what is asked for must be done.
fn notice(case: &Case<'_>, memory: &mut Memory, known: &mut Known) {
    memory.notice(case);
    known.notice(case);
}

/// A wait without an end is for somebody to look at.
fn stalled(text: &str) -> String {
    format!("{text}; nothing has changed for {} min", rules::STALLED.as_secs() / 60)
}

/// What comes next where both processes shall end: `Converged` once nothing runs.
pub fn ending(case: &Case<'_>, memory: &mut Memory) -> Next {
    memory.notice(case);
    stopping::both(case, memory).unwrap_or(Next::Converged)
}

impl Case<'_> {
    fn hold(&self, text: String) -> Next {
        Next::Hold(text, self.rules.look)
    }

    /// Where the server of this row listens for control, as far as the file says an address.
    fn control_address(&self, row: &Row) -> Option<SocketAddr> {
        self.ring.servers.iter().find(|node| is_row_of(row, node))?.control_address()
    }

    fn mode(&self) -> Mode {
        self.ring.mode().unwrap_or(Mode::Slave)
    }

    fn view(&self) -> Option<&View> {
        self.observed.said.as_ref().map(|said| &said.view)
    }

    /// Every other server of the file.
    fn peers(&self) -> impl Iterator<Item = &Node> {
        let own = self.own();
        self.ring.servers.iter().filter(move |node| own.is_none_or(|own| !std::ptr::eq(*node, own)))
    }

    /// This host's own server section.
    fn own(&self) -> Option<&Node> {
        if self.mode() == Mode::Slave {
            return None;
        }
        self.ring.candidates(Mode::Server).next()
    }

    /// This server's place in the order that all nodes agree on.
    fn rank(&self) -> u32 {
        let own = self.own();
        let place = self.ring.servers.iter().position(|node| own.is_some_and(|own| std::ptr::eq(node, own)));
        u32::try_from(place.unwrap_or_default()).unwrap_or(u32::MAX)
    }
}

/// Whether a row of chmpx's table is this node of the file, by what chmpx makes its id of. Under another control port it is
/// another row to chmpx, also of the same seed: the old one stays listed when the port has changed.
pub fn is_row_of(row: &Row, node: &Node) -> bool {
    if !node.seed.is_empty() {
        return row.seed == node.seed && row.ctlport.is_none_or(|ctlport| ctlport == node.ctlport);
    }
    let same_port = row.ctlport == Some(node.ctlport);
    same_port && row.cuk == node.cuk && (row.name == node.name || !node.cuk.is_empty())
}

/// How chmpx sees a server of the file; `None` where it does not list it.
fn status_of(view: &View, node: &Node) -> Option<NodeStatus> {
    view.servers.iter().find(|row| is_row_of(row, node)).map(|row| row.status)
}

/// Whether a row is the node that answered.
pub fn is_own(row: &Row, view: &View) -> bool {
    row.chmpxid.is_some() && row.chmpxid == view.own.chmpxid
}

/// How a row is named in texts.
fn label(row: &Row) -> String {
    let port = row.ctlport.map_or_else(|| "?".to_owned(), |port| port.to_string());
    format!("{}:{port}", row.name)
}
