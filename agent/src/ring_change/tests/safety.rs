//! Properties of all decisions, over random courses of statuses, answers and settings.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::scene::{Roles, is_pending};
use super::*;
use crate::chmpx_state::Operation;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Statuses that chmpx has.
const STATUSES: [u32; 18] = [
    0x21, 0x21, 0x11, 0x10, 0x20, 0x10021, 0x10011, 0x1021, 0x1021, 0x2021, 0x3021, 0x1121, 0x2121, 0x3121,
    0x1221, 0x2221, 0x3221, 0x1220,
];

/// Rings in which something is to be done more often than in random ones.
const RINGS: [[u32; 4]; 12] = [
    [0x21, 0x21, 0x21, 0x11],
    [0x21, 0x21, 0x21, 0x1121],
    [0x1021, 0x1021, 0x1021, 0x1121],
    [0x1021, 0x1021, 0x1021, 0x1221],
    [0x2021, 0x2021, 0x3021, 0x3121],
    [0x3021, 0x3021, 0x3021, 0x3121],
    [0x3021, 0x1021, 0x3021, 0x3121],
    [0x21, 0x21, 0x1021, 0x21],
    [0x1021, 0x1021, 0x20, 0x1221],
    [0x1021, 0x1021, 0x20, 0x1121],
    [0x21, 0x21, 0x21, 0x21],
    [0x11, 0x11, 0x11, 0x11],
];

/// One stretch of a course: statuses in the list, in the views, and facts.
#[derive(Debug, Clone)]
struct Stretch {
    list: [u32; 4],
    views: [Option<u32>; 4],
    is_silent: bool,
    k2hdkc: u8,
    chmpx: u8,
    mark: u8,
    facts: u8,
    looks: u8,
}

#[derive(Debug, Clone)]
struct Course {
    node: usize,
    replicas: u32,
    foreign: Option<usize>,
    by_chmpx: bool,
    stretches: Vec<Stretch>,
}

fn ring() -> impl Strategy<Value = [u32; 4]> {
    let any = proptest::array::uniform4(proptest::sample::select(&STATUSES[..]));
    let one_off = (proptest::sample::select(&RINGS[..]), 0..4_usize, proptest::sample::select(&STATUSES[..]))
        .prop_map(|(mut ring, place, status)| {
            ring[place] = status;
            ring
        });
    prop_oneof![4 => proptest::sample::select(&RINGS[..]), 3 => one_off, 1 => any]
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let views = prop_oneof![
        3 => Just(None),
        1 => ring().prop_map(|ring| Some(ring.map(Some))),
        1 => proptest::array::uniform4(proptest::option::of(proptest::sample::select(&STATUSES[..]))).prop_map(Some),
    ];
    (ring(), views, proptest::bool::weighted(0.1), 0..3_u8, 0..3_u8, 0..3_u8, any::<u8>(), 1..60_u8).prop_map(
        |(list, views, is_silent, k2hdkc, chmpx, mark, facts, looks)| {
            let views = views.unwrap_or_else(|| list.map(Some));
            Stretch { list, views, is_silent, k2hdkc, chmpx, mark, facts, looks }
        },
    )
}

fn courses() -> impl Strategy<Value = Course> {
    let foreign = proptest::option::weighted(0.2, 0..4_usize);
    let by_chmpx = proptest::bool::weighted(0.1);
    (0..5_usize, 0..3_u32, foreign, by_chmpx, vec(stretch(), 1..8)).prop_map(
        |(node, replicas, foreign, by_chmpx, stretches)| Course {
            node,
            replicas,
            foreign,
            by_chmpx,
            stretches,
        },
    )
}

fn text(ring: [Option<u32>; 4]) -> String {
    let part = |(name, bits): (&str, Option<u32>)| match bits {
        Some(bits) => format!("{name}={bits:x}"),
        None => format!("{name}=-"),
    };
    NAMES.into_iter().zip(ring).map(part).collect::<Vec<_>>().join(" ")
}

