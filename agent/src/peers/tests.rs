//! The rule, look by look.

use super::*;

const LIMITS: Limits = Limits { dead_after: Duration::from_secs(3), cut: true };

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// The connection of host 1 to another host by that port.
fn to(last: u8, port: u16, unanswered: u8, quiet: f64) -> Connection {
    let ends = (SocketAddr::new(ip(1), port), SocketAddr::new(ip(last), 8020));
    Connection { ends, established: true, unanswered, quiet: Duration::from_secs_f64(quiet) }
}

/// A watch of three other hosts, at its looks.
struct Stage {
    history: History,
    answers: Answers,
    limits: Limits,
    begun: Instant,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let now = Instant::now() + Duration::from_hours(1);
        let answers = Answers { hosts: 3, ..Answers::default() };
        Self { history: History::default(), answers, limits: LIMITS, begun: now, now }
    }

    fn at(&mut self, seconds: f64) -> &mut Self {
        self.now = self.begun + Duration::from_secs_f64(seconds);
        self
    }

    fn look(&mut self, connections: &[Connection]) -> Decision {
        let seen = Seen { connections: connections.to_vec(), answers: self.answers.clone() };
        let (decision, history) = decide(&seen, &self.history, &self.limits, self.now);
        self.history = history;
        decision
    }

    fn answers(&mut self, last: u8) -> &mut Self {
        self.answers.latest.insert(ip(last), self.now);
        self
    }

    fn in_vain(&mut self) -> &mut Self {
        self.answers.in_vain = Some(self.now);
        self
    }

    /// Host 3 acknowledges nothing from 0 s on, up to 2.5 s.
    fn host_3_dies(&mut self) {
        for (at, unanswered) in [(0.3, 1), (1.0, 2), (2.0, 3), (2.5, 3)] {
            let decision = self.at(at).look(&[to(3, 1, unanswered, at), to(2, 2, 0, 0.1)]);
            assert_eq!((decision.cut, decision.findings), (Vec::new(), Findings::default()), "{at}");
            assert_eq!(decision.ask, at - 0.3 >= 1.2, "{at}");
        }
    }
}

fn lost(stage: &Stage, since: f64, cut: bool) -> BTreeMap<IpAddr, Lost> {
    BTreeMap::from([(ip(3), Lost { since: stage.begun + Duration::from_secs_f64(since), cut })])
}

#[test]
fn a_calm_ring_is_left_alone_and_nothing_is_kept() {
    let mut stage = Stage::new();
    let decision = stage.look(&[to(2, 1, 0, 600.0), to(3, 2, 0, 0.0)]);
    assert_eq!((decision, stage.history), (Decision::default(), History::default()));
}

#[test]
fn a_host_without_any_acknowledgement_is_cut_once_with_all_its_connections() {
    let mut stage = Stage::new();
    stage.host_3_dies();
    let all = [to(3, 1, 4, 3.4), to(3, 5, 0, 900.0), to(2, 2, 0, 0.1)];
    let decision = stage.at(3.4).look(&all);
    assert_eq!(decision.cut, [all[0].ends, all[1].ends]);
    assert_eq!(decision.findings.lost, lost(&stage, 0.3, true));
    // They are there for a moment.
    assert_eq!(stage.at(3.9).look(&all).cut, []);
    let decision = stage.at(4.4).look(&[to(2, 2, 0, 0.1)]);
    assert_eq!(
        (decision.cut, decision.findings.lost),
        (Vec::new(), lost(&stage, 0.3, true)),
        "it is not heard yet"
    );
    // chmpx connects again.
    let opening = Connection { established: false, ..to(3, 7, 2, 900.0) };
    assert_eq!(stage.at(5.0).look(&[opening]).findings.lost, lost(&stage, 0.3, true));
    assert_eq!(stage.at(9.0).look(&[to(3, 7, 0, 0.1)]).findings, Findings::default());
}

