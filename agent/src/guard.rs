//! The shrink guard and the quiescence of removals: whether an answer may be believed yet.
//!
//! K2HR3 answers 200 with a truncated or empty list while its backend is sick, and a reader misses a host that
//! is just registering again. So an addition is believed at once, a removal after it was seen again, and a loss
//! that is too large, or of a kind that never happens by itself, only after many polls over minutes or when an
//! operator confirms it. What is not believed changes nothing.
//!
//! Pure: the past is an argument and a result ([`Memory`]), and so is the time.

mod loss;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::BootTime;
use crate::problem::Note;
use crate::ring::{Mode, Node, NodeKey, Ring};
use crate::settings::Guard;
use loss::Loss;

/// Memory of the guard between two passes, and over a restart of the agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Installed nodes that the last answers did not have.
    pub absent: Vec<Absence>,
    /// The loss that is held now.
    pub held: Option<Held>,
    /// The loss that the operator or enough polls confirmed, until it is installed.
    pub confirmed: Option<String>,
    /// Servers whose removal was believed not long ago.
    #[serde(default)]
    pub gone: Vec<Gone>,
}

/// A server that went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    /// The server.
    pub node: NodeKey,
    /// When its removal was believed.
    pub at: BootTime,
}

impl Memory {
    /// Forgets everything but recent losses: the wanted ring is installed.
    #[must_use]
    pub fn at_rest(&self, rules: &Guard, now: BootTime) -> Self {
        Self { gone: self.recently_gone(rules, now).collect(), ..Self::default() }
    }

    /// Servers that went within the window. How long ago one went in another boot is not known: as if it went just now.
    fn recently_gone(&self, rules: &Guard, now: BootTime) -> impl Iterator<Item = Gone> {
        self.gone.iter().filter_map(move |gone| match now.since(gone.at) {
            Some(age) => (age < rules.window).then(|| gone.clone()),
            None => Some(Gone { at: now, ..gone.clone() }),
        })
    }
}

/// An installed node that is missing in K2HR3's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absence {
    /// The node.
    pub node: NodeKey,
    /// Server or slave.
    pub mode: Mode,
    /// When it was first missed.
    pub since: BootTime,
    /// In how many answers in a row.
    pub polls: u32,
}

/// A loss that waits for more polls or for the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Its name for `k2hdkc-agent confirm`: the same loss has the same name.
    pub id: String,
    /// Reasons for which it is held.
    pub reasons: Vec<Note>,
    /// Since when this very loss is held.
    pub since: BootTime,
    /// Answers in a row that showed it.
    pub polls: u32,
    /// `true` where polls or the operator can release it; a file without servers or without this host cannot be
    /// installed by anybody.
    pub releasable: bool,
}

impl Held {
    /// Returns true where servers or their keys are at stake, and not only the time of a change.
    pub fn is_loss(&self) -> bool {
        self.reasons.iter().any(|reason| reason.code != "change-too-long")
    }
}

/// Verdict on an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The ring may be installed: the answer, plus nodes whose removal is not yet believed.
    Believe(Ring),
    /// Holds the answer: the ring stays as it is. [`Memory::held`] has the loss.
    Hold,
}

/// The verdict, the next memory, and which removals wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The memory for the next pass.
    pub memory: Memory,
    /// Absences that are not yet believed.
    pub waiting: Vec<Absence>,
}

/// An answer before the guard.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The ring that is installed; without one there is nothing to lose, and the answer is believed.
    pub installed: Option<&'a Ring>,
    /// The ring that K2HR3 wants.
    pub answer: &'a Ring,
    /// Servers that chmpx reports as up; `None` where it was not asked.
    pub up: Option<&'a BTreeSet<NodeKey>>,
    /// Servers that have left the ring by a merge in which the others copied; `None` where chmpx runs the merges. Their keys are
    /// with the others, so that their removal is no loss.
    pub left: Option<&'a BTreeSet<NodeKey>>,
    /// The limit that a change of the number of servers would exceed; `None` where it would not, or is not this server's to hold.
    pub too_long: Option<TooLong>,
    /// The present.
    pub now: BootTime,
    /// `true` where the answer comes from a poll of its own, and counts; a pass for another reason judges the same
    /// answer again.
    pub fresh: bool,
}

