//! The model against the figures of the real programs (docs/facts.md).

use super::*;
use crate::model::status::Status;

const SECOND: Micros = 1_000_000;
const KEYS: usize = 240;

/// A ring with a slave, and what a test knows of it.
struct Lab {
    ring: Ring,
    servers: usize,
    ini: Ini,
}

impl Lab {
    fn new(servers: usize, replicas: usize, automerge: bool) -> Self {
        let ring = Ring::new(servers, 1, KEYS, Odds::calm(), fastrand::Rng::with_seed(7));
        let ini = Ini {
            slaves: Nodes::of([servers]),
            replicas,
            automerge,
            domerge: true,
            servers: Nodes::default(),
        };
        Self { ring, servers, ini }
    }

    fn slave(&self) -> Node {
        self.servers
    }

    fn pass(&mut self, time: Micros) {
        let now = self.ring.now();
        self.ring.run_until(now + time);
    }

    fn list(&mut self, members: &[Node]) {
        self.ini.servers = Nodes::of(members.iter().copied());
        for node in members.iter().copied().chain([self.servers]) {
            self.ring.write(node, self.ini);
        }
    }

    fn start(&mut self, node: Node) {
        self.ring.start_chmpx(node);
        self.pass(SECOND);
        self.ring.start_k2hdkc(node);
        self.pass(2 * SECOND);
    }

    /// Brings these into service with AUTOMERGE, one after the other, and the slave.
    fn up(&mut self, members: &[Node]) {
        self.list(members);
        for node in members.iter().copied() {
            self.start(node);
        }
        self.start(self.servers);
        assert_eq!(self.statuses(), vec![0x21; members.len()]);
    }

    /// Brings these into service by commands, all in one merge but the first.
    fn up_by_hand(&mut self, members: &[Node]) {
        self.list(members);
        for node in members.iter().copied() {
            self.start(node);
        }
        self.start(self.servers);
        for group in [&members[..1], &members[1..]] {
            for node in group.iter().copied() {
                self.order(node, Command::ServiceIn);
            }
            self.merge(members[0]);
        }
        assert_eq!(self.statuses(), vec![0x21; members.len()]);
    }

    fn order(&mut self, node: Node, command: Command) {
        assert_eq!(self.ring.order(node, node, command), Some(Reply::Succeed), "{command:?}");
        self.pass(SECOND / 20);
    }

    fn merge(&mut self, driver: Node) {
        self.order(driver, Command::Merge);
        self.pass(2 * SECOND);
        self.order(driver, Command::CompleteMerge);
        self.pass(SECOND);
    }

    /// Makes a server `[n/a][Pending]`, see docs/facts.md D11.
    fn pend(&mut self, node: Node) {
        self.order(node, Command::ServiceOut(node));
        self.order(node, Command::ServiceIn);
    }

    fn fill(&mut self, value: u32) {
        let slave = self.slave();
        (0..KEYS).for_each(|key| {
            self.ring.ask(slave, key, Deed::Set(value));
        });
        self.pass(SECOND);
        assert!(self.ring.outcomes().all(|outcome| outcome.answer == Answer::Ok));
    }

    fn read(&mut self, key: Key) -> Answer {
        let slave = self.slave();
        self.ring.ask(slave, key, Deed::Get);
        self.pass(SECOND / 10);
        self.ring.outcomes().next().map_or(Answer::Failed, |outcome| outcome.answer)
    }

    fn readable(&self) -> usize {
        self.ring.readable(self.slave())
    }

    fn statuses(&self) -> Vec<u64> {
        let own = |node| self.ring.list(node).map(|list| list.status(node).bits());
        self.ini.servers.iter().map(|node| own(node).unwrap_or_default()).collect()
    }
}

fn status(lab: &Lab, node: Node, of: Node) -> u64 {
    lab.ring.list(node).map_or(Status::GHOST, |list| list.status(of)).bits()
}

#[test]
fn with_automerge_a_fourth_server_hides_a_quarter_of_the_keys() {
    // docs/facts.md D10: 180 of 240 in two runs.
    let mut lab = Lab::new(4, 1, true);
    lab.up(&[0, 1, 2]);
    lab.fill(1);
    assert_eq!(lab.readable(), 240);
    lab.list(&[0, 1, 2, 3]);
    lab.start(3);
    assert_eq!((lab.statuses(), lab.readable()), (vec![0x21; 4], 180));
}

#[test]
fn with_automerge_a_leave_hides_half_of_the_keys() {
    // docs/facts.md D10: 59 of 120 (1 run); computed 1/2.
    let mut lab = Lab::new(4, 1, true);
    lab.up(&[0, 1, 2, 3]);
    lab.fill(1);
    lab.order(3, Command::ServiceOut(3));
    lab.pass(2 * SECOND);
    assert_eq!((lab.statuses(), lab.readable()), (vec![0x21, 0x21, 0x21, 0x11], 120));
}

