//! The way back from a ring that ends chmpx, and what becomes of that ring.

use super::*;
use crate::clock::Timestamp;

#[tokio::test(start_paused = true)]
async fn a_ring_that_ends_chmpx_is_rolled_back_once_and_tried_again_only_when_it_is_another() {
    let mut stage = converged(vec![says(&[1, 2, 3]), Ok(Answer::Unchanged), says(&[1, 2, 4])]).await;
    assert_eq!(installed(&stage.poll().await), 2);
    let mut observed = stage.reconciler.supervisor.observed.take().unwrap();
    let was = observed.chmpx.take().unwrap();
    let was = Running { since: Instant::now() - Duration::from_secs(9), ..was };
    observed.control.report = None;
    observed.events.exits =
        vec![supervisor::Exit { program: Program::Chmpx, was, how: supervisor::ExitStatus::Exit(0) }];
    stage.reconciler.supervisor.observed = Some(observed);
    let report = stage.reconciler.pass(Reason::ProcessEnded.into(), None).await;
    let Outcome::RolledBack(generation, why) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((generation.fileversion, stage.servers().len()), (3, 2));
    assert!(why.starts_with("chmpx ended with status 0"), "{why}");
    let rejected = stage.reconciler.store().ledger().processes.rejected.clone().unwrap();
    assert_eq!(rejected.fileversion, 2);
    assert!(std::fs::read_to_string(&rejected.kept).unwrap().contains("cuk-3"));
    let view = well(&stage, 3);
    stage.sees(view);
    assert_eq!(stage.poll().await, Outcome::Rejected(rejected), "the same answer is not tried again");
    assert_eq!(installed(&stage.poll().await), 4, "another one is");
    assert_eq!(stage.reconciler.store().ledger().processes.rejected, None);
}

#[tokio::test(start_paused = true)]
async fn the_operator_may_have_a_rejected_ring_tried_again() {
    let mut stage = converged(vec![says(&[1, 2, 3])]).await;
    let text = text_of(&says(&[1, 2, 3])).replace("AUTOMERGE = on", "AUTOMERGE = off");
    let rejected = lifecycle::Rejected {
        ring: render::name(&fixtures::read(&text).ring),
        fileversion: 2,
        why: "x".into(),
        at: Timestamp::now(),
        kept: String::new(),
        gone: None,
    };
    stage.reconciler.store.update(|ledger| ledger.processes.rejected = Some(rejected.clone())).unwrap();
    assert_eq!(stage.poll().await, Outcome::Rejected(rejected.clone()));
    assert!(stage.reconciler.confirm(Some("other")).is_err());
    assert!(stage.reconciler.confirm(Some(rejected.id())).unwrap().contains("is tried again"));
    assert_eq!(installed(&stage.reconciler.pass(Reason::Confirmed.into(), None).await.outcome), 2);
}

/// A ring that has grown to five servers, each generation loaded, while a restart has waited all the time.
async fn waiting_for_long() -> Stage {
    let growing = |n: usize| {
        let text = text_of(&says(&(1..=n).collect::<Vec<_>>())).replace("MAXTHREAD = 20", "MAXTHREAD = 30");
        Ok(Answer::Ini(text))
    };
    let mut stage =
        converged(vec![growing(2), growing(3), growing(4), growing(5), Ok(Answer::Unchanged)]).await;
    stage.reconciler.settings.supervisor.restarts = crate::settings::Restarts::Never;
    for generation in 2..=5 {
        assert_eq!(installed(&stage.poll().await), generation);
        let view = well(&stage, generation);
        stage.sees(view);
        looks(&mut stage).await;
    }
    stage
}

