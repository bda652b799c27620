//! What a pass does with the processes, whatever becomes of the file.

use super::*;

#[tokio::test(start_paused = true)]
async fn loaded_is_what_chmpx_reports_and_applied_what_needs_nothing_more() {
    let mut stage = converged(vec![says(&[1, 2, 3])]).await;
    let ledger = stage.reconciler.store().ledger().clone();
    assert_eq!((&ledger.verified, &ledger.applied), (&ledger.written, &ledger.written));
    assert_eq!(installed(&stage.poll().await), 2);
    assert_eq!(looks(&mut stage).await.outcome, Outcome::Unchanged, "an answer from before says nothing");
    let view = well(&stage, 1);
    stage.sees(view);
    let report = looks(&mut stage).await;
    assert_eq!(stage.reconciler.store().ledger().verified.as_ref().unwrap().fileversion, 1);
    assert!(matches!(report.outcome, Outcome::Rewritten(..)), "{:?}", report.outcome);
    let view = well(&stage, 3);
    stage.sees(view);
    assert_eq!(looks(&mut stage).await.outcome, Outcome::Unchanged);
    let ledger = stage.reconciler.store().ledger().clone();
    assert_eq!((ledger.verified.unwrap().fileversion, stage.reconciler.store().good_files().len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn who_writes_the_file_in_place_is_ended_before_another_file_comes() {
    let mut stage = converged(vec![says(&[1, 2, 3])]).await;
    let before = std::fs::read_to_string(stage.ini()).unwrap();
    stage.reconciler.supervisor.observed.as_mut().unwrap().file.foreign_writer =
        Some(crate::supervisor::ForeignWriter::unit("a timer is active"));
    stage.reconciler.settings.supervisor.take_over = true;
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    assert_eq!(installed(&report.outcome), 2);
    assert_eq!(report.step, Some(Ok("take the file over: a timer is active".into())));
    let supervisor = &stage.reconciler.supervisor;
    assert_eq!((&*supervisor.acted, supervisor.files.last()), (&[Step::DisableWriter][..], Some(&before)));
}

#[tokio::test(start_paused = true)]
async fn a_changed_key_that_needs_a_restart_is_demanded_with_the_file() {
    let more = text_of(&says(&[1, 2])).replace("MAXTHREAD = 20", "MAXTHREAD = 30");
    let mut stage = converged(vec![Ok(Answer::Ini(more))]).await;
    assert_eq!(installed(&stage.poll().await), 2);
    let restart = stage.reconciler.store().ledger().processes.restart.clone().unwrap();
    assert_eq!((restart.chmpx, restart.k2hdkc.unwrap().pid), (None, 8));
    let view = well(&stage, 2);
    stage.sees(view);
    looks(&mut stage).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    let report = looks(&mut stage).await;
    let k2hdkc = supervisor::ProcessId { pid: 8, start_ticks: 200 };
    let stop = Step::Signal(Program::K2hdkc, k2hdkc, supervisor::Signal::Hangup);
    assert_eq!(
        stage.reconciler.supervisor.acted,
        [Step::Control(supervisor::ControlCommand::UpdateStatus), stop]
    );
    assert!(report.step.unwrap().unwrap().ends_with("needs a restart of k2hdkc"));
    let ledger = stage.reconciler.store().ledger();
    let numbers =
        [&ledger.written, &ledger.applied, &ledger.verified].map(|g| g.as_ref().unwrap().fileversion);
    assert_eq!(numbers, [2, 1, 1], "a process that runs on with the old key proves nothing of the new one");
    let view = well(&stage, 2);
    stage.sees(view);
    let k2hdkc = stage.reconciler.supervisor.observed.as_mut().unwrap().k2hdkc.as_mut().unwrap();
    k2hdkc.id = supervisor::ProcessId { pid: 9, start_ticks: 900 };
    looks(&mut stage).await;
    let ledger = stage.reconciler.store().ledger();
    assert_eq!((&ledger.applied, &ledger.verified), (&ledger.written, &ledger.written));
}

#[tokio::test(start_paused = true)]
async fn another_control_port_of_all_is_held_with_its_plan_and_then_taken_by_a_restart_at_once() {
    let moved = text_of(&says(&[1, 2])).replace("8021", "8121");
    let mut stage = converged(vec![Ok(Answer::Ini(moved))]).await;
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    assert!(matches!(report.outcome, Outcome::Held(_)), "{:?}", report.outcome);
    let plan = report.plan.unwrap();
    assert_eq!((plan.class, plan.at_once), (crate::plan::Class::RestartChmpx, true));
    stage.reconciler.confirm(None).unwrap();
    assert_eq!(installed(&stage.poll().await), 2);
    // chmpx listens, and is called, where it was started to.
    let view = well(&stage, 2);
    stage.sees(view);
    looks(&mut stage).await;
    let about = stage.reconciler.supervisor.about.clone().unwrap();
    assert_eq!((about.control.port(), about.own.1.get()), (8021, 8021));
    let k2hdkc = supervisor::ProcessId { pid: 8, start_ticks: 200 };
    assert_eq!(
        stage.reconciler.supervisor.acted.last(),
        Some(&Step::Signal(Program::K2hdkc, k2hdkc, supervisor::Signal::Hangup)),
        "no service is left, and nobody is waited for"
    );
    let chmpx = stage.reconciler.supervisor.observed.as_mut().unwrap().chmpx.as_mut().unwrap();
    chmpx.id = supervisor::ProcessId { pid: 9, start_ticks: 900 };
    looks(&mut stage).await;
    looks(&mut stage).await;
    let about = stage.reconciler.supervisor.about.clone().unwrap();
    assert_eq!((about.control.port(), about.own.1.get()), (8121, 8121));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_again_is_not_tried_ten_times_a_second() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let view = well(&stage, 99);
    stage.sees(view);
    break_the_state(&stage);
    for _ in 0..30 {
        tokio::time::advance(Duration::from_millis(100)).await;
        let report = stage.reconciler.pass(Reason::Look.into(), None).await;
        assert!(!report.outcome.is_good() || report.processes.is_some());
    }
    assert!(
        (1..=3).contains(&stage.reconciler.files.host.attempts()),
        "{}",
        stage.reconciler.files.host.attempts()
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_keeps_no_process_dead() {
    let mut stage = converged(vec![says(&[1, 2, 3])]).await;
    break_the_state(&stage);
    assert!(matches!(stage.poll().await, Outcome::Failed(_)));
    end_chmpx(&mut stage, supervisor::ExitStatus::Signal(9));
    for _ in 0..4 {
        looks(&mut stage).await;
        stage.reconciler.supervisor.observed.as_mut().unwrap().events.exits.clear();
    }
    assert!(stage.reconciler.supervisor.acted.contains(&Step::Start(Program::Chmpx)));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_in_a_pass_that_installs_is_done_in_the_next() {
    let mut stage = converged(vec![says(&[1, 2, 3])]).await;
    let observed = stage.reconciler.supervisor.observed.as_mut().unwrap();
    observed.chmpx.as_mut().unwrap().id = supervisor::ProcessId { pid: 9, start_ticks: 900 };
    assert_eq!(installed(&stage.poll().await), 2);
    assert_eq!(stage.reconciler.supervisor.acted, []);
    looks(&mut stage).await;
    let id = supervisor::ProcessId { pid: 8, start_ticks: 200 };
    assert_eq!(
        stage.reconciler.supervisor.acted,
        [Step::Signal(Program::K2hdkc, id, supervisor::Signal::Hangup)]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_the_processes_is_known_although_it_cannot_be_written() {
    let mut stage = converged(vec![Ok(Answer::Unchanged)]).await;
    break_the_state(&stage);
    let now = Instant::now();
    stage.reconciler.supervisor.observed.as_mut().unwrap().control.silent = Some((now, "no answer".into()));
    let mut told = false;
    for _ in 0..100 {
        let report = looks(&mut stage).await;
        told |= report.notes.iter().any(|note| note.contains("is not kept over a restart"));
    }
    let stopped = |step: &Step| matches!(step, Step::Signal(Program::K2hdkc, _, supervisor::Signal::Hangup));
    assert!(
        told && stage.reconciler.supervisor.acted.iter().any(stopped),
        "{:?}",
        stage.reconciler.supervisor.acted
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_that_rests_is_forgotten_with_the_settings_that_brought_it() {
    let mut stage = Stage::with(CONFIG, true, vec![says(&[1, 2]), says(&[1, 2, 3])]);
    stage.poll().await;
    assert_eq!(stage.poll().await, Outcome::Settling);
    assert!(stage.reconciler.settled_at().is_some());
    let settings = stage.reconciler.settings.clone();
    stage.reconciler.replace_settings(settings);
    assert_eq!(stage.reconciler.settled_at(), None);
}

#[tokio::test(start_paused = true)]
async fn processes_are_cared_for_while_k2hr3_is_away() {
    let mut stage = converged(vec![Err(doubt())]).await;
    stage.poll().await;
    let observed = stage.reconciler.supervisor.observed.as_mut().unwrap();
    observed.k2hdkc = None;
    observed.control.report.as_mut().unwrap().view.own.status =
        crate::chmpx_state::NodeStatus::from_bits(0x10021);
    looks(&mut stage).await;
    let report = looks(&mut stage).await;
    assert_eq!(report.outcome, Outcome::Doubtful(doubt()));
    assert_eq!(stage.reconciler.supervisor.acted, [Step::Start(Program::K2hdkc)]);
    assert_eq!(stage.reconciler.store().ledger().processes.started.unwrap().pid, 8);
}

#[tokio::test(start_paused = true)]
async fn while_something_moves_in_the_ring_chmpx_is_asked_often_and_a_calm_one_seldom_or_by_order() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    // The age of the file is of the real clock.
    stage.reconciler.settings.supervisor.timing.quiet_after_write = Duration::ZERO;
    let asks = async |stage: &mut Stage, seconds| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        stage.reconciler.pass(Reason::Look.into(), None).await;
        *stage.reconciler.supervisor.asked.last().unwrap()
    };
    for _ in 0..6 {
        // It speaks of its new file a few times.
        asks(&mut stage, 10).await;
    }
    assert_eq!(asks(&mut stage, 60).await, Ask::Start);
    assert_eq!(asks(&mut stage, 14).await, Ask::No);
    stage.reconciler.ask_soon();
    assert_eq!(asks(&mut stage, 0).await, Ask::Start, "somebody wants to know it now");
    stage.reconciler.ask_soon();
    assert_eq!(asks(&mut stage, 0).await, Ask::No, "but not twice in a second");
    stage.reconciler.supervisor.observed.as_mut().unwrap().control.report.as_mut().unwrap().view.servers[1]
        .status = crate::chmpx_state::NodeStatus::from_bits(0x2121);
    assert_eq!(asks(&mut stage, 15).await, Ask::Start);
    for _ in 0..3 {
        assert_eq!(asks(&mut stage, 1).await, Ask::Start);
        let left = stage.reconciler.look_at().unwrap() - Instant::now();
        assert!(left <= Duration::from_secs(1), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_chmpx_that_does_not_listen_yet_is_asked_five_times_a_second_on_a_server() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    stage.reconciler.settings.supervisor.timing.quiet_after_write = Duration::ZERO;
    let observed = stage.reconciler.supervisor.observed.as_mut().unwrap();
    (observed.control.report, observed.k2hdkc, observed.control.refuses) = (None, None, true);
    looks(&mut stage).await;
    for _ in 0..3 {
        tokio::time::advance(Duration::from_millis(200)).await;
        stage.reconciler.pass(Reason::Look.into(), None).await;
        assert_eq!(stage.reconciler.supervisor.asked.last(), Some(&Ask::Start));
    }
    stage.reconciler.supervisor.observed.as_mut().unwrap().control.refuses = false;
    looks(&mut stage).await;
    tokio::time::advance(Duration::from_millis(200)).await;
    stage.reconciler.pass(Reason::Look.into(), None).await;
    assert_eq!(stage.reconciler.supervisor.asked.last(), Some(&Ask::No), "one that is silent is not");
}