/// A change of the ring that would stop the service for longer than the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// Predicted stop of the change.
    pub stop: Duration,
    /// Keys of the ring, about, by which that is predicted.
    pub keys: Option<u64>,
    /// The limit.
    pub limit: Duration,
}

impl Case<'_> {
    /// Returns true for a server whose keys are with the others.
    fn has_left(&self, node: &NodeKey) -> bool {
        self.left.is_some_and(|left| left.contains(node))
    }
}

/// Judges what the answer would take away from the installed ring.
pub fn judge(case: Case<'_>, memory: &Memory, rules: &Guard) -> Judgement {
    let Some(installed) = case.installed else {
        let verdict = Verdict::Believe(case.answer.clone());
        return Judgement { verdict, memory: Memory::default(), waiting: Vec::new() };
    };
    let absent = absences(installed, case, memory);
    let lost: Vec<_> = absent.iter().filter(|absence| absence.mode == Mode::Server).collect();
    let gone = recently_gone(case, memory, &lost, rules);
    let loss = Loss { installed, case, lost: &lost, gone: &gone };
    let reasons = loss.reasons(rules);
    if reasons.is_empty() {
        return ordinary(installed, case, absent, gone, rules);
    }
    let held = loss.held(&reasons, memory, case);
    // A newcomer is no mistake of K2HR3's: polls do not make its change shorter.
    let seen_enough = loss.joining().is_empty()
        && held.polls >= rules.confirm_polls
        && has_lasted(case, held.since, rules.confirm_for);
    let confirmed = memory.confirmed.as_ref() == Some(&held.id);
    if held.releasable && (seen_enough || confirmed) {
        // Kept as confirmed until it is installed, which may be some passes later.
        let gone = with_newly_gone(gone, &lost, case);
        let memory = Memory { absent, held: None, confirmed: Some(held.id), gone };
        return Judgement { verdict: Verdict::Believe(case.answer.clone()), memory, waiting: Vec::new() };
    }
    let memory = Memory { absent: absent.clone(), held: Some(held), confirmed: None, gone };
    Judgement { verdict: Verdict::Hold, memory, waiting: absent }
}

/// Servers that went within the window, without those that are back and those that are missed just now.
fn recently_gone(case: Case<'_>, memory: &Memory, lost: &[&Absence], rules: &Guard) -> Vec<Gone> {
    let back = |node: &NodeKey| case.answer.servers.iter().any(|server| server.key() == *node);
    let counted = |node: &NodeKey| lost.iter().any(|absence| absence.node == *node);
    let recent = memory.recently_gone(rules, case.now);
    recent.filter(|gone| !back(&gone.node) && !counted(&gone.node)).collect()
}

/// Tells whether it has been so for that time.
fn has_lasted(case: Case<'_>, since: BootTime, time: Duration) -> bool {
    case.now.since(since).is_some_and(|age| age >= time)
}

fn with_newly_gone(mut gone: Vec<Gone>, lost: &[&Absence], case: Case<'_>) -> Vec<Gone> {
    let lost = lost.iter().filter(|absence| !case.has_left(&absence.node));
    gone.extend(lost.map(|absence| Gone { node: absence.node.clone(), at: case.now }));
    gone
}

/// Every installed node that the answer lacks, with how long it has been lacking. This host itself is not gone where the
/// answer has it under another port: its own chmpx restarts.
fn absences(installed: &Ring, case: Case<'_>, memory: &Memory) -> Vec<Absence> {
    let (now, fresh) = (case.now, case.fresh);
    let mut absent = Vec::new();
    let own = installed.own().zip(case.answer.own()).filter(|(was, own)| own.is_again(was));
    for mode in [Mode::Server, Mode::Slave] {
        let present: BTreeSet<NodeKey> = case.answer.nodes(mode).iter().map(Node::key).collect();
        let is_own = |node: &Node| own.is_some_and(|(was, _)| std::ptr::eq(was, node));
        let missing = installed.nodes(mode).iter().filter(|node| !node.is_placeholder() && !is_own(node));
        for node in missing.map(Node::key).filter(|key| !present.contains(key)) {
            let past = memory.absent.iter().find(|absence| absence.node == node && absence.mode == mode);
            let (since, polls) = continued(past.map(|past| (past.since, past.polls)), now);
            absent.push(Absence { node, mode, since, polls: polls + u32::from(fresh || polls == 0) });
        }
    }
    absent
}

