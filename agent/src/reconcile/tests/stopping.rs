//! The stop for maintenance where its processes cannot be seen.

use super::*;
use crate::clock::Timestamp;
use crate::lifecycle::{Departure, Stage as Way};
use crate::process_status::State;
use crate::supervisor::Signal::Hangup;

/// A server that runs and was told to stop.
async fn stop_begun(force: bool) -> Stage {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let stopped = Departure::begin_stop(Timestamp::now(), Mode::Server, force, None);
    stage.reconciler.store.update(|ledger| ledger.processes.stopped = Some(stopped)).unwrap();
    stage.reconciler.supervisor.acted.clear();
    stage
}

/// No file, no kept one and no answer.
fn lose_the_file(stage: &mut Stage) {
    std::fs::remove_file(stage.ini()).unwrap();
    stage.reconciler.store.good_files().iter().for_each(|(_, path)| std::fs::remove_file(path).unwrap());
    (stage.reconciler.membership.answer, stage.reconciler.membership.doubt) = (None, None);
}

fn at(stage: &Stage) -> Way {
    stage.reconciler.stopped().unwrap().stage
}

async fn told(stage: &mut Stage) -> String {
    let processes = stage.reconciler.pass(Reason::Look.into(), None).await.processes.unwrap();
    assert_eq!(processes.state, State::Held, "{}", processes.text);
    assert!(stage.reconciler.look_at().is_some(), "it is looked again");
    processes.text
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_processes_that_nobody_sees_says_so_and_is_not_done() {
    for force in [false, true] {
        let mut stage = stop_begun(force).await;
        stage.reconciler.supervisor.observed = None;
        stage.reconciler.supervisor.again = None;
        let text = told(&mut stage).await;
        assert!(text.contains("are not the agent's here (supervisor none)"), "{text}");
        assert!(text.ends_with("'k2hdkc-agent start' calls the stop off"), "{text}");
        stage.reconciler.supervisor.again = Some(Instant::now() + Duration::from_secs(9));
        assert!(told(&mut stage).await.contains("its processes are not seen yet"));
        stage.reconciler.supervisor.in_doubt = Some("Docker is away".to_owned());
        assert!(told(&mut stage).await.contains("are not seen (Docker is away)"));
        assert_eq!(at(&stage), Way::Draining, "{force}");
        assert_eq!(stage.reconciler.leaving(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_stopped_does_not_ask_the_others_whether_they_list_it() {
    for (stage_of_it, asked) in [(Way::Draining, 1), (Way::Stopping, 0), (Way::Stopped, 0)] {
        let mut stage = stop_begun(false).await;
        let update = |ledger: &mut crate::ledger::Ledger| {
            ledger.processes.stopped.as_mut().unwrap().stage = stage_of_it;
        };
        stage.reconciler.store.update(update).unwrap();
        stage.reconciler.pass(Reason::Look.into(), None).await;
        assert_eq!(
            stage.reconciler.supervisor.about.as_ref().unwrap().others.len(),
            asked,
            "{stage_of_it:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_file_does_not_stop_unless_somebody_insists_and_says_so() {
    let mut stage = stop_begun(false).await;
    lose_the_file(&mut stage);
    let text = told(&mut stage).await;
    assert!(text.contains("'k2hdkc-agent stop --force' stops all the same"), "{text}");
    assert_eq!((at(&stage), stage.reconciler.supervisor.acted.len()), (Way::Draining, 0));
    stage.reconciler.stop(true).unwrap();
    for _ in 0..4 {
        stage.reconciler.pass(Reason::Look.into(), None).await;
    }
    let (chmpx, k2hdkc) = (
        supervisor::ProcessId { pid: 7, start_ticks: 100 },
        supervisor::ProcessId { pid: 8, start_ticks: 200 },
    );
    let acted = std::mem::take(&mut stage.reconciler.supervisor.acted);
    assert_eq!(
        acted,
        [Step::Disable(Program::K2hdkc), Step::Signal(Program::K2hdkc, k2hdkc, Hangup)],
        "found by the path of the file"
    );
    stage.reconciler.supervisor.observed.as_mut().unwrap().k2hdkc = None;
    for _ in 0..4 {
        stage.reconciler.pass(Reason::Look.into(), None).await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(
        stage.reconciler.supervisor.acted,
        [Step::Disable(Program::Chmpx), Step::Signal(Program::Chmpx, chmpx, Hangup)]
    );
    stage.reconciler.supervisor.observed.as_mut().unwrap().chmpx = None;
    stage.reconciler.pass(Reason::Look.into(), None).await;
    assert_eq!(at(&stage), Way::Stopped);
}
