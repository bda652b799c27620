//! Properties over every phase and intent: no situation leads to a step that loses keys.

use proptest::prelude::*;

use super::*;

/// Turns of one situation. Together they reach every phase under every intent.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one turn")]
struct Turns {
    runs: [bool; 3],
    bits: [u32; 3],
    older: bool,
    in_memory: bool,
    restart: Option<(Class, Urgency)>,
    departure: Option<(bool, bool, super::super::Stage)>,
    slave: bool,
    unseen: bool,
    rival: bool,
    misplaced: bool,
    surplus: bool,
    silent: bool,
    disabled: bool,
    leftovers: bool,
    isolated: bool,
    dead: bool,
}

const BITS: [u32; 14] =
    [0x10, 0x11, 0x10011, 0x20, 0x21, 0x10021, 0x1121, 0x2121, 0x3121, 0x2021, 0x1221, 0x2221, 0x3220, 0x1];

fn turns() -> impl Strategy<Value = Turns> {
    use super::super::Stage as At;
    let bits = || prop::sample::select(&BITS[..]);
    let class = prop_oneof![Just(Class::RestartK2hdkc), Just(Class::RestartChmpx)];
    let urgency = prop_oneof![Just(Urgency::Change), Just(Urgency::Deaf), Just(Urgency::Stuck)];
    let at = prop_oneof![Just(At::Draining), Just(At::Stopping), Just(At::Stopped), Just(At::Removing)];
    (
        (any::<[bool; 3]>(), [bits(), bits(), bits()], any::<[bool; 2]>()),
        prop::option::of((class, urgency)),
        prop::option::of((any::<bool>(), any::<bool>(), at)),
        prop::collection::vec(prop::bool::weighted(0.15), 10),
    )
        .prop_map(|((runs, bits, [older, in_memory]), restart, departure, seldom)| Turns {
            runs,
            bits,
            older,
            in_memory,
            restart,
            departure,
            slave: seldom[0],
            unseen: seldom[1],
            rival: seldom[2],
            misplaced: seldom[3],
            surplus: seldom[4],
            silent: seldom[5],
            disabled: seldom[6],
            leftovers: seldom[7],
            isolated: seldom[8],
            dead: seldom[9],
        })
}

impl Turns {
    fn stage(&self) -> Stage {
        let mut stage = Stage::well();
        if self.in_memory {
            stage.in_memory();
        }
        if let Some((class, urgency)) = self.restart {
            stage.persisted.demand_for_change(class, Some(CHMPX), Some(K2HDKC), "x", (boot(), 4));
            stage.persisted.restart.as_mut().unwrap().urgency = urgency;
        }
        if let Some((force, returns, at)) = self.departure {
            let leaving =
                Departure { stage: at, returns, ..Departure::begin(WALL, Mode::Server, force, true) };
            stage.persisted.set_way_out(leaving);
        }
        (0..3).for_each(|place| stage.set_peer(place, self.bits[place]));
        stage.set_own(self.bits[0]);
        if self.slave {
            stage.ring.profile.global.insert("MODE".into(), "SLAVE".into());
        }
        if self.disabled {
            stage.persisted.disabled.insert(Program::Chmpx);
        }
        if self.dead {
            let host = stage.ring.servers[1].control_address().unwrap().ip();
            stage.observed.peers.dead.lost.insert(host, crate::peers::Lost { since: stage.now, cut: true });
        }
        self.turn(&mut stage.observed, stage.now);
        stage
    }

    fn turn(&self, observed: &mut Observed, now: Instant) {
        if !self.runs[0] {
            (observed.chmpx, observed.control.report) = (None, None);
        }
        if !self.runs[1] {
            observed.k2hdkc = None;
        }
        if !self.runs[2] {
            observed.control.report = None;
        }
        if self.older
            && let Some(k2hdkc) = &mut observed.k2hdkc
        {
            k2hdkc.id.start_ticks = 50;
        }
        observed.unobservable = self.unseen.then(|| "the daemon is away".to_owned());
        observed.file.foreign_writer = self.rival.then(|| ForeignWriter::unit("a timer is active"));
        observed.file.out_of_sync = self
            .misplaced
            .then(|| crate::supervisor::OutOfSync::Replaceable("it has another one".to_owned()));
        observed.duplicates = if self.surplus { vec![(Program::Chmpx, 99)] } else { Vec::new() };
        observed.control.silent = self.silent.then(|| (now, "no answer".to_owned()));
        observed.leftovers = usize::from(self.leftovers);
        observed.peers.dead.isolated = self.isolated.then_some(now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_phase_under_any_intent_leads_to_a_step_that_loses_keys(
        turns in turns(), seconds in prop::collection::vec(0.0f64..40.0, 1..8),
    ) {
        let mut stage = turns.stage();
        let slave = turns.slave;
        let forced = turns.departure.is_some();
        for seconds in seconds {
            let next = stage.later(seconds).next();
            let (chmpx, k2hdkc) = (stage.observed.chmpx.is_some(), stage.observed.k2hdkc.is_some());
            match &next {
                Action::Step(Step::Start(_), _) => prop_assert!(!turns.surplus && !turns.unseen, "{next:?}"),
                // chmpx never stops while k2hdkc runs.
                Action::Step(Step::Signal(Program::Chmpx, ..), _) => prop_assert!(slave || !k2hdkc, "{next:?}"),
                // Data at risk never stops k2hdkc, unless the operator has the node leave.
                Action::Step(Step::Signal(Program::K2hdkc, ..), _) => {
                    let others = turns.bits[1..].contains(&0x21) && stage.observed.control.report.is_some();
                    prop_assert!(k2hdkc && (!turns.in_memory || others || forced), "{next:?}");
                }
                // Every hold says why.
                Action::Hold(text, _) => prop_assert!(!text.is_empty()),
                _ => {}
            }
            match &next {
                Action::Step(Step::Start(Program::Chmpx), _) => {
                    prop_assert!(!chmpx && (slave || !k2hdkc || turns.in_memory), "{next:?}");
                }
                Action::Step(Step::Start(Program::K2hdkc), _) => {
                    prop_assert!(chmpx && !k2hdkc && !slave, "{next:?}");
                    prop_assert!(turns.bits[1] & 1 == 1 || turns.bits[2] & 1 == 1, "alone: {next:?}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_has_ended_for_good_is_not_started_again(turns in turns(), seconds in 0.0f64..100.0) {
        let ends = |at| !matches!(at, super::super::Stage::Draining);
        if !turns.departure.is_some_and(|(_, _, at)| ends(at)) {
            return Ok(());
        }
        let next = turns.stage().later(seconds).next();
        prop_assert!(!matches!(next, Action::Step(Step::Start(_), _)), "{next:?}");
    }
}

#[test]
fn every_reason_has_a_code_of_its_own() {
    let mut codes: Vec<_> = words::Reason::codes().collect();
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all, "{codes:?}");
}

/// The table of the documentation has each phase once, in the order in which they are recognised.
#[test]
fn the_table_has_the_phases_in_their_order() {
    let table = include_str!("../../lifecycle.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented: Vec<_> = table.map(|row| row.split('`').next().unwrap()).collect();
    let source = include_str!("../phase.rs");
    let body = source.split("enum Phase<'a> {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants = body.lines().map(str::trim).filter(|line| line.starts_with(char::is_uppercase));
    let variants: Vec<_> = variants.map(|line| line.split(['(', ',']).next().unwrap()).collect();
    let without_own: Vec<_> = variants.into_iter().filter(|name| *name != "Own").collect();
    assert_eq!(documented, without_own);
}