#[test]
fn a_connection_to_a_lost_host_that_nobody_accepts_is_cut_at_the_second_look() {
    let mut stage = Stage::new();
    stage.host_3_dies();
    stage.at(3.4).look(&[to(3, 1, 4, 3.4), to(2, 2, 0, 0.1)]);
    let opening = |last, port| Connection { established: false, ..to(last, port, 0, 0.0) };
    let all = [opening(3, 7), opening(2, 8)];
    assert_eq!(stage.at(5.0).look(&all).cut, []);
    assert_eq!(stage.at(5.2).look(&all).cut, [all[0].ends], "host 2 lives");
    assert_eq!(stage.at(5.4).look(&all).cut, [], "it is there for a moment");
    assert_eq!(stage.at(6.0).look(&[opening(3, 9)]).cut, []);
    let heard = stage.at(6.2).look(&[to(3, 9, 0, 0.0)]);
    assert_eq!((heard.cut, heard.findings), (Vec::new(), Findings::default()), "the host is back");
    assert_eq!(stage.at(6.4).look(&[opening(3, 11)]).cut, []);
    assert_eq!(stage.at(6.6).look(&[opening(3, 11)]).cut, []);
}

#[test]
fn new_evidence_after_a_cut_is_a_new_cut() {
    let mut stage = Stage::new();
    stage.host_3_dies();
    stage.at(3.4).look(&[to(3, 1, 4, 3.4), to(2, 2, 0, 0.1)]);
    stage.at(6.0).look(&[to(3, 7, 0, 0.1), to(2, 2, 0, 0.1)]);
    stage.at(7.0).look(&[to(3, 7, 2, 1.1), to(2, 2, 0, 0.1)]);
    let decision = stage.at(10.1).look(&[to(3, 7, 4, 4.2), to(2, 2, 0, 0.1)]);
    assert_eq!(decision.cut, [to(3, 7, 0, 0.0).ends]);
}

#[test]
fn one_acknowledgement_on_any_connection_clears_a_host() {
    let mut stage = Stage::new();
    stage.host_3_dies();
    let decision = stage.at(3.4).look(&[to(3, 1, 4, 3.4), to(3, 5, 0, 0.2), to(2, 2, 0, 0.1)]);
    assert_eq!((decision.cut, decision.findings), (Vec::new(), Findings::default()));
    // From there the time begins again.
    let decision = stage.at(5.0).look(&[to(3, 1, 5, 5.0), to(3, 5, 0, 1.8), to(2, 2, 0, 0.1)]);
    assert_eq!(decision.cut, []);
}

#[test]
fn a_short_breath_of_the_network_after_a_long_rest_is_no_evidence() {
    let mut stage = Stage::new();
    // Nothing was sent for ten minutes, and what is sent now waits for 1.4 s.
    let decision = stage.look(&[to(3, 1, 3, 600.0), to(2, 2, 0, 0.1)]);
    assert_eq!((decision.cut, decision.findings), (Vec::new(), Findings::default()));
    assert_eq!(stage.at(0.5).look(&[to(3, 1, 0, 0.1)]).findings, Findings::default());
    assert_eq!(stage.history, History::default());
}

#[test]
fn a_slow_host_and_a_connection_that_opens_are_no_evidence() {
    let mut stage = Stage::new();
    let opening = Connection { established: false, ..to(3, 1, 5, 900.0) };
    for at in [0.0, 2.0, 4.0, 8.0] {
        let decision = stage.at(at).look(&[opening, to(2, 2, 2, 4.0)]);
        assert_eq!((decision.cut, decision.findings), (Vec::new(), Findings::default()));
    }
}

#[test]
fn without_a_sign_of_another_host_nothing_is_cut_before_the_answers_are_there() {
    let mut stage = Stage::new();
    stage.at(0.3).look(&[to(3, 1, 1, 0.3), to(2, 2, 0, 60.0)]);
    let quiet = [to(3, 1, 4, 3.4), to(2, 2, 0, 63.0)];
    let decision = stage.at(3.4).look(&quiet);
    assert_eq!((decision.ask, decision.cut, decision.findings), (true, Vec::new(), Findings::default()));
    stage.at(3.5).answers(2);
    assert_eq!(stage.at(3.6).look(&quiet).cut, [quiet[0].ends]);
}

