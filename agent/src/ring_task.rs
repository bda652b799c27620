//! Carries out the changes of the ring, beside the passes: looks, decides by [`ring_change`], acts, and looks again.
//!
//! A change takes one or two seconds, and each look at it a few milliseconds: the passes are too slow for it. The pass says
//! what this node is ([`Assignment`]); the task says what it sees ([`Progress`]), and never writes a file, nor the ledger.

mod assignment;
mod facts;
mod hands;
mod survey;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

pub use assignment::{Assignment, Programs, Will};
pub use survey::readiness;
pub use words::Readiness;

use self::facts::Facts;
use self::hands::Hands;
use self::survey::Question;
use crate::chmpx_state::Row;
use crate::problem::chain;
use crate::ring_change::course::{Course, Ended, News, Outcome};
use crate::ring_change::{
    self, Action, Decision, History, Inputs, Order, Process, Progress, Round, ServerId, Wish,
};
use crate::settings::MergeBy;
use crate::supervisor::control_port;
use crate::wake::{Reason, Waker};

/// Longest wait for the answer to a command. Nothing depends on it: the next look shows the effect.
const COMMAND_WITHIN: Duration = Duration::from_millis(500);

/// Longest pause between two looks.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Handle of the running task. Dropped, the task ends, and what it froze is continued by its watchdog.
#[derive(Debug)]
pub struct RingTask {
    assignment: watch::Sender<Option<Assignment>>,
    progress: watch::Receiver<Option<Progress>>,
    ended: mpsc::UnboundedReceiver<Ended>,
    task: JoinHandle<()>,
}

impl RingTask {
    /// Starts the task. It does nothing before it has an assignment. `waker` gets a reason at each news.
    pub fn start(runtime_directory: &Path, state_directory: &Path, waker: Waker) -> Self {
        let (assignment, assignments) = watch::channel(None);
        let (publish, progress) = watch::channel(None);
        let (ends, ended) = mpsc::unbounded_channel();
        let hands = Hands::new(runtime_directory, state_directory);
        let (facts, history) = (Facts::new(state_directory), History::default());
        let task = Task {
            assignments,
            publish,
            waker,
            hands,
            facts,
            history,
            course: Course::default(),
            ends,
            rows: Vec::new(),
            asking: JoinSet::new(),
            round: None,
        };
        Self { assignment, progress, ended, task: tokio::spawn(task.run()) }
    }

    /// Gives the task another assignment; `None` for a node whose ring is not known.
    pub fn assign(&self, assignment: Option<Assignment>) {
        self.assignment.send_if_modified(|present| {
            let differs = *present != assignment;
            *present = assignment;
            differs
        });
    }

    /// Ends the task, and leaves what stands still as it is: the next agent finds it, and goes on; without one the watchdog continues
    /// it.
    pub fn end(&self) {
        self.task.abort();
    }

    /// Returns the latest news of the task.
    pub fn progress(&self) -> Option<Progress> {
        self.progress.borrow().clone()
    }

    /// Returns a change that has ended, each once.
    pub fn ended(&mut self) -> Option<Ended> {
        self.ended.try_recv().ok()
    }
}

impl Drop for RingTask {
    fn drop(&mut self) {
        self.end();
    }
}