/// Continues a count within one boot, and begins at zero in another.
fn continued(past: Option<(BootTime, u32)>, now: BootTime) -> (BootTime, u32) {
    past.filter(|(since, _)| now.since(*since).is_some()).unwrap_or((now, 0))
}

/// A loss that is small enough to happen by itself: additions at once, removals as each is believed.
fn ordinary(
    installed: &Ring,
    case: Case<'_>,
    absent: Vec<Absence>,
    gone: Vec<Gone>,
    rules: &Guard,
) -> Judgement {
    let answer = case.answer;
    let believed =
        |a: &Absence| a.polls >= rules.removal_polls && has_lasted(case, a.since, rules.removal_for);
    let waiting: Vec<Absence> = absent.iter().filter(|absence| !believed(absence)).cloned().collect();
    let with_waiting = |mode: Mode| {
        let waits = |node: &&Node| waiting.iter().any(|a| a.mode == mode && a.node == node.key());
        let kept: Vec<Node> = installed.nodes(mode).iter().filter(waits).cloned().collect();
        // Nor does the placeholder stand in for slaves that are still there.
        let fits = |new: &&Node| !kept.iter().any(|old| collide(old, new) || new.is_placeholder());
        let mut nodes: Vec<Node> = answer.nodes(mode).iter().filter(fits).cloned().collect();
        nodes.extend(kept);
        nodes
    };
    let ring = Ring {
        profile: answer.profile.clone(),
        servers: with_waiting(Mode::Server),
        slaves: with_waiting(Mode::Slave),
    };
    let leaving: Vec<&Absence> = absent.iter().filter(|a| a.mode == Mode::Server && believed(a)).collect();
    let gone = with_newly_gone(gone, &leaving, case);
    let memory = Memory { absent, held: None, confirmed: None, gone };
    Judgement { verdict: Verdict::Believe(ring.canonical()), memory, waiting }
}

/// Two nodes that cannot stand in one file: chmpx would merge them or give both the same id.
fn collide(old: &Node, new: &Node) -> bool {
    let same_seed = !old.seed.is_empty() && old.seed == new.seed;
    same_seed || (old.name == new.name && old.ctlport == new.ctlport) && old.key() != new.key()
}

