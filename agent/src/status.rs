//! What the agent says of itself: one value, and its projections to JSON and to text for people. Pure.

mod kept;
mod summary;

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{BootTime, Now, Timestamp, spoken};
use crate::generation::Generation;
use crate::guard::{Absence, Held};
use crate::ledger::Ledger;
use crate::lifecycle::Leaving;
use crate::report::{Kind, LastPass, Outcome, Report};
use crate::standing::{Process, Standing, State};
use crate::supervisor::Choice;

/// What chmpx said longer ago is told with its age.
const PRESENT: Duration = Duration::from_secs(2);

/// The state of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Version of the agent.
    pub version: String,
    /// The running agent; absent where only its ledger was read.
    pub pid: Option<u32>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When this was true.
    pub at: Timestamp,
    /// What came of the last pass.
    pub state: Option<Kind>,
    /// The same in one line.
    pub line: String,
    /// Why that pass ran.
    pub reasons: String,
    /// Since when passes have come to this state.
    pub since: Option<Timestamp>,
    /// When an answer was last good: it could be installed, or was already.
    pub last_good: Option<Timestamp>,
    /// What the ledger has of the last pass; the passes of this agent are newer.
    #[serde(default)]
    pub last: Option<LastPass>,
    /// When the source is asked next.
    pub next_question: Option<Timestamp>,
    /// Answer time of the last question, in milliseconds.
    pub answer_ms: Option<u64>,
    /// The four generations.
    pub generations: Generations,
    /// What is held, and what would release it.
    pub held: Option<Held>,
    /// Removals that are not believed yet.
    pub waiting: Vec<Absence>,
    /// What differs between what is installed and what is wanted.
    pub changes: Vec<String>,
    /// What an operator should know although it changes nothing.
    pub notes: Vec<String>,
    /// Records of K2HR3 that are no good and were left out, each with its member and what to do.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// Why the newest configuration is not in force.
    pub settings_error: Option<String>,
    /// How the processes are; absent where nobody looks after them.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// What was last done to the processes, or could not be, and when.
    #[serde(default)]
    pub last_step: Option<(Timestamp, String)>,
    /// Whether this node is a member of its role; absent where that is nobody's business, or not known yet.
    #[serde(default)]
    pub registration: Option<Registration>,
    /// How far this node is on its way out of the cluster.
    #[serde(default)]
    pub leaving: Option<Leaving>,
    /// How far it has stopped for maintenance.
    #[serde(default)]
    pub stopped: Option<Leaving>,
    /// The supervisor; "auto" where none is picked yet.
    pub supervisor: String,
    /// Why it is that one, where it was picked.
    #[serde(default)]
    pub picked: Option<Choice>,
    /// The ini.
    pub ini: String,
}

/// What came of the last attempt to enter or leave the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Whether it is as it should be.
    pub good: bool,
    /// In one line.
    pub line: String,
    /// When.
    pub at: Timestamp,
}

/// The newest generation of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// Decided on.
    pub desired: Option<Generation>,
    /// Installed.
    pub written: Option<Generation>,
    /// Carried out by the supervisor.
    pub applied: Option<Generation>,
    /// Reported by chmpx.
    pub verified: Option<Generation>,
}