#[test]
fn nearly_all_keys_that_were_written_to_one_server_stay_readable_while_the_ring_grows() {
    // docs/facts.md D9, last sentence: all of 150 other keys in one run, since nobody removes anything. The third server lacks
    // those of its slot 0, of which the fourth's coming gives it 5.
    let mut lab = Lab::new(4, 1, true);
    lab.up(&[0]);
    lab.fill(1);
    for count in 2..=4 {
        let members: Vec<Node> = (0..count).collect();
        lab.list(&members);
        lab.start(count - 1);
        let all = if count < 4 { 240 } else { 235 };
        assert_eq!((lab.statuses(), lab.readable()), (vec![0x21; count], all));
    }
}

#[test]
fn more_copies_after_the_change_hide_what_a_merge_should_bring() {
    // Measured: REPLICA raised to one less than there are servers, then a merge of each: 180 of 240, then 235.
    let mut lab = Lab::new(4, 1, false);
    lab.up_by_hand(&[0, 1, 2]);
    lab.fill(1);
    lab.list(&[0, 1, 2, 3]);
    lab.start(3);
    lab.order(3, Command::ServiceIn);
    lab.merge(0);
    assert_eq!(lab.readable(), 180);
    lab.ini.replicas = 3;
    lab.list(&[0, 1, 2, 3]);
    for node in 0..4 {
        lab.pend(node);
        lab.merge(node);
    }
    assert_eq!(lab.readable(), 235);
}

#[test]
fn more_extra_copies_than_other_servers_bring_one_slot() {
    // docs/facts.md D15: 240 written to one server, REPLICA 4 everywhere: readable 240, 20, 180, 200.
    let mut lab = Lab::new(5, 4, true);
    lab.up(&[0]);
    lab.fill(1);
    let mut readable = Vec::new();
    for count in 2..=5 {
        let members: Vec<Node> = (0..count).collect();
        lab.list(&members);
        lab.start(count - 1);
        assert_eq!(lab.statuses(), vec![0x21; count]);
        readable.push(lab.readable());
    }
    assert_eq!(readable, [240, 20, 180, 200]);
}

#[test]
fn one_copy_for_each_server_keeps_every_key_readable() {
    // docs/facts.md D15: REPLICA of one less than there are servers, raised by the reload that brings the next one.
    let mut lab = Lab::new(5, 0, true);
    lab.up(&[0]);
    lab.fill(1);
    for count in 2..=5 {
        lab.ini.replicas = count - 1;
        lab.list(&(0..count).collect::<Vec<_>>());
        lab.start(count - 1);
        assert_eq!((lab.statuses(), lab.readable()), (vec![0x21; count], 240));
    }
}

#[test]
fn a_merge_of_all_servers_loses_nothing() {
    // docs/facts.md D11, `4 -> 3` and `3 -> 4`.
    for replicas in 0..=1 {
        let mut lab = Lab::new(4, replicas, false);
        lab.up_by_hand(&[0, 1, 2]);
        lab.fill(1);
        lab.list(&[0, 1, 2, 3]);
        lab.start(3);
        lab.order(3, Command::ServiceIn);
        for node in 0..3 {
            lab.pend(node);
        }
        assert_eq!(lab.statuses(), [0x1021, 0x1021, 0x1021, 0x1121]);
        lab.merge(0);
        assert_eq!((lab.statuses(), lab.readable()), (vec![0x21; 4], 240), "join, REPLICA {replicas}");
        lab.order(1, Command::ServiceOut(1));
        for node in [0, 2, 3] {
            lab.pend(node);
        }
        lab.merge(1);
        assert_eq!((lab.statuses(), lab.readable()), (vec![0x21, 0x11, 0x21, 0x21], 240), "leave");
    }
}

#[test]
fn several_servers_join_and_leave_in_one_merge() {
    let mut lab = Lab::new(4, 1, false);
    lab.up_by_hand(&[0, 1]);
    lab.fill(1);
    lab.list(&[0, 1, 2, 3]);
    for node in [2, 3] {
        lab.start(node);
    }
    for node in [2, 3] {
        lab.order(node, Command::ServiceIn);
    }
    for node in [0, 1] {
        lab.pend(node);
    }
    lab.merge(0);
    assert_eq!((lab.statuses(), lab.readable()), (vec![0x21; 4], 240));
}