/// The codes of the reasons for which a loss is held.
#[cfg(test)]
pub(crate) const CODES: &[&str] = <words::Reason<'_> as crate::problem::Coded>::CODES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, ring, server};
    use proptest::prelude::*;

    const RULES: Guard = Guard {
        max_lost_servers: 1,
        max_lost_share: 0.5,
        confirm_polls: 3,
        confirm_for: Duration::from_secs(60),
        removal_polls: 2,
        removal_for: Duration::from_secs(10),
        window: Duration::from_secs(300),
    };

    fn at(ms: u64) -> BootTime {
        fixtures::boot_time(ms)
    }

    fn case_of<'a>(installed: &'a Ring, answer: &'a Ring, now: BootTime) -> Case<'a> {
        Case { installed: Some(installed), answer, up: None, left: None, too_long: None, now, fresh: true }
    }

    /// Judges a row of polls, one every `step` seconds; the last judgement.
    fn polls(installed: &Ring, answers: &[&Ring], step: u64) -> Judgement {
        let mut memory = Memory::default();
        let mut last = None;
        for (index, answer) in answers.iter().enumerate() {
            let now = at(1_000_000 + index as u64 * step * 1000);
            let case = case_of(installed, answer, now);
            let judgement = judge(case, &memory, &RULES);
            memory = judgement.memory.clone();
            last = Some(judgement);
        }
        last.unwrap()
    }

    fn believed(judgement: &Judgement) -> &Ring {
        match &judgement.verdict {
            Verdict::Believe(ring) => ring,
            Verdict::Hold => panic!("held: {:?}", judgement.memory.held),
        }
    }

    fn held(judgement: &Judgement) -> &Held {
        assert_eq!(judgement.verdict, Verdict::Hold);
        assert!(judgement.memory.held.as_ref().unwrap().is_loss());
        judgement.memory.held.as_ref().unwrap()
    }

    #[test]
    fn without_a_file_there_is_nothing_to_lose() {
        let case = Case {
            installed: None,
            answer: &ring(&[1], &[]),
            up: None,
            left: None,
            too_long: None,
            now: at(0),
            fresh: true,
        };
        assert_eq!(judge(case, &Memory::default(), &RULES).verdict, Verdict::Believe(ring(&[1], &[])));
    }

    #[test]
    fn an_addition_is_believed_at_once() {
        let judgement = polls(&ring(&[1, 2], &[1]), &[&ring(&[1, 2, 3], &[1, 2])], 1);
        assert_eq!(believed(&judgement), &ring(&[1, 2, 3], &[1, 2]));
        assert_eq!(judgement.waiting, []);
    }

    #[test]
    fn one_removal_is_believed_after_enough_polls_and_time() {
        let (before, after) = (ring(&[1, 2, 3], &[1]), ring(&[1, 2], &[1]));
        assert_eq!(believed(&polls(&before, &[&after], 10)), &before, "seen once");
        assert_eq!(believed(&polls(&before, &[&after, &after], 9)), &before, "too soon");
        assert_eq!(believed(&polls(&before, &[&after, &after], 10)), &after);
    }

    #[test]
    fn servers_that_have_left_the_ring_by_a_merge_are_no_loss_but_are_missed_for_as_long_as_others() {
        let (before, after) = (ring(&[1, 2, 3, 4], &[1]), ring(&[1, 2], &[1]));
        let left: BTreeSet<NodeKey> = [3, 4].map(|n| server(n).key()).into();
        let case = |left, ms| Case { left, ..case_of(&before, &after, at(ms)) };
        let first = judge(case(Some(&left), 0), &Memory::default(), &RULES);
        assert_eq!(believed(&first), &before, "not after one answer");
        let second = judge(case(Some(&left), 10_000), &first.memory, &RULES);
        assert_eq!((believed(&second), second.memory.gone.len()), (&after, 0));
        let one = [3].map(|n| server(n).key()).into();
        assert_ne!(
            judge(case(Some(&one), 0), &Memory::default(), &RULES).verdict,
            Verdict::Hold,
            "one may go"
        );
        held(&judge(case(None, 0), &Memory::default(), &RULES));
    }

    #[test]
    fn a_newcomer_whose_change_takes_too_long_waits_for_the_operator_and_no_number_of_polls_lets_it_in() {
        let (before, after) = (ring(&[1, 2], &[1]), ring(&[1, 2, 3], &[1]));
        let limit = Duration::from_secs(30);
        let too_long = TooLong { stop: Duration::from_secs(42), keys: Some(160_000), limit };
        let case = |ms| Case { too_long: Some(too_long), ..case_of(&before, &after, at(ms)) };
        let mut memory = Memory::default();
        for minute in 0..10 {
            memory = judge(case(minute * 60_000), &memory, &RULES).memory;
        }
        let held = memory.held.clone().unwrap();
        assert_eq!((held.polls, held.releasable, &*held.reasons[0].code), (10, true, "change-too-long"));
        assert!(!held.is_loss(), "no server goes");
        let text = "192.0.2.3:8021 (server3.example) would stop the ring for 42.0 s (about 160000 keys), and \
                    merge.longest-stop is 30.0 s";
        assert_eq!(held.reasons[0].text, text);
        memory.confirmed = Some(held.id.clone());
        assert_eq!(believed(&judge(case(700_000), &memory, &RULES)), &after);
        let more = ring(&[1, 2, 3, 4], &[1]);
        let another = judge(Case { answer: &more, ..case(700_000) }, &memory, &RULES);
        assert_ne!(another.memory.held.unwrap().id, held.id, "another change is another one to confirm");
    }

    #[test]
    fn a_limit_holds_nothing_where_nobody_joins() {
        let (before, after) = (ring(&[1, 2, 3], &[1]), ring(&[1, 2, 3], &[1, 2]));
        let too_long = TooLong { stop: Duration::from_secs(42), keys: None, limit: Duration::from_secs(30) };
        let judged = |answer| {
            let case = Case { too_long: Some(too_long), ..case_of(&before, answer, at(0)) };
            judge(case, &Memory::default(), &RULES)
        };
        assert_eq!(believed(&judged(&after)), &after);
        assert_eq!(believed(&judged(&ring(&[1, 2], &[1]))), &before, "one that goes waits as always");
    }

    #[test]
    fn a_blink_starts_the_count_anew() {
        let (before, after) = (ring(&[1, 2, 3], &[1]), ring(&[1, 2], &[1]));
        let judgement = polls(&before, &[&after, &before, &after], 10);
        assert_eq!(believed(&judgement), &before);
        assert_eq!(judgement.waiting[0].polls, 1);
    }

    #[test]
    fn additions_pass_while_a_removal_waits() {
        let judgement = polls(&ring(&[1, 2, 3], &[1, 2]), &[&ring(&[1, 2, 4], &[1])], 1);
        assert_eq!(believed(&judgement), &ring(&[1, 2, 3, 4], &[1, 2]));
        assert_eq!(judgement.waiting.len(), 2);
    }

    #[test]
    fn a_pass_without_a_poll_counts_nothing() {
        let (before, after) = (ring(&[1, 2, 3], &[1]), ring(&[1, 2], &[1]));
        let case = |fresh| Case { fresh, ..case_of(&before, &after, at(0)) };
        let first = judge(case(true), &Memory::default(), &RULES);
        let second = judge(case(false), &first.memory, &RULES);
        assert_eq!(second.waiting[0].polls, 1);
    }

    #[test]
    fn a_large_loss_is_held_until_it_was_seen_often_and_long() {
        let (before, after) = (ring(&[1, 2, 3, 4], &[1]), ring(&[1, 2], &[1]));
        let judgement = polls(&before, &[&after, &after, &after], 29);
        let reason = "2 of 4 servers would go at once: 192.0.2.3:8021, 192.0.2.4:8021";
        assert_eq!(held(&judgement).reasons, [reason]);
        assert_eq!(held(&judgement).polls, 3);
        assert_eq!(believed(&polls(&before, &[&after, &after, &after], 30)), &after);
    }

    #[test]
    fn another_loss_is_counted_anew() {
        let before = ring(&[1, 2, 3, 4], &[1]);
        let (one, other) = (ring(&[1, 2], &[1]), ring(&[1, 3], &[1]));
        let judgement = polls(&before, &[&one, &one, &other], 60);
        assert_eq!(held(&judgement).polls, 1);
    }

    #[test]
    fn servers_that_go_one_after_the_other_count_together_for_a_while() {
        let before = ring(&[1, 2, 3, 4, 5], &[1]);
        let one = ring(&[1, 2, 3, 4], &[1]);
        let first = polls(&before, &[&one, &one], 10);
        assert_eq!(believed(&first), &one);
        let rest = first.memory.at_rest(&RULES, at(1_010_000));
        assert_eq!((rest.gone.len(), rest.absent.len()), (1, 0));
        let two = ring(&[1, 2, 3], &[1]);
        let later = |seconds: u64| at(1_010_000 + seconds * 1000);
        let case = |now| case_of(&one, &two, now);
        let soon = judge(case(later(20)), &rest, &RULES);
        assert_eq!(
            held(&soon).reasons,
            ["1 of 4 servers would go less than 5 min 0 s after 192.0.2.5:8021 went: 192.0.2.4:8021"]
        );
        assert_eq!(believed(&judge(case(later(300)), &rest, &RULES)), &one, "an ordinary removal again");
        let back = judge(Case { answer: &before, ..case(later(20)) }, &rest, &RULES);
        assert_eq!((believed(&back), back.memory.gone.len()), (&before, 0));
    }

    #[test]
    fn a_share_is_a_limit_of_its_own() {
        let rules = Guard { max_lost_servers: 100, max_lost_share: 0.4, ..RULES };
        let (before, after) = (ring(&[1, 2], &[1]), ring(&[1], &[1]));
        let case = case_of(&before, &after, at(0));
        assert_eq!(judge(case, &Memory::default(), &rules).verdict, Verdict::Hold);
    }

    #[test]
    fn a_confirmed_loss_passes_and_only_that_one() {
        let (before, after) = (ring(&[1, 2, 3, 4], &[1]), ring(&[1], &[1]));
        let id = held(&polls(&before, &[&after], 1)).id.clone();
        let memory = Memory { confirmed: Some(id), ..Memory::default() };
        let case = |answer| Case { fresh: false, ..case_of(&before, answer, at(0)) };
        assert_eq!(believed(&judge(case(&after), &memory, &RULES)), &after);
        let more = ring(&[1, 5], &[1]);
        assert_eq!(believed(&judge(case(&more), &memory, &RULES)), &more, "the same loss with an addition");
        assert_eq!(judge(case(&ring(&[1, 2], &[1])), &memory, &RULES).verdict, Verdict::Hold);
    }

    #[test]
    fn an_answer_without_servers_or_without_this_host_is_held_for_good() {
        let before = ring(&[1, 2, 3], &[1]);
        for (answer, word) in [(ring(&[], &[1]), "no server"), (ring(&[2, 3], &[1]), "lacks this host")] {
            let many: Vec<&Ring> = std::iter::repeat_n(&answer, 50).collect();
            let judgement = polls(&before, &many, 60);
            assert!(held(&judgement).reasons[0].text.contains(word), "{:?}", held(&judgement));
            assert!(!held(&judgement).releasable);
        }
    }

    #[test]
    fn a_server_that_keeps_its_seed_and_moves_is_held_unless_the_old_one_is_known_to_be_down() {
        let before = ring(&[1, 2, 3], &[1]);
        let mut after = before.clone();
        after.servers[2].cuk = "another".into();
        let held_by = polls(&before, &[&after], 1);
        assert!(held(&held_by).reasons[0].text.contains("would become"), "{:?}", held(&held_by));
        let up = BTreeSet::from([server(1).key(), server(2).key()]);
        let case = Case { up: Some(&up), ..case_of(&before, &after, at(0)) };
        let judgement = judge(case, &Memory::default(), &RULES);
        assert_eq!(
            believed(&judgement),
            &before,
            "the new one waits until the removal of the old one is believed"
        );
    }

    #[test]
    fn another_ring_port_of_one_server_is_believed_and_of_several_held() {
        let before = ring(&[1, 2, 3], &[1]);
        let shifted = |numbers: &[usize], port: u16| {
            let mut after = before.clone();
            for number in numbers {
                after.servers[number - 1].port = Some(crate::names::Port::try_from(port).unwrap());
            }
            after
        };
        assert_eq!(believed(&polls(&before, &[&shifted(&[2], 8120)], 1)), &shifted(&[2], 8120));
        let all = shifted(&[1, 2, 3], 8120);
        let judgement = polls(&before, &[&all], 1);
        let told = held(&judgement);
        assert!(
            told.reasons[0].text.starts_with("3 servers would have another ring port at once: "),
            "{told:?}"
        );
        assert!(told.releasable);
        // Another port is another change, which is seen for the first time.
        let others = [&all, &all, &shifted(&[1, 2, 3], 8220)];
        assert_eq!(held(&polls(&before, &others, 60)).polls, 1);
        // A slave only lists them.
        let mut slave = before.clone();
        slave.profile.global.insert("MODE".into(), "SLAVE".into());
        let mut after = shifted(&[1, 2, 3], 8120);
        after.profile.global.insert("MODE".into(), "SLAVE".into());
        assert!(matches!(polls(&slave, &[&after], 1).verdict, Verdict::Believe(_)));
    }

    #[test]
    fn this_host_is_not_gone_where_it_has_another_control_port_and_the_others_are_held() {
        let before = ring(&[1, 2, 3], &[1]);
        let moved = |numbers: &[usize]| {
            let mut after = before.clone();
            after.profile.global.insert("SELFCTLPORT".into(), "8121".into());
            for number in numbers {
                after.servers[number - 1].ctlport = crate::names::Port::try_from(8121).unwrap();
            }
            after
        };
        assert_eq!(believed(&polls(&before, &[&moved(&[1])], 1)), &moved(&[1]));
        let all = polls(&before, &[&moved(&[1, 2, 3])], 1);
        assert_eq!(held(&all).reasons.len(), 3, "{:?}", held(&all));
        assert!(held(&all).releasable);
    }

    #[test]
    fn other_endpoints_under_the_same_seed_are_another_node_to_chmpx() {
        let before = ring(&[1, 2, 3], &[1]);
        let mut after = before.clone();
        after.servers[1].rest.insert("ENDPOINTS", "203.0.113.2:8020");
        let judgement = polls(&before, &[&after], 1);
        assert!(
            held(&judgement).reasons[0].text.contains("ENDPOINTS=203.0.113.2:8020"),
            "{:?}",
            held(&judgement)
        );
    }

    #[test]
    fn a_clock_that_is_set_back_delays_a_removal_and_does_not_stop_it() {
        let (before, after) = (ring(&[1, 2, 3], &[1]), ring(&[1, 2], &[1]));
        let at = |seconds: u64, memory: &Memory| {
            let now = at(seconds * 1000);
            judge(case_of(&before, &after, now), memory, &RULES)
        };
        let first = at(2_000_000, &Memory::default());
        let back = at(1_000_000, &first.memory);
        assert_eq!(believed(&back), &before);
        assert_eq!(believed(&at(1_000_010, &back.memory)), &after);
    }

    #[test]
    fn the_placeholder_slave_is_nobody_s_loss() {
        let mut before = ring(&[1], &[1]);
        before.slaves[0].cuk = crate::names::PLACEHOLDER_CUK.into();
        let after = ring(&[1], &[2]);
        assert_eq!(believed(&polls(&before, &[&after], 1)), &after);
    }

    #[test]
    fn the_placeholder_does_not_stand_in_for_slaves_that_wait() {
        let before = ring(&[1], &[1]);
        let mut after = before.clone();
        after.slaves[0].cuk = crate::names::PLACEHOLDER_CUK.into();
        after.slaves[0].seed = String::new();
        after.slaves[0].name = "127.0.0.1".into();
        assert_eq!(believed(&polls(&before, &[&after], 1)), &before);
        assert_eq!(believed(&polls(&before, &[&after, &after], 10)), &after);
    }

    #[test]
    fn another_boot_begins_every_count_anew() {
        let (before, one, two) = (ring(&[1, 2, 3, 4], &[1]), ring(&[1, 2, 3], &[1]), ring(&[1, 2], &[1]));
        let judged = |installed: &Ring, answer: &Ring, memory: &Memory, now| {
            judge(case_of(installed, answer, now), memory, &RULES)
        };
        let rebooted = |seconds: u64| fixtures::other_boot_time(seconds * 1000);
        // A removal and a held loss that were seen often and for hours …
        for answer in [&one, &two] {
            let mut past = polls(&before, &[answer], 1).memory;
            past.absent.iter_mut().for_each(|absence| absence.polls = 99);
            past.held.iter_mut().for_each(|held| held.polls = 99);
            for seconds in [0, 5, 9] {
                let judgement = judged(&before, answer, &past, rebooted(100_000 + seconds));
                assert!(judgement.waiting.iter().all(|absence| absence.polls < 4), "{judgement:?}");
                match judgement.verdict {
                    Verdict::Believe(ring) => assert_eq!(&ring, &before),
                    Verdict::Hold => assert!(held(&judgement).polls < 4),
                }
                past = judgement.memory;
            }
        }
        // … and a window: another server may not follow although the host was off for hours.
        let gone = Memory { gone: vec![Gone { node: server(4).key(), at: at(1) }], ..Memory::default() };
        let rest = gone.at_rest(&RULES, rebooted(100_000));
        assert_eq!(rest.gone[0].at, rebooted(100_000));
        assert!(
            held(&judged(&one, &two, &rest, rebooted(100_200))).reasons[0]
                .text
                .contains("would go less than")
        );
        assert_eq!(believed(&judged(&one, &two, &rest, rebooted(100_300))), &one, "an ordinary removal");
    }

    fn members() -> impl Strategy<Value = Vec<usize>> {
        proptest::collection::btree_set(2usize..12, 0..8)
            .prop_map(|set| std::iter::once(1).chain(set).collect())
    }

    proptest! {
        #[test]
        fn nothing_that_was_seen_missing_once_is_taken_away(before in members(), after in members()) {
            let (before, after) = (ring(&before, &[1]), ring(&after, &[1]));
            let judgement = polls(&before, &[&after], 1);
            if let Verdict::Believe(ring) = judgement.verdict {
                prop_assert!(before.servers.iter().all(|node| ring.servers.contains(node)));
                prop_assert!(after.servers.iter().all(|node| ring.servers.contains(node)));
            } else {
                prop_assert!(before.servers.iter().filter(|node| !after.servers.contains(node)).count() > 1);
            }
        }

        #[test]
        fn what_stays_long_enough_is_believed_in_the_end(before in members(), after in members()) {
            let (before, after) = (ring(&before, &[1]), ring(&after, &[1]));
            let judgement = polls(&before, &[&after; 5], 60);
            prop_assert_eq!(judgement.verdict, Verdict::Believe(after));
        }
    }
}