impl Status {
    /// The state before the first pass, or of an agent that does not run.
    pub fn idle(ledger: &Ledger, supervisor: &str, ini: String) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: None,
            started: None,
            at: Timestamp::now(),
            state: None,
            line: "no pass yet".to_owned(),
            reasons: String::new(),
            since: None,
            last_good: None,
            last: ledger.last.clone(),
            next_question: None,
            answer_ms: None,
            generations: Generations::of(ledger),
            held: ledger.guard.held.clone(),
            waiting: ledger.guard.absent.clone(),
            changes: Vec::new(),
            notes: Vec::new(),
            left_out: Vec::new(),
            settings_error: None,
            standing: None,
            last_step: None,
            registration: None,
            leaving: ledger.known.leaving.clone(),
            stopped: ledger.known.stopped.clone(),
            supervisor: supervisor.to_owned(),
            picked: None,
            ini,
        }
    }

    /// Takes in a pass.
    pub fn take(&mut self, report: &Report, ledger: &Ledger) {
        let kind = report.outcome.kind();
        if self.state != Some(kind) {
            self.since = Some(report.at);
        }
        self.at = report.at;
        self.state = Some(kind);
        self.line = report.outcome.line();
        self.reasons.clone_from(&report.reasons);
        if report.asked.is_some() && report.outcome.is_good() {
            self.last_good = Some(report.at);
        }
        if let Some(asked) = report.asked {
            self.answer_ms = Some(u64::try_from(asked.as_millis()).unwrap_or(u64::MAX));
        }
        self.generations = Generations::of(ledger);
        self.held.clone_from(&ledger.guard.held);
        self.leaving.clone_from(&ledger.known.leaving);
        self.stopped.clone_from(&ledger.known.stopped);
        self.waiting.clone_from(&report.waiting);
        if report.standing.is_some() {
            self.standing.clone_from(&report.standing);
        }
        if let Some(Ok(text) | Err(text)) = &report.step {
            self.last_step = Some((report.at, text.clone()));
        }
        let installed =
            matches!(report.outcome, Outcome::Installed(_) | Outcome::Restored(..) | Outcome::RolledBack(..));
        let plan = report.plan.as_ref().filter(|_| !installed);
        self.changes =
            plan.map_or_else(Vec::new, |plan| plan.changes.iter().map(|change| plan.line(change)).collect());
        self.notes.clone_from(&report.notes);
        self.left_out.clone_from(&report.left_out);
    }

    /// Whether chmpx said what is here a moment ago, or nobody asks it.
    pub fn is_present(&self, now: Timestamp) -> bool {
        let said = self.standing.as_ref().and_then(|standing| standing.said.as_ref());
        said.is_none_or(|said| now.since(said.at) <= PRESENT)
    }

    /// Whether an operator need not look.
    pub fn is_good(&self) -> bool {
        let fine = [Kind::Unchanged, Kind::Installed, Kind::Settling, Kind::Rewritten];
        let fine = self.state.is_some_and(|state| fine.contains(&state));
        let held = self.standing.as_ref().is_some_and(|standing| standing.state == State::Held);
        let outside = self.registration.as_ref().is_some_and(|registration| !registration.good);
        // Somebody who runs chmpx was to be found, and is not.
        let idle = self.picked.as_ref().is_some_and(|picked| picked.kind == crate::supervisor::Kind::None);
        let runs = self.stopped.is_none();
        let calm = fine && runs && !held && !outside && !idle && self.left_out.is_empty();
        calm && self.pid.is_some() && self.settings_error.is_none()
    }

    /// For people, at `now`.
    pub fn text(&self, now: Now) -> String {
        let (mut text, Now { wall: now, boot }) = (String::new(), now);
        if let Some(stopped) = &self.stopped {
            let word = if stopped.force { ", forced" } else { "" };
            line(
                &mut text,
                "STOPPED",
                &format!("{} ago{word}: {}", age(stopped.since, now), stopped.stage.text()),
            );
        }
        self.head(&mut text, now);
        self.generation_lines(&mut text, now);
        self.standing_lines(&mut text, now);
        if let Some(held) = &self.held {
            let _ = writeln!(
                text,
                "held        {} since {}, seen {} times:",
                held.id,
                waited(held.since, boot),
                held.polls
            );
            held.reasons.iter().for_each(|reason| line(&mut text, "", reason));
            let remedy = if held.releasable {
                format!("release: k2hdkc-agent confirm {}", held.id)
            } else {
                "no confirmation can release that: chmpx would end on such a file".to_owned()
            };
            line(&mut text, "", &remedy);
        }
        for absence in &self.waiting {
            let (node, seen) = (&absence.node, absence.polls);
            let gone = waited(absence.since, boot);
            line(
                &mut text,
                "waiting",
                &format!("{}:{} has been missing for {gone} ({seen} answers)", node.name, node.ctlport),
            );
        }
        self.changes.iter().for_each(|change| line(&mut text, "change", change));
        self.left_out.iter().for_each(|member| line(&mut text, "left out", member));
        self.notes.iter().for_each(|note| line(&mut text, "note", note));
        if let Some(error) = &self.settings_error {
            line(&mut text, "settings", "the new configuration is refused, the old one stays:");
            error.lines().for_each(|error| line(&mut text, "", error));
        }
        text
    }

    fn head(&self, text: &mut String, now: Timestamp) {
        let running = match (self.pid, self.started) {
            (Some(pid), Some(started)) => format!("running, pid {pid}, since {}", age(started, now)),
            _ => "not running; this is what its ledger says".to_owned(),
        };
        line(text, "agent", &format!("k2hdkc-agent {} {running}", self.version));
        let since = self.since.map_or(String::new(), |since| format!(" (for {})", age(since, now)));
        let state = self.state.map_or_else(|| kept::state(self.last.as_ref(), now), |_| self.line.clone());
        line(text, "state", &format!("{state}{since}"));
        let last = self.last_good.map(|last| format!("{} ago", age(last, now)));
        let last = last.unwrap_or_else(|| kept::last_good(self.last.as_ref(), self.pid.is_some(), now));
        let took = self.answer_ms.map_or(String::new(), |ms| format!(", the last took {ms} ms"));
        let next = match self.next_question {
            Some(next) if next > now => format!(", next in {}", spoken(next.since(now))),
            Some(_) => ", next now".to_owned(),
            None => String::new(),
        };
        line(text, "answer", &format!("last good one {last}{took}{next}"));
        self.membership_lines(text, now);
        line(text, "file", &self.ini);
        match &self.picked {
            Some(picked) => line(text, "supervisor", &picked.text()),
            None if self.supervisor == "auto" => {
                line(
                    text,
                    "supervisor",
                    "auto (nothing is picked before there is a file that names this node)",
                );
            }
            None => {}
        }
    }

    fn membership_lines(&self, text: &mut String, now: Timestamp) {
        if let Some(registration) = &self.registration {
            line(text, "role", &registration.line);
        }
        if let Some(leaving) = &self.leaving {
            let word = if leaving.force { ", forced" } else { "" };
            line(
                text,
                "leaving",
                &format!("since {}{word}: {}", age(leaving.since, now), leaving.stage.text()),
            );
        }
    }

    fn standing_lines(&self, text: &mut String, now: Timestamp) {
        let Some(standing) = &self.standing else { return };
        let process = |process: Option<Process>| match process {
            Some(process) => format!("pid {}, since {}", process.pid, age(process.since, now)),
            None => "does not run".to_owned(),
        };
        line(text, "chmpx", &process(standing.chmpx));
        // A slave has none.
        let server = standing.said.as_ref().is_none_or(|said| !said.status.is_slave());
        if server || standing.k2hdkc.is_some() {
            line(text, "k2hdkc", &process(standing.k2hdkc));
        }
        let word = if standing.state == State::Held { "ATTENTION: " } else { "" };
        let seen = standing.said.as_ref().map(|said| now.since(said.at)).filter(|age| *age > PRESENT);
        let old = seen.map_or_else(String::new, |age| format!(" (as chmpx said {} ago)", spoken(age)));
        line(text, "ring", &format!("{word}{}{old}", standing.text));
        if let Some(said) = &standing.said {
            let loaded = said.fileversion.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let (healthy, all) = standing.healthy();
            let seen = age(said.at, now);
            line(
                text,
                "",
                &format!("this node {}, generation {loaded} loaded, seen {seen} ago", said.status),
            );
            let old = now.since(said.at) > PRESENT;
            let old = if old { format!(", {seen} ago") } else { String::new() };
            line(text, "", &format!("{healthy} of {all} servers in service{old}"));
            let others = said.servers.iter().filter(|(_, status)| !status.is_healthy());
            others.for_each(|(name, status)| line(text, "", &format!("{name} {status}")));
        }
        if let Some(silent) = &standing.silent {
            line(text, "", &format!("last question: {silent}"));
        }
        if let Some((at, step)) = &self.last_step {
            line(text, "last step", &format!("{step} ({} ago)", age(*at, now)));
        }
    }

    fn generation_lines(&self, text: &mut String, now: Timestamp) {
        let unseen = if self.supervisor == "none" { "not observed (supervisor none)" } else { "none yet" };
        let shown = |generation: &Option<Generation>, otherwise: &str| match generation {
            Some(g) => format!("{} (ring {}, {} ago)", g.fileversion, g.ring, age(g.at, now)),
            None => otherwise.to_owned(),
        };
        line(text, "desired", &shown(&self.generations.desired, "none yet"));
        line(text, "written", &shown(&self.generations.written, "none yet"));
        line(text, "applied", &shown(&self.generations.applied, unseen));
        line(text, "verified", &shown(&self.generations.verified, unseen));
    }
}