#[test]
fn a_merge_at_constant_number_is_no_cure() {
    // docs/facts.md D12: 90 to 110 of 120, of other keys.
    let mut lab = Lab::new(4, 1, false);
    lab.up_by_hand(&[0, 1, 2]);
    lab.fill(1);
    lab.list(&[0, 1, 2, 3]);
    lab.start(3);
    lab.order(3, Command::ServiceIn);
    lab.merge(0);
    assert_eq!(lab.readable(), 180);
    for node in 0..4 {
        lab.pend(node);
    }
    lab.merge(0);
    assert!(lab.readable() < 240, "{}", lab.readable());
    lab.order(3, Command::ServiceOut(3));
    lab.merge(3);
    assert_eq!(lab.readable(), 240, "without the newest server all that stay are where they were");
}

#[test]
fn a_server_that_dies_keeps_its_slot_without_automerge_and_loses_it_with() {
    // Measured: 240 of 240 without, 230 of 240 with it.
    let mut lab = Lab::new(3, 1, false);
    lab.up_by_hand(&[0, 1, 2]);
    lab.fill(1);
    lab.ring.kill_chmpx(1);
    lab.ring.kill_k2hdkc(1);
    lab.pass(SECOND);
    assert_eq!((status(&lab, 0, 1), lab.readable()), (0x20, 240));
    assert_eq!(lab.ring.order(0, 0, Command::Merge), Some(Reply::SomeServers), "refused while one is down");
    lab.start(1);
    assert_eq!((status(&lab, 0, 1), status(&lab, 1, 1)), (0x1021, 0x1021));
    lab.merge(1);
    assert_eq!((lab.statuses(), lab.readable()), (vec![0x21; 3], 240));

    let mut lab = Lab::new(3, 1, true);
    lab.up(&[0, 1, 2]);
    lab.fill(1);
    lab.ring.kill_chmpx(1);
    lab.pass(SECOND);
    assert_eq!(status(&lab, 0, 1), 0x10);
    assert!(lab.readable() < 240, "{}", lab.readable());
}

#[test]
fn w1_a_write_during_a_joining_server_s_copy_never_reaches_it() {
    let mut lab = Lab::new(4, 1, false);
    lab.up_by_hand(&[0, 1, 2]);
    lab.fill(1);
    lab.list(&[0, 1, 2, 3]);
    lab.start(3);
    lab.order(3, Command::ServiceIn);
    lab.order(0, Command::Merge);
    let slave = lab.slave();
    (0..KEYS).for_each(|key| {
        lab.ring.ask(slave, key, Deed::Set(2));
    });
    lab.pass(2 * SECOND);
    lab.order(0, Command::CompleteMerge);
    lab.pass(SECOND);
    lab.ring.outcomes().for_each(drop);
    let old = (0..KEYS).filter(|key| lab.read(*key) == Answer::Value(1)).count();
    assert!(old > 0);
}

#[test]
fn w2_a_write_that_a_leaving_server_takes_during_its_merge_is_lost() {
    let mut lab = Lab::new(4, 0, false);
    lab.up_by_hand(&[0, 1, 2, 3]);
    lab.fill(1);
    lab.order(3, Command::ServiceOut(3));
    for node in 0..3 {
        lab.pend(node);
    }
    lab.order(3, Command::Merge);
    let slave = lab.slave();
    let own: Vec<Key> = (0..KEYS).filter(|key| lab.ring.server_of(slave, *key) == Some(3)).collect();
    for key in &own {
        lab.ring.ask(slave, *key, Deed::Set(2));
    }
    lab.pass(2 * SECOND);
    assert!(lab.ring.outcomes().all(|outcome| outcome.answer == Answer::Ok));
    lab.order(3, Command::CompleteMerge);
    lab.pass(SECOND);
    let old = own.iter().filter(|key| lab.read(**key) != Answer::Value(2)).count();
    assert!(!own.is_empty() && old == own.len(), "{old} of {}", own.len());
}

#[test]
fn w3_a_request_in_a_queue_when_merge_is_given_takes_its_key_out_of_the_copy() {
    let wrong: usize = (1..=5).map(wrong_after_a_queue).sum();
    assert!(wrong > 0);
}

/// Returns the keys that are old or not there after a merge before which requests waited.
fn wrong_after_a_queue(seed: u64) -> usize {
    let mut lab = Lab::new(4, 0, false);
    lab.ring.rng = fastrand::Rng::with_seed(seed);
    lab.up_by_hand(&[0, 1, 2]);
    lab.fill(1);
    lab.list(&[0, 1, 2, 3]);
    lab.start(3);
    lab.order(3, Command::ServiceIn);
    for node in 1..3 {
        lab.pend(node);
    }
    // Written to the last server that still serves, whose threads get to it behind the question of the merge.
    let slave = lab.slave();
    let own: Vec<Key> = (0..KEYS).filter(|key| lab.ring.server_of(slave, *key) == Some(0)).collect();
    lab.ring.stop_k2hdkc(0, true);
    for key in &own {
        lab.ring.ask(slave, *key, Deed::Set(2));
    }
    lab.pend(0);
    lab.order(0, Command::Merge);
    lab.ring.odds().jumps = 0.9;
    lab.ring.stop_k2hdkc(0, false);
    lab.pass(2 * SECOND);
    lab.order(0, Command::CompleteMerge);
    lab.pass(SECOND);
    lab.ring.outcomes().for_each(drop);
    own.iter().filter(|key| lab.read(**key) != Answer::Value(2)).count()
}

