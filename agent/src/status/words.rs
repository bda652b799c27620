//! The status as text for people, one fact a line.

use std::fmt::{Display, Write as _};

use super::{PRESENT, Status};
use crate::clock::{BootTime, Now, Timestamp, spoken};
use crate::generation::Generation;
use crate::guard::{Absence, Held};
use crate::process_status::{Process, ProcessStatus, Said, State};
use crate::report::LastPass;
use crate::ring_status::RingStatus;

/// The text under construction, and the time to which its ages count.
struct Lines {
    text: String,
    now: Timestamp,
}

impl Lines {
    fn line(&mut self, key: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{key:<12}{value}");
    }

    fn age(&self, since: Timestamp) -> String {
        spoken(self.now.since(since))
    }
}

impl Status {
    /// The text at `now`.
    pub fn text(&self, now: Now) -> String {
        let mut lines = Lines { text: String::new(), now: now.wall };
        if let Some(stopped) = &self.stopped {
            let forced = if stopped.force { ", forced" } else { "" };
            let age = lines.age(stopped.since);
            lines.line("STOPPED", format_args!("{age} ago{forced}: {}", stopped.stage.text()));
        }
        self.head(&mut lines);
        self.answer_line(&mut lines);
        self.membership_lines(&mut lines);
        lines.line("file", &self.agent.ini);
        self.supervisor_line(&mut lines);
        self.generation_lines(&mut lines);
        if let Some(processes) = &self.processes {
            standing_lines(processes, &mut lines);
        }
        if let Some(ring) = &self.ring {
            ring_lines(ring, &mut lines);
        }
        if let Some(step) = &self.last_step {
            let age = lines.age(step.at);
            lines.line("last step", format_args!("{} ({age} ago)", step.text));
        }
        self.finding_lines(&mut lines, now.boot);
        lines.text
    }

    fn head(&self, lines: &mut Lines) {
        let version = &self.agent.version;
        match (self.agent.pid, self.agent.started) {
            (Some(pid), Some(started)) => {
                let age = lines.age(started);
                lines.line("agent", format_args!("k2hdkc-agent {version} running, pid {pid}, since {age}"));
            }
            _ => lines.line(
                "agent",
                format_args!("k2hdkc-agent {version} not running; this is what its ledger says"),
            ),
        }
        match (&self.outcome, &self.last) {
            (Some(outcome), _) => {
                let age = lines.age(outcome.since);
                lines.line("state", format_args!("{} (for {age})", outcome.text));
            }
            (None, Some(kept)) => {
                let age = lines.age(kept.at);
                lines.line(
                    "state",
                    format_args!("{} (by the ledger, which noted this pass {age} ago)", kept.text),
                );
            }
            (None, None) => lines.line("state", self.line()),
        }
    }

    fn answer_line(&self, lines: &mut Lines) {
        let last = match self.answer.last_good {
            Some(good) => format!("{} ago", lines.age(good)),
            None => kept_answer(self.last.as_ref(), self.agent.pid.is_some(), lines),
        };
        let took = self.answer.took_ms.map_or(String::new(), |ms| format!(", the last took {ms} ms"));
        let next = match self.answer.next_question {
            Some(next) if next > lines.now => format!(", next in {}", spoken(next.since(lines.now))),
            Some(_) => ", next now".to_owned(),
            None => String::new(),
        };
        lines.line("answer", format_args!("last good one {last}{took}{next}"));
    }

    fn membership_lines(&self, lines: &mut Lines) {
        if let Some(registration) = &self.registration {
            lines.line("role", &registration.line);
        }
        if let Some(leaving) = &self.leaving {
            let forced = if leaving.force { ", forced" } else { "" };
            let age = lines.age(leaving.since);
            lines.line("leaving", format_args!("since {age}{forced}: {}", leaving.stage.text()));
        }
    }

    fn supervisor_line(&self, lines: &mut Lines) {
        match &self.agent.picked {
            Some(picked) => lines.line("supervisor", picked),
            None if self.agent.supervisor == "auto" => lines
                .line("supervisor", "auto (nothing is picked before there is a file that names this node)"),
            None => {}
        }
    }

    fn generation_lines(&self, lines: &mut Lines) {
        let unseen =
            if self.agent.supervisor == "none" { "not observed (supervisor none)" } else { "none yet" };
        let mut shown = |key: &str, generation: &Option<Generation>, otherwise: &str| match generation {
            Some(Generation { fileversion, ring, at }) => {
                let age = lines.age(*at);
                lines.line(key, format_args!("{fileversion} (ring {ring}, {age} ago)"));
            }
            None => lines.line(key, otherwise),
        };
        shown("desired", &self.generations.desired, "none yet");
        shown("written", &self.generations.written, "none yet");
        shown("applied", &self.generations.applied, unseen);
        shown("verified", &self.generations.verified, unseen);
    }

