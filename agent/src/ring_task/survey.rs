//! Asks chmpx processes for their lists: the own one at each look, others in parallel rounds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::assignment::Assignment;
use super::words::Readiness;
use crate::automerge::Automerge;
use crate::chmpx_state::{self, Row};
use crate::ring_change::{Answer, Round, ServerId};
use crate::supervisor::control_port::{self, Command};

/// Longest wait for one answer. chmpx answers within milliseconds, or never: then the next question is answered at once.
const WITHIN: Duration = Duration::from_millis(300);

/// Question of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The list.
    List,
    /// The list, and AUTOMERGE.
    Dialect,
}

/// Rows of a chmpx's list, and AUTOMERGE where it was asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) automerge: Option<Automerge>,
}

/// Asks all servers of the ring at once whether they are ready for a change by the agents.
pub async fn readiness(assignment: &Assignment) -> BTreeMap<ServerId, Readiness> {
    let who = assignment.members.keys().cloned().collect();
    let round = round(assignment.clone(), Vec::new(), who, Question::Dialect).await;
    let of = |answer: Option<Answer>| match answer.and_then(|answer| answer.automerge) {
        Some(automerge) if automerge.insists() => Readiness::RunsAutomerge,
        Some(_) => Readiness::Ready,
        None => Readiness::Silent,
    };
    round.answers.into_iter().map(|(id, answer)| (id, of(answer))).collect()
}

/// Asks one chmpx, and once again at once where no answer comes.
pub(super) async fn ask(address: SocketAddr, group: &str, question: Question) -> Option<Table> {
    match once(address, group, question).await {
        Some(table) => Some(table),
        None => once(address, group, question).await,
    }
}

async fn once(address: SocketAddr, group: &str, question: Question) -> Option<Table> {
    match question {
        Question::List => {
            let text = control_port::ask(address, &Command::AllStatus, WITHIN).await.ok()?;
            let status = chmpx_state::all_status(&text).ok().filter(|status| status.group == group)?;
            Some(Table { rows: status.servers, automerge: None })
        }
        Question::Dialect => {
            let text = control_port::ask(address, &Command::Dump, WITHIN).await.ok()?;
            let state = chmpx_state::dump(&text).ok()?;
            let automerge = Automerge::of(state.automerge, state.merge_timeout);
            Some(Table { automerge: Some(automerge), rows: state.servers })
        }
    }
}

/// Asks several servers at the same time.
pub(super) async fn round(
    assignment: Assignment,
    rows: Vec<Row>,
    who: Vec<ServerId>,
    question: Question,
) -> Round {
    let at = Instant::now();
    let mut asking = JoinSet::new();
    let mut answers = BTreeMap::new();
    for server in who {
        answers.insert(server.clone(), None);
        let Some(address) = assignment.control_of(&server, &rows) else { continue };
        let group = assignment.group.clone();
        asking.spawn(async move { (server, ask(address, &group, question).await) });
    }
    while let Some(answered) = asking.join_next().await {
        let Ok((server, Some(table))) = answered else { continue };
        let answer = Answer { list: assignment.list(&table.rows), automerge: table.automerge };
        answers.insert(server, Some(answer));
    }
    Round { at, answers }
}