impl Generations {
    fn of(ledger: &Ledger) -> Self {
        Self {
            desired: ledger.desired.clone(),
            written: ledger.written.clone(),
            applied: ledger.applied.clone(),
            verified: ledger.verified.clone(),
        }
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key:<12}{value}");
}

fn age(since: Timestamp, now: Timestamp) -> String {
    spoken(now.since(since))
}

/// How long something has been waited for; a wait of another boot begins anew with the next pass.
fn waited(since: BootTime, now: BootTime) -> String {
    now.since(since).map_or_else(|| "the last boot".to_owned(), spoken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Doubt, DoubtKind};
    use crate::fixtures::{self, boot_time};
    use crate::plan::{Change, Class, Plan};
    use crate::ring::Mode;
    use crate::standing::Said;
    use crate::supervisor::Kind;
    use crate::view::NodeStatus;
    use std::time::Duration;

    fn now() -> Now {
        Now { wall: Timestamp(1_000_000), boot: boot_time(900_000) }
    }

    fn generation(fileversion: u32) -> Generation {
        Generation { fileversion, ring: "abc".into(), at: Timestamp(940_000) }
    }

    fn ledger() -> Ledger {
        Ledger { desired: Some(generation(7)), written: Some(generation(7)), ..Ledger::default() }
    }

    fn running() -> Status {
        let mut status = Status::idle(&ledger(), "none", "/etc/antpickax/k2hdkc.ini".into());
        status.pid = Some(42);
        status.started = Some(Timestamp(400_000));
        status
    }

    fn answered(outcome: Outcome) -> Report {
        Report { asked: Some(Duration::from_millis(50)), ..fixtures::report(990_000, outcome) }
    }

    #[test]
    fn a_record_that_is_left_out_is_told_and_is_for_somebody_to_look_at() {
        let mut status = running();
        let member = "slave 192.0.2.7 of c/slave (no CUK, tag \"vm7\"): a CUK is empty".to_owned();
        status.take(&Report { left_out: vec![member.clone()], ..answered(Outcome::Unchanged) }, &ledger());
        assert!(!status.is_good());
        assert!(status.text(now()).contains(&format!("left out    {member}\n")), "{}", status.text(now()));
        assert!(
            status.summary().starts_with("1 record in K2HR3 is no good and left out; "),
            "{}",
            status.summary()
        );
        status.take(&answered(Outcome::Unchanged), &ledger());
        assert!(status.is_good());
    }

    #[test]
    fn a_good_status_is_short() {
        let mut status = running();
        status.take(&answered(Outcome::Unchanged), &ledger());
        status.next_question = Some(Timestamp(1_005_000));
        assert!(status.is_good());
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            status.text(now()),
            format!(
                "agent       k2hdkc-agent {version} running, pid 42, since 10 min 0 s\n\
                 state       unchanged: what is installed is what is wanted (for 10.0 s)\n\
                 answer      last good one 10.0 s ago, the last took 50 ms, next in 5.0 s\n\
                 file        /etc/antpickax/k2hdkc.ini\n\
                 desired     7 (ring abc, 1 min 0 s ago)\n\
                 written     7 (ring abc, 1 min 0 s ago)\n\
                 applied     not observed (supervisor none)\n\
                 verified    not observed (supervisor none)\n"
            )
        );
    }

    #[test]
    fn a_bad_status_says_everything_that_is_wrong() {
        let mut ledger = ledger();
        let node = crate::fixtures::server(2).key();
        let held = Held {
            id: "d73".into(),
            reasons: vec!["two gone".into()],
            since: now().boot,
            polls: 3,
            releasable: true,
        };
        ledger.guard.held = Some(held.clone());
        let mut report = answered(Outcome::Held(held));
        report.waiting = vec![Absence { node, mode: Mode::Server, since: boot_time(895_000), polls: 2 }];
        let change = Change { class: Class::Reload, text: "- server b".into() };
        report.plan = Some(Plan {
            class: Class::Reload,
            changes: vec![change],
            mode: crate::ring::Mode::Server,
            at_once: false,
        });
        report.notes = vec!["chmod 0600".into()];
        let mut status = running();
        status.take(&report, &ledger);
        status.settings_error = Some("a\nb".into());
        let text = status.text(now());
        for line in [
            "held        d73 since 0 ms, seen 3 times:\n            two gone\n            release: k2hdkc-agent confirm d73\n",
            "waiting     192.0.2.2:8021 has been missing for 5.0 s (2 answers)\n",
            "change      - server b   [live: chmpx takes it when the file is replaced]\n",
            "note        chmod 0600\n",
            "settings    the new configuration is refused, the old one stays:\n            a\n            b\n",
            "last good one never since the start",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        assert!(!status.is_good());
    }

    #[test]
    fn what_chmpx_said_is_told_with_its_age_unless_that_is_the_present() {
        let healthy = NodeStatus::HEALTHY;
        let said = |at| Said {
            at: Timestamp(at),
            fileversion: Some(7),
            status: healthy,
            servers: vec![("a".into(), healthy)],
        };
        let mut status = running();
        for (at, ring, servers, present) in [
            (998_000, "ring        all is well\n", "1 of 1 servers in service\n", true),
            (
                988_000,
                "ring        all is well (as chmpx said 12.0 s ago)\n",
                "1 of 1 servers in service, 12.0 s ago\n",
                false,
            ),
        ] {
            status.standing = Some(Standing { said: Some(said(at)), ..Standing::unknown("all is well") });
            let text = status.text(now());
            assert!(text.contains(ring) && text.contains(servers), "{text}");
            assert_eq!(status.is_present(now().wall), present);
        }
        status.standing = None;
        assert!(status.is_present(now().wall), "where nobody is asked, nothing gets old");
    }

    #[test]
    fn what_nobody_can_release_is_told_as_that() {
        let mut ledger = ledger();
        let held =
            Held { id: "d".into(), reasons: Vec::new(), since: boot_time(9), polls: 1, releasable: false };
        ledger.guard.held = Some(held);
        let status = Status::idle(&ledger, "none", String::new());
        assert!(status.text(now()).contains("no confirmation can release that"));
        let text = status.text(now());
        assert!(text.contains("not running; this is what its ledger says"));
        assert!(
            text.contains("\nstate       no pass yet\n")
                && text.contains("last good one not known to the ledger\n")
        );
        assert!(!status.is_good());
    }

    #[test]
    fn after_a_kill_it_says_what_the_ledger_knows_with_its_age() {
        let (line, node) = ("unchanged".to_owned(), crate::fixtures::server(2).key());
        let (at, last_good) = (Timestamp(880_000), Some(Timestamp(820_000)));
        let mut ledger = ledger();
        ledger.last = Some(LastPass { at, kind: crate::report::Kind::Unchanged, line, last_good });
        ledger.guard.absent = vec![Absence { node, mode: Mode::Server, since: boot_time(895_000), polls: 2 }];
        let mut status = Status::idle(&ledger, "none", String::new());
        let known = [
            "\nstate       unchanged (by the ledger, which noted this pass 2 min 0 s ago)\n",
            "\nanswer      last good one at most 3 min 0 s ago (by the ledger)",
            "\nwaiting     192.0.2.2:8021 has been missing for 5.0 s (2 answers)\n",
        ];
        for (pid, started) in [(None, None), (Some(7), Some(Timestamp(999_000)))] {
            (status.pid, status.started) = (pid, started);
            assert!(known.iter().all(|line| status.text(now()).contains(line)), "{}", status.text(now()));
            assert!(!status.is_good());
        }
        // A first doubt of the new agent does not make the last good answer unknown.
        let doubt = Outcome::Doubtful(Doubt::new(DoubtKind::TooSlow, "slow"));
        status.take(&answered(doubt), &ledger);
        assert!(status.text(now()).contains(known[1]) && !status.text(now()).contains(known[0]));
    }

    #[test]
    fn what_was_picked_is_told_with_its_reason() {
        let mut status = running();
        status.supervisor = "auto".into();
        assert!(status.text(now()).contains("\nsupervisor  auto (nothing is picked before"));
        status.supervisor = "systemd".into();
        status.picked = Some(Choice { kind: Kind::Systemd, why: "systemd has the unit x".into() });
        assert!(status.text(now()).contains("\nsupervisor  systemd (picked: systemd has the unit x)\n"));
        let json: serde_json::Value = serde_json::to_value(&status).unwrap();
        status.take(&answered(Outcome::Unchanged), &ledger());
        assert!(status.is_good());
        status.picked = Some(Choice { kind: Kind::None, why: "nothing was found".into() });
        assert!(!status.is_good(), "chmpx is nobody's business");
        assert!(status.summary().starts_with("supervisor none: nothing that runs chmpx was found; file 7: "));
        assert_eq!(json["picked"], serde_json::json!({"kind": "systemd", "why": "systemd has the unit x"}));
        assert_eq!(json["supervisor"], "systemd");
    }

    #[test]
    fn doubt_does_not_count_as_an_answer_and_does_not_end_a_state() {
        let mut status = running();
        status.take(&answered(Outcome::Unchanged), &ledger());
        let doubt = Outcome::Doubtful(Doubt::new(DoubtKind::TooSlow, "slow"));
        let later = Report { at: Timestamp(995_000), ..answered(doubt.clone()) };
        status.take(&later, &ledger());
        status.take(&Report { at: Timestamp(999_000), ..answered(doubt) }, &ledger());
        assert_eq!((status.last_good, status.since), (Some(Timestamp(990_000)), Some(Timestamp(995_000))));
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
        status.next_question = Some(Timestamp(0));
        assert!(status.text(now()).contains(", next now"));
    }
}