#[test]
fn w4_the_server_that_issues_merge_for_a_dead_one_is_skipped() {
    let mut lab = Lab::new(4, 1, false);
    lab.up_by_hand(&[0, 1, 2, 3]);
    lab.fill(1);
    lab.ring.kill_chmpx(3);
    lab.ring.kill_k2hdkc(3);
    lab.pass(SECOND);
    lab.order(0, Command::ServiceOut(3));
    for node in 0..3 {
        lab.pend(node);
    }
    lab.order(0, Command::Merge);
    lab.pass(2 * SECOND);
    assert_eq!(lab.statuses()[..3], [0x1021, 0x3021, 0x3021]);
    lab.order(0, Command::AbortMerge);
    assert_eq!(status(&lab, 1, 3), 0x10);
}

#[test]
fn c29_a_copy_sticks_where_k2hdkc_answers_at_once_and_not_where_it_was_stopped() {
    let mut lab = Lab::new(3, 1, false);
    lab.up_by_hand(&[0, 1]);
    lab.fill(1);
    lab.list(&[0, 1, 2]);
    lab.start(2);
    lab.ring.odds().vain = 1.0;
    lab.order(2, Command::ServiceIn);
    lab.order(0, Command::Merge);
    lab.pass(30 * SECOND);
    assert_eq!(lab.statuses(), [0x21, 0x21, 0x2121]);
    lab.order(0, Command::AbortMerge);
    lab.order(0, Command::Merge);
    lab.pass(30 * SECOND);
    assert_eq!(lab.statuses(), [0x21, 0x21, 0x2121], "its thread still waits in vain");
    lab.ring.kill_chmpx(2);
    lab.ring.kill_k2hdkc(2);
    lab.pass(SECOND);
    lab.start(2);
    lab.order(2, Command::ServiceIn);
    lab.ring.stop_k2hdkc(2, true);
    lab.order(0, Command::Merge);
    lab.pass(SECOND / 5);
    lab.ring.stop_k2hdkc(2, false);
    lab.pass(2 * SECOND);
    assert_eq!(lab.statuses(), [0x21, 0x21, 0x3121]);
}

#[test]
fn a_vanished_host_stops_every_read_until_its_connections_are_cut() {
    let mut lab = Lab::new(3, 1, false);
    lab.up_by_hand(&[0, 1, 2]);
    lab.fill(1);
    lab.ring.vanish(2);
    for key in 0..KEYS {
        lab.ring.ask(3, key, Deed::Get);
    }
    lab.pass(3 * SECOND);
    let served = lab.ring.outcomes().count();
    (0..KEYS).for_each(|key| assert_eq!(lab.read(key), Answer::Failed));
    assert!(served < 240);
    assert!(lab.ring.wires(3).any(|wire| wire.peer == 2 && wire.unanswered > 0));
    for node in [0, 1, 3] {
        lab.ring.cut(node, 2);
    }
    lab.pass(SECOND);
    lab.ring.outcomes().for_each(drop);
    assert_eq!((status(&lab, 0, 2), status(&lab, 3, 2), lab.readable()), (0x20, 0x20, 240));
    assert!((0..KEYS).all(|key| lab.read(key) == Answer::Value(1)));
    lab.ring.reappear(2);
    lab.pass(SECOND);
    for node in [0, 1, 3] {
        lab.ring.cut(2, node);
    }
    lab.pass(12 * SECOND);
    assert_eq!((status(&lab, 0, 2), status(&lab, 2, 2)), (0x1021, 0x1021), "back, and its slot is kept");
}

#[test]
fn a_frozen_slave_makes_requests_wait_and_not_fail() {
    let mut lab = Lab::new(2, 0, false);
    lab.up_by_hand(&[0, 1]);
    lab.fill(1);
    lab.ring.freeze_chmpx(2, true);
    lab.ring.ask(2, 0, Deed::Get);
    lab.pass(3 * SECOND);
    assert_eq!(lab.ring.outcomes().count(), 0);
    lab.ring.freeze_chmpx(2, false);
    lab.pass(SECOND);
    assert_eq!(lab.ring.outcomes().map(|outcome| outcome.answer).collect::<Vec<_>>(), [Answer::Value(1)]);
}