    fn finding_lines(&self, lines: &mut Lines, boot: BootTime) {
        if let Some(held) = &self.held {
            held_lines(held, lines, boot);
        }
        for Absence { node, since, polls, .. } in &self.waiting {
            let gone = waited(*since, boot);
            lines.line(
                "waiting",
                format_args!("{}:{} has been missing for {gone} ({polls} answers)", node.name, node.ctlport),
            );
        }
        self.findings.changes.iter().for_each(|change| lines.line("change", change));
        self.findings.left_out.iter().for_each(|member| lines.line("left out", member));
        self.findings.notes.iter().for_each(|note| lines.line("note", note));
        self.peers.iter().for_each(|peer| lines.line("peers", peer));
        if let Some(error) = &self.agent.settings_error {
            lines.line("settings", "the new configuration is refused, the old one stays:");
            error.lines().for_each(|error| lines.line("", error));
        }
    }
}

/// When an answer was last good, where none was since the agent started. The ledger may lag behind.
fn kept_answer(kept: Option<&LastPass>, runs: bool, lines: &Lines) -> String {
    match kept.and_then(|kept| kept.last_good) {
        Some(good) => format!("at most {} ago (by the ledger)", lines.age(good)),
        None if runs => "never since the start".to_owned(),
        None => "not known to the ledger".to_owned(),
    }
}

fn held_lines(held: &Held, lines: &mut Lines, boot: BootTime) {
    let since = waited(held.since, boot);
    lines.line("held", format_args!("{} since {since}, seen {} times:", held.id, held.polls));
    held.reasons.iter().for_each(|reason| lines.line("", reason));
    if held.releasable {
        lines.line("", format_args!("release: k2hdkc-agent confirm {}", held.id));
    } else {
        lines.line("", "no confirmation can release that: chmpx would end on such a file");
    }
}

fn standing_lines(processes: &ProcessStatus, lines: &mut Lines) {
    process_line("chmpx", processes.chmpx, lines);
    // A slave has none.
    let server = processes.said.as_ref().is_none_or(|said| !said.status.is_slave());
    if server || processes.k2hdkc.is_some() {
        process_line("k2hdkc", processes.k2hdkc, lines);
    }
    let attention = if processes.state == State::Held { "ATTENTION: " } else { "" };
    let age = processes.said.as_ref().map(|said| lines.now.since(said.at)).filter(|age| *age > PRESENT);
    let old = age.map_or_else(String::new, |age| format!(" (as chmpx said {} ago)", spoken(age)));
    lines.line("ring", format_args!("{attention}{}{old}", processes.text));
    if let Some(said) = &processes.said {
        said_lines(said, processes.healthy(), lines);
    }
    if let Some(silent) = &processes.silent {
        lines.line("", format_args!("last question: {silent}"));
    }
}

/// The data, the change that waits or runs with its price, and what the last one took.
fn ring_lines(ring: &RingStatus, lines: &mut Lines) {
    lines.line("data", &ring.data);
    let limit = spoken(ring.longest_stop);
    let price = ring.predicted.map(|predicted| format!("{predicted} (merge.longest-stop is {limit})"));
    match (&ring.change, price) {
        (Some(change), Some(price)) => lines.line("change", format_args!("{change}; {price}")),
        (Some(change), None) => lines.line("change", change),
        (None, Some(price)) => lines.line("next change", price),
        (None, None) => {}
    }
    if let Some(last) = &ring.last {
        let age = lines.age(last.at);
        lines.line("last change", format_args!("{} ({age} ago)", last.ended));
    }
}

fn process_line(program: &str, process: Option<Process>, lines: &mut Lines) {
    match process {
        Some(Process { pid, since }) => {
            let age = lines.age(since);
            lines.line(program, format_args!("pid {pid}, since {age}"));
        }
        None => lines.line(program, "does not run"),
    }
}

fn said_lines(said: &Said, (healthy, all): (usize, usize), lines: &mut Lines) {
    let loaded = said.fileversion.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let seen = lines.age(said.at);
    lines.line("", format_args!("this node {}, generation {loaded} loaded, seen {seen} ago", said.status));
    if lines.now.since(said.at) > PRESENT {
        lines.line("", format_args!("{healthy} of {all} servers in service, {seen} ago"));
    } else {
        lines.line("", format_args!("{healthy} of {all} servers in service"));
    }
    let others = said.servers.iter().filter(|(_, status)| !status.is_healthy());
    others.for_each(|(name, status)| lines.line("", format_args!("{name} {status}")));
}

/// The time for which something has been waited for; a wait of another boot begins again with the next pass.
fn waited(since: BootTime, now: BootTime) -> String {
    now.since(since).map_or_else(|| "the last boot".to_owned(), spoken)
}