fn process(number: u8) -> Process {
    [Process::Running, Process::Stopped, Process::Absent][usize::from(number)]
}

impl Course {
    fn bench(&self) -> Bench {
        let text = text(self.stretches[0].list.map(Some));
        let mut bench = match NAMES.get(self.node) {
            Some(own) => Bench::server(own, &text),
            None => Bench::slave(&text),
        };
        bench.inputs.replicas = self.replicas;
        if self.by_chmpx {
            bench.limits.by = MergeBy::Chmpx;
        }
        bench.foreign = self.foreign.iter().map(|place| id(NAMES[*place])).collect();
        bench
    }

    /// Goes the course, and shows each decision with the inputs and the history that it was made of.
    fn go(
        &self,
        mut see: impl FnMut(&Bench, &Decision) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let mut bench = self.bench();
        for stretch in &self.stretches {
            stretch.begin(&mut bench);
            for _ in 0..stretch.looks {
                bench.inputs.round = None;
                for _ in 0..2 {
                    let decision = bench.look();
                    see(&bench, &decision)?;
                    bench.history.record(&decision, bench.inputs.now);
                    let Action::Ask { who, dump } = decision.action else { break };
                    let answers = who.iter().map(|id| (id.clone(), bench.answer(id, dump))).collect();
                    bench.inputs.round = Some(Round { at: bench.inputs.now, answers });
                }
                bench.inputs.now += ms(50);
            }
        }
        Ok(())
    }
}

impl Stretch {
    fn begin(&self, bench: &mut Bench) {
        bench.show(&text(self.list.map(Some)));
        bench.views = statuses(&text(self.views));
        if self.is_silent {
            bench.inputs.list = None;
        }
        let fact = |bit: u8| self.facts & (1 << bit) != 0;
        let local = &mut bench.inputs.local;
        (local.k2hdkc, local.chmpx) = (process(self.k2hdkc), process(self.chmpx));
        local.mark = [Mark::Absent, Mark::Frozen, Mark::Thawed][usize::from(self.mark)];
        local.queues_empty = fact(0);
        bench.inputs.wish.leave = fact(3) && fact(4);
        bench.inputs.members = NAMES.into_iter().filter(|name| *name != "c" || !fact(5)).map(id).collect();
    }
}