#[tokio::test(start_paused = true)]
async fn the_way_back_is_the_generation_before_also_where_a_restart_has_waited_for_long() {
    let mut stage = Box::pin(waiting_for_long()).await;
    // It had reported the file, and ends seconds later.
    end_chmpx(&mut stage, supervisor::ExitStatus::Signal(11));
    let report = stage.reconciler.pass(Reason::ProcessEnded.into(), None).await;
    assert!(matches!(report.outcome, Outcome::RolledBack(..)), "{:?}", report.outcome);
    assert_eq!(stage.servers().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_ring_outlives_one_cut_answer_and_not_a_lasting_one() {
    let mut stage = converged(vec![says(&[1, 2, 3]), says(&[1, 2]), says(&[1, 2, 3]), says(&[1, 2])]).await;
    assert_eq!(installed(&stage.poll().await), 2);
    end_chmpx(&mut stage, supervisor::ExitStatus::Exit(0));
    let report = stage.reconciler.pass(Reason::ProcessEnded.into(), None).await;
    assert!(matches!(report.outcome, Outcome::RolledBack(..)), "{:?}", report.outcome);
    stage.reconciler.supervisor.observed.as_mut().unwrap().events.exits.clear();
    assert_eq!(stage.poll().await, Outcome::Unchanged);
    assert!(matches!(stage.poll().await, Outcome::Rejected(_)), "one poll later it is still rejected");
    stage.poll().await;
    let rejected = || stage.reconciler.store().ledger().processes.rejected.clone().unwrap();
    let long_ago = rejected().gone.unwrap().before(stage.reconciler.settings.guard.confirm_for);
    stage
        .reconciler
        .store
        .update(|ledger| ledger.processes.rejected.as_mut().unwrap().gone = Some(long_ago))
        .unwrap();
    stage.poll().await;
    assert_eq!(stage.reconciler.store().ledger().processes.rejected, None);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_way_back_chmpx_is_started_with_what_there_is() {
    let mut stage = converged(vec![says(&[1, 2, 3]), Ok(Answer::Unchanged)]).await;
    assert_eq!(installed(&stage.poll().await), 2);
    for (version, path) in stage.reconciler.store.good_files() {
        if version == 1 {
            std::fs::remove_file(path).unwrap();
        }
    }
    end_chmpx(&mut stage, supervisor::ExitStatus::Exit(0));
    let report = stage.reconciler.pass(Reason::ProcessEnded.into(), None).await;
    assert_eq!(report.processes.unwrap().state, crate::process_status::State::Held);
    stage.reconciler.supervisor.observed.as_mut().unwrap().events.exits.clear();
    let report = looks(&mut stage).await;
    assert_eq!(stage.reconciler.supervisor.acted, [Step::Start(Program::Chmpx)]);
    assert!(
        report.notes.iter().any(|note| note.contains("a rollback is not possible")),
        "{:?}",
        report.notes
    );
}

#[tokio::test(start_paused = true)]
async fn a_good_ring_is_not_rejected_for_what_somebody_elses_bad_file_did() {
    let mut stage = converged(vec![says(&[1, 2, 3]), Ok(Answer::Unchanged)]).await;
    assert_eq!(installed(&stage.poll().await), 2);
    crate::file::store(&stage.ini(), b"garbage\n").unwrap();
    let mended = stage.reconciler.pass(Reason::IniChanged.into(), None).await;
    assert_eq!((installed(&mended.outcome), stage.servers().len()), (3, 3));
    end_chmpx(&mut stage, supervisor::ExitStatus::Exit(0));
    let report = stage.reconciler.pass(Reason::ProcessEnded.into(), None).await;
    assert_eq!(report.outcome, Outcome::Unchanged);
    assert_eq!(stage.reconciler.store().ledger().processes.rejected, None);
    stage.reconciler.supervisor.observed.as_mut().unwrap().events.exits.clear();
    looks(&mut stage).await;
    assert!(
        stage.reconciler.supervisor.acted.contains(&Step::Start(Program::Chmpx)),
        "it starts with the good one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_slow_to_come_back_does_not_shrink_the_ring() {
    let mut stage = Box::pin(waiting_for_long()).await;
    let before = stage.servers().len();
    // "docker restart database", days later: chmpx had loaded this very file.
    tokio::time::advance(Duration::from_secs(600)).await;
    stage.reconciler.supervisor.observed = Some(Observed {
        absence: supervisor::Absence {
            externally_managed: vec![(Program::Chmpx, "chmpx comes by its helper in database".into())],
            ..supervisor::Absence::default()
        },
        file: supervisor::FilePlace { is_own: true, ..supervisor::FilePlace::default() },
        ..Observed::default()
    });
    for _ in 0..100 {
        stage.reconciler.pass(Reason::Look.into(), None).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(stage.servers().len(), before);
}