/// The task.
struct Task {
    assignments: watch::Receiver<Option<Assignment>>,
    publish: watch::Sender<Option<Progress>>,
    waker: Waker,
    hands: Hands,
    facts: Facts,
    history: History,
    course: Course,
    ends: mpsc::UnboundedSender<Ended>,
    /// Rows of the own chmpx's latest list.
    rows: Vec<Row>,
    /// A round of questions under way, at most one.
    asking: JoinSet<Round>,
    /// A round that has ended since the latest look.
    round: Option<Round>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let assignment = self.assignments.borrow_and_update().clone();
            let pause = match &assignment {
                Some(assignment) => self.look(assignment).await,
                None => Duration::MAX,
            };
            self.rest(pause).await;
        }
    }

    /// Waits for the next look, another assignment, or the end of a round of questions.
    async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = sleep(pause.min(LONGEST_REST)) => {}
            _ = self.assignments.changed() => {}
            Some(round) = self.asking.join_next() => self.round = round.ok(),
        }
    }

    /// Looks once, decides, and acts. Returns the pause before the next look.
    async fn look(&mut self, assignment: &Assignment) -> Duration {
        let round = self.round.take();
        let inputs = self.gather(assignment, round).await;
        self.history.observe(&inputs, &assignment.limits);
        let decision = ring_change::decide(&inputs, &self.history, &assignment.limits);
        self.follow(assignment, &decision.progress, inputs.now);
        self.publish(&decision.progress);
        self.act(assignment, &decision).await;
        self.history.record(&decision, Instant::now());
        decision.look_again
    }

    async fn gather(&mut self, assignment: &Assignment, round: Option<Round>) -> Inputs {
        let queues = self.history.waits_for_queues(Instant::now());
        let local = self.facts.read(&assignment.programs, queues);
        // A stopped chmpx takes the connection, and answers when it goes on. One that merges by itself is not asked.
        let answers = local.chmpx == Process::Running
            && assignment.limits.by == MergeBy::Agents
            && !assignment.is_quiet(Instant::now());
        let table = if answers {
            survey::ask(assignment.control, &assignment.group, Question::List).await
        } else {
            None
        };
        let list = table.map(|table| {
            self.rows = table.rows;
            assignment.list(&self.rows)
        });
        let Will { leave, confirmed } = assignment.will;
        let predicted_stop = assignment.prediction.map(|prediction| prediction.stop);
        Inputs {
            now: Instant::now(),
            random: fastrand::f64(),
            node: assignment.node.clone(),
            members: assignment.members.keys().cloned().collect(),
            slaves: assignment.slaves,
            replicas: assignment.replicas,
            automerge: assignment.automerge,
            wish: Wish { leave, confirmed, predicted_stop },
            list,
            round,
            local,
        }
    }

    /// Logs the begin and the end of a change, and keeps the end for the next pass.
    fn follow(&mut self, assignment: &Assignment, progress: &Progress, now: Instant) {
        match self.course.follow(progress, assignment.prediction, now) {
            None => return,
            Some(News::Begun(begun)) => return info!("the ring changes: {begun}"),
            Some(News::Ended(ended)) => {
                match ended.result {
                    Outcome::Done => info!("the ring has changed: {ended}"),
                    Outcome::Undone => warn!("a change of the ring was undone: {ended}"),
                }
                // The daemon that would take it ends.
                let _ = self.ends.send(ended);
            }
        }
        self.waker.wake(Reason::RingChanged);
    }

    /// Tells of the news, and wakes a pass where the stage is another one.
    fn publish(&self, progress: &Progress) {
        let news = self.publish.send_if_modified(|present| {
            let differs = present.as_ref() != Some(progress);
            *present = Some(progress.clone());
            differs
        });
        if news {
            debug!("ring change: {progress}");
            self.waker.wake(Reason::RingChanged);
        }
    }

    async fn act(&mut self, assignment: &Assignment, decision: &Decision) {
        match &decision.action {
            Action::Nothing => {}
            Action::Ask { who, dump } => self.ask(assignment, who.clone(), *dump),
            Action::Send(orders) => self.send(assignment, orders).await,
            action => self.hands.act(action, &assignment.programs).await,
        }
    }

    fn ask(&mut self, assignment: &Assignment, who: Vec<ServerId>, dump: bool) {
        if self.asking.is_empty() {
            let question = if dump { Question::Dialect } else { Question::List };
            let round = survey::round(assignment.clone(), self.rows.clone(), who, question);
            self.asking.spawn(round);
        }
    }

    /// Sends commands one after the other. An answer is logged and never judged.
    async fn send(&self, assignment: &Assignment, orders: &[Order]) {
        for order in orders {
            let Some(address) = assignment.control_of(&order.at, &self.rows) else {
                warn!("ring change: no control port is known of {}", order.at);
                continue;
            };
            let Some(command) = assignment.command(&order.command, &self.rows) else {
                warn!("ring change: {} cannot be named in a command", order.at);
                continue;
            };
            match control_port::ask(address, &command, COMMAND_WITHIN).await {
                Ok(answer) => info!("ring change: {command} at {}: {}", order.at, answer.trim()),
                Err(error) => info!("ring change: {command} at {}: {}", order.at, chain(&error)),
            }
        }
    }
}