fn commands(decision: &Decision) -> Vec<Command> {
    match &decision.action {
        Action::Send(orders) => orders.iter().map(|order| order.command.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Own views as the driver has them: the own entry and those of dismissed servers by the list, the rest by the answers.
fn views(bench: &Bench) -> BTreeMap<ServerId, Option<NodeStatus>> {
    let list = bench.inputs.list.clone().unwrap_or_default();
    let answered = |id: &ServerId| {
        let answer = bench.inputs.round.as_ref()?.answers.get(id)?.as_ref()?;
        answer.list.get(id).map(|entry| entry.status)
    };
    let view = |(id, entry): (ServerId, Entry)| {
        let known = Some(&id) == bench.inputs.own() || entry.status.bits() & 0x201 == 0x200;
        let status = if known { Some(entry.status) } else { answered(&id) };
        (id, status)
    };
    let in_ring = |(_, entry): &(ServerId, Entry)| entry.status.is_in_service();
    list.into_iter().filter(in_ring).map(view).collect()
}

/// A property of one look.
type Property = fn(&Bench, &Decision) -> Result<(), TestCaseError>;

/// MERGE is given only when everybody is Pending, nobody unknown, and nobody down in a view or in the list.
fn merges_only_when_all_are_pending(bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    if commands(decision).contains(&Command::Merge) {
        let views = views(bench);
        prop_assert!(views.values().all(Option::is_some), "somebody is unknown: {views:?}");
        let roles = Roles::of(views.into_iter().map(|(id, status)| (id, status.unwrap())).collect());
        prop_assert!(roles.ring().iter().all(|id| is_pending(roles.status(id))), "{roles:?}");
        prop_assert!(roles.down().is_empty(), "{roles:?}");
        let down = |entry: &Entry| entry.status.bits() & 0x321 == 0x20 || entry.status.bits() == 0x10021;
        prop_assert!(!bench.inputs.list.as_ref().unwrap().values().any(down), "somebody is down in the list");
    }
    Ok(())
}

/// COMPMERGE is not given beside a server that was skipped or still copies. A living leaver may be skipped beside a server that MERGE
/// has marked in the place of the dead: its copy is worth nothing, and it leaves in a merge of its own.
fn completes_only_what_was_copied(bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    if commands(decision).contains(&Command::CompMerge) {
        let statuses: Vec<_> = views(bench).into_values().flatten().collect();
        let any = |operation| statuses.iter().any(|status| status.operation() == operation);
        let marked = statuses.iter().any(|status| status.bits() == 0x3220);
        let skipped = |status: &&NodeStatus| status.operation() == Operation::Pending;
        let left_out = statuses.iter().filter(skipped).any(|status| !marked || status.bits() != 0x1221);
        prop_assert!(!(any(Operation::Done) && left_out), "{statuses:?}");
        prop_assert!(!any(Operation::Doing), "{statuses:?}");
    }
    Ok(())
}

/// Each stop has a limit, and stops the program of that kind of node.
fn stops_with_a_limit(bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    if let Action::Stop { program, limit } = decision.action {
        prop_assert!(limit > Duration::ZERO && limit <= ms(30_000));
        let slave = matches!(bench.inputs.node, Node::Slave(_));
        prop_assert_eq!(slave, program == Program::Chmpx);
    }
    Ok(())
}

/// A slave does not stop twice before its list was calm, unless its chmpx is another one.
fn freezes_once_a_change(bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    if matches!(decision.action, Action::Stop { program: Program::Chmpx, .. }) {
        prop_assert_eq!(bench.inputs.local.mark, Mark::Absent);
    }
    if decision.action == Action::Unmark && bench.inputs.local.chmpx != Process::Absent {
        let calm = |entry: &Entry| entry.status.bits() & 0x3300 == 0 || entry.status.bits() & 0x201 == 0x200;
        let over = |list: &List| list.values().all(calm);
        let answers = bench.inputs.round.iter().flat_map(|round| round.answers.values().flatten());
        let goes_on =
            bench.inputs.local.mark == Mark::Thawed && answers.clone().any(|answer| !over(&answer.list));
        prop_assert!(over(bench.inputs.list.as_ref().unwrap()) || goes_on);
    }
    Ok(())
}

/// Each look has a decision, a next look, and words.
fn decides_always(_: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    prop_assert!(decision.look_again >= ms(10) && decision.look_again <= ms(5000));
    prop_assert_eq!(decision.row.is_none(), decision.action == Action::Nothing);
    prop_assert!(!decision.progress.to_string().is_empty() && !decision.action.to_string().is_empty());
    Ok(())
}

/// A slave gives no command but UPDATESTATUS.
fn slaves_command_nothing(bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    if matches!(bench.inputs.node, Node::Slave(_)) {
        prop_assert!(commands(decision).iter().all(|command| *command == Command::UpdateStatus));
    }
    Ok(())
}

/// With `merge.by = "chmpx"` nothing is sent, stopped or ended.
fn leaves_all_to_chmpx(bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
    let chmpx = bench.limits.by == MergeBy::Chmpx;
    let rests = matches!(decision.action, Action::Nothing | Action::Continue { .. });
    prop_assert!(rests || !chmpx, "{:?}", decision.action);
    Ok(())
}

const PROPERTIES: [Property; 7] = [
    merges_only_when_all_are_pending,
    completes_only_what_was_copied,
    stops_with_a_limit,
    freezes_once_a_change,
    decides_always,
    slaves_command_nothing,
    leaves_all_to_chmpx,
];

/// Nothing but questions is asked for where another server is known to run AUTOMERGE: in a change only where that one takes part, not
/// where the change stands still, and not where others have come back and are to copy.
struct Foreign {
    known: bool,
    /// The list, and since when it is so.
    list: Option<(Option<List>, Instant)>,
}

impl Foreign {
    fn see(&mut self, bench: &Bench, decision: &Decision) -> Result<(), TestCaseError> {
        let own = bench.inputs.own();
        let answers = bench.inputs.round.iter().flat_map(|round| &round.answers);
        let mut answers =
            answers.filter(|(id, _)| Some(*id) != own).filter_map(|(_, answer)| answer.as_ref());
        self.known |= answers.any(|answer| answer.automerge.is_some_and(Automerge::is_on));
        let list = bench.inputs.list.as_ref();
        let lives =
            |id: &ServerId| list.and_then(|list| list.get(id)).is_some_and(|entry| entry.status.is_up());
        let calm = list.is_none_or(|list| list.values().all(|entry| entry.status.bits() & 0x3300 == 0));
        let takes_part = |id: &ServerId| {
            let entry = list.and_then(|list| list.get(id));
            entry.is_some_and(|entry| entry.status.is_in_service() || entry.status.bits() & 0x100 != 0)
        };
        let known = |id: &&ServerId| bench.inputs.members.contains(*id) || lives(id);
        let counts = bench.foreign.iter().filter(known).any(|id| calm || takes_part(id));
        let now = bench.inputs.now;
        let same = self.list.take().filter(|(before, _)| *before == bench.inputs.list);
        let (_, since) = self.list.insert(same.unwrap_or_else(|| (bench.inputs.list.clone(), now)));
        let stands = now - *since >= ms(12_000) && decision.row.is_some_and(Row::ends_change);
        let harmless = matches!(
            decision.action,
            Action::Nothing | Action::Ask { .. } | Action::Continue { .. } | Action::Unmark
        );
        let roles = Roles::of_list(list.unwrap_or(&List::new()));
        let back = roles.returners();
        let returns =
            !back.is_empty() && back.iter().all(|id| Some(id) == own || !bench.foreign.contains(id));
        prop_assert!(!(self.known && counts) || harmless || stands || returns, "{:?}", decision.action);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_of_every_course_is_safe(course in courses()) {
        let mut foreign = Foreign { known: false, list: None };
        course.go(|bench, decision| {
            foreign.see(bench, decision)?;
            PROPERTIES.iter().try_for_each(|property| property(bench, decision))
        })?;
    }
}

/// The table of the documentation has each row once, in the order in which the rows are tried.
#[test]
fn the_table_has_the_rows_in_their_order() {
    let source = include_str!("../../ring_change.rs");
    let table: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//! | `")).collect();
    let documented: Vec<_> = table.iter().map(|row| row.split('`').next().unwrap().to_owned()).collect();
    let rows: Vec<_> = Row::all().map(|row| format!("{row:?}")).collect();
    assert_eq!(documented, rows);
    let numbers: BTreeSet<_> =
        table.iter().filter_map(|row| row.split('|').nth(1)?.trim().parse().ok()).collect();
    assert_eq!(numbers, (1..=26).collect::<BTreeSet<u32>>(), "every row of the protocol has its place");
}

/// The match in `table` names each row, and no function is the condition of two but that of the two stops.
#[test]
fn the_match_has_the_rows_in_their_order() {
    let source = include_str!("../table.rs");
    let body = source.split("match row {").last().unwrap().split("\n    }\n").next().unwrap();
    let arms = body
        .lines()
        .filter_map(|line| line.trim().strip_prefix("R::"))
        .map(|line| line.split(" =>").next().unwrap());
    let arms: Vec<_> =
        arms.flat_map(|arm| arm.split(" | R::").map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(arms, Row::all().map(|row| format!("{row:?}")).collect::<Vec<_>>());
}