#[test]
fn a_host_that_nobody_answers_is_isolated_cuts_nothing_and_asks_on() {
    let mut stage = Stage::new();
    let quiet = |at: f64| [to(3, 1, 4, at), to(2, 2, 4, at)];
    stage.at(0.3).look(&[to(3, 1, 1, 0.3), to(2, 2, 1, 0.3)]);
    stage.at(1.5).in_vain();
    let decision = stage.at(3.4).look(&quiet(3.4));
    let isolated = Some(stage.now);
    assert_eq!((decision.ask, decision.cut), (true, Vec::new()));
    assert_eq!(decision.findings, Findings { isolated, ..Findings::default() });
    // Its pair has ended, and with it the connections.
    let decision = stage.at(20.0).look(&[]);
    assert_eq!((decision.ask, decision.findings.isolated), (true, isolated));
    stage.at(30.0).answers(2);
    let decision = stage.at(30.1).look(&[]);
    assert_eq!(decision, Decision::default());
}

#[test]
fn connections_that_outlasted_an_isolation_are_cut_since_their_queues_are_old() {
    let mut stage = Stage::new();
    let quiet = |at: f64| [to(3, 1, 6, at), to(2, 2, 6, at)];
    stage.at(0.3).look(&[to(3, 1, 1, 0.3), to(2, 2, 1, 0.3)]);
    stage.at(1.5).in_vain();
    stage.at(3.4).look(&quiet(3.4));
    stage.at(40.0).answers(2).answers(3);
    let decision = stage.at(40.1).look(&quiet(40.1));
    assert_eq!(decision.cut, [quiet(0.0)[1].ends, quiet(0.0)[0].ends]);
    assert_eq!(decision.findings.isolated, None);
}

#[test]
fn a_host_that_answers_a_question_itself_lives() {
    let mut stage = Stage::new();
    stage.host_3_dies();
    stage.at(3.0).answers(3);
    let decision = stage.at(3.4).look(&[to(3, 1, 4, 3.4), to(2, 2, 0, 0.1)]);
    assert_eq!((decision.cut, decision.findings), (Vec::new(), Findings::default()));
}

#[test]
fn in_a_ring_of_two_hosts_nobody_else_can_answer() {
    let mut stage = Stage::new();
    stage.answers.hosts = 1;
    stage.at(0.3).look(&[to(3, 1, 1, 0.3)]);
    stage.at(1.5).in_vain();
    assert_eq!(stage.at(3.4).look(&[to(3, 1, 4, 3.4)]).cut, [to(3, 1, 0, 0.0).ends]);
}

#[test]
fn with_cut_off_a_dead_host_is_only_reported() {
    let mut stage = Stage::new();
    stage.limits.cut = false;
    stage.host_3_dies();
    let decision = stage.at(3.4).look(&[to(3, 1, 4, 3.4), to(2, 2, 0, 0.1)]);
    assert_eq!((decision.cut, decision.findings.lost), (Vec::new(), lost(&stage, 0.3, false)));
}

#[test]
fn connections_of_a_host_to_itself_are_no_peer_s() {
    let mut stage = Stage::new();
    let own = |at: f64| Connection { ends: ((ip(1), 1).into(), (ip(1), 2).into()), ..to(3, 1, 9, at) };
    for at in [0.0, 4.0] {
        assert_eq!(stage.at(at).look(&[own(at)]), Decision::default());
    }
}

#[test]
fn findings_have_their_reasons_in_order() {
    let since = Instant::now();
    let findings = Findings {
        lost: BTreeMap::from([(ip(3), Lost { since, cut: true }), (ip(2), Lost { since, cut: false })]),
        isolated: Some(since),
        trouble: Some(Trouble::NoCapability),
    };
    let reasons = [
        Finding::Isolated,
        Finding::Silent(ip(2)),
        Finding::Cut(ip(3)),
        Finding::Trouble(Trouble::NoCapability),
    ];
    assert_eq!(findings.reasons(), reasons);
}
