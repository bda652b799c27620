use super::*;
use crate::answer::{Doubt, DoubtKind};
use crate::chmpx_state::NodeStatus;
use crate::clock::Now;
use crate::fixtures::{self, boot_time};
use crate::plan::{Change, Class, Plan};
use crate::process_status::Said;
use crate::report::Outcome;
use crate::ring::Mode;
use crate::supervisor::Kind;
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
    status.agent.pid = Some(42);
    status.agent.started = Some(Timestamp(400_000));
    status
}

fn answered(outcome: Outcome) -> Report {
    Report { asked: Some(Duration::from_millis(50)), ..fixtures::report(990_000, outcome) }
}

#[test]
fn a_record_that_is_left_out_is_told_and_is_for_somebody_to_look_at() {
    let mut status = running();
    let text = "slave 192.0.2.7 of c/slave (no CUK, tag \"vm7\"): a CUK is empty".to_owned();
    let member = Note { code: "bad-cuk".into(), text };
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
    status.answer.next_question = Some(Timestamp(1_005_000));
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
        reasons: vec![Note { code: "too-many-servers".into(), text: "two gone".into() }],
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
    status.agent.settings_error = Some("a\nb".into());
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
        status.processes =
            Some(ProcessStatus { said: Some(said(at)), ..ProcessStatus::unknown("all is well") });
        let text = status.text(now());
        assert!(text.contains(ring) && text.contains(servers), "{text}");
        assert_eq!(status.is_present(now().wall), present);
    }
    status.processes = None;
    assert!(status.is_present(now().wall), "where nobody is asked, nothing gets old");
}

#[test]
fn what_nobody_can_release_is_told_as_that() {
    let mut ledger = ledger();
    let held = Held { id: "d".into(), reasons: Vec::new(), since: boot_time(9), polls: 1, releasable: false };
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
    ledger.last = Some(LastPass { at, code: OutcomeKind::Unchanged, text: line, last_good });
    ledger.guard.absent = vec![Absence { node, mode: Mode::Server, since: boot_time(895_000), polls: 2 }];
    let mut status = Status::idle(&ledger, "none", String::new());
    let known = [
        "\nstate       unchanged (by the ledger, which noted this pass 2 min 0 s ago)\n",
        "\nanswer      last good one at most 3 min 0 s ago (by the ledger)",
        "\nwaiting     192.0.2.2:8021 has been missing for 5.0 s (2 answers)\n",
    ];
    for (pid, started) in [(None, None), (Some(7), Some(Timestamp(999_000)))] {
        (status.agent.pid, status.agent.started) = (pid, started);
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
    status.agent.supervisor = "auto".into();
    assert!(status.text(now()).contains("\nsupervisor  auto (nothing is picked before"));
    status.agent.supervisor = "systemd".into();
    status.agent.picked = Some(Choice { kind: Kind::Systemd, why: "systemd has the unit x".into() });
    assert!(status.text(now()).contains("\nsupervisor  systemd (picked: systemd has the unit x)\n"));
    let json: serde_json::Value = serde_json::to_value(&status).unwrap();
    status.take(&answered(Outcome::Unchanged), &ledger());
    assert!(status.is_good());
    status.agent.picked = Some(Choice { kind: Kind::None, why: "nothing was found".into() });
    assert!(!status.is_good(), "chmpx is nobody's business");
    assert!(status.summary().starts_with("supervisor none: nothing that runs chmpx was found; file 7: "));
    assert_eq!(
        json["agent"]["picked"],
        serde_json::json!({"kind": "systemd", "why": "systemd has the unit x"})
    );
    assert_eq!(json["agent"]["supervisor"], "systemd");
}

#[test]
fn doubt_does_not_count_as_an_answer_and_does_not_end_a_state() {
    let mut status = running();
    status.take(&answered(Outcome::Unchanged), &ledger());
    let doubt = Outcome::Doubtful(Doubt::new(DoubtKind::TooSlow, "slow"));
    let later = Report { at: Timestamp(995_000), ..answered(doubt.clone()) };
    status.take(&later, &ledger());
    status.take(&Report { at: Timestamp(999_000), ..answered(doubt) }, &ledger());
    assert_eq!(
        (status.answer.last_good, status.outcome.as_ref().map(|outcome| outcome.since)),
        (Some(Timestamp(990_000)), Some(Timestamp(995_000)))
    );
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    status.answer.next_question = Some(Timestamp(0));
    assert!(status.text(now()).contains(", next now"));
}
