//! The prediction of a change of the ring, and what waits for the operator by it.

use super::*;
use crate::clock::Timestamp;
use crate::lifecycle::Departure;
use crate::ring_change::course::{Ended, Outcome as Result, Who};
use crate::ring_change::prediction::Prediction;
use crate::ring_change::{Announcement, Hold, Progress};

/// Two servers whose k2hdkc has ten elements, and then three of them. A change may take a second.
async fn first_of_two(over_limit: &str) -> (Stage, tempfile::TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("k2hdkc.k2h");
    crate::file::store(&path, &supervisor::database::head(1)).unwrap();
    let with_keys = |servers: &[usize]| {
        let text = text_of(&says(servers)).replace("/data/k2hdkc.k2h", path.to_str().unwrap());
        Ok(Answer::Ini(text))
    };
    let config = format!(
        "[poll]\nsettle = \"0s\"\nmax-settle = \"0s\"\n[merge]\nby = \"agents\"\nlongest-stop = \"1s\"\nover-limit = \
         \"{over_limit}\"\n"
    );
    let mut stage = Stage::with(&config, true, vec![with_keys(&[1, 2]), with_keys(&[1, 2, 3])]);
    stage.poll().await;
    let view = well(&stage, 1);
    stage.sees(view);
    stage.reconciler.supervisor.k2hdkc_on_host =
        Some(supervisor::ProcessId { pid: std::process::id(), start_ticks: 1 });
    looks(&mut stage).await;
    (stage, keys)
}

fn stops_for(ms: u64) -> Prediction {
    Prediction { keys: Some(10), stop: Duration::from_micros(ms * 1000 + 500) }
}

#[tokio::test(start_paused = true)]
async fn a_server_predicts_by_its_keys_and_no_look_at_a_missing_file_disturbs_anything() {
    let (mut stage, keys) = first_of_two("run").await;
    assert_eq!(stage.reconciler.prediction(), Some(stops_for(1902)));
    let assigned = stage.reconciler.assignment().unwrap();
    assert_eq!(assigned.prediction, Some(stops_for(1902)));
    std::fs::remove_dir_all(keys.path()).unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;
    let report = looks(&mut stage).await;
    assert_eq!(report.ring.unwrap().predicted, None);
}

#[tokio::test(start_paused = true)]
async fn the_first_server_holds_a_newcomer_that_stops_the_ring_for_too_long_until_it_is_confirmed() {
    let (mut stage, _keys) = first_of_two("hold").await;
    let Outcome::Held(held) = stage.poll().await else { panic!() };
    assert_eq!(held.reasons[0].code, "change-too-long");
    stage.reconciler.confirm(Some(&held.id)).unwrap();
    let report = stage.reconciler.pass(Reason::Confirmed.into(), None).await;
    assert_eq!(installed(&report.outcome), 2);
    assert_eq!(stage.reconciler.store().ledger().guard.confirmed, None, "it was for this change");
}

#[tokio::test(start_paused = true)]
async fn another_server_and_one_that_may_run_it_hold_no_newcomer() {
    let (mut stage, _keys) = first_of_two("hold").await;
    let view = well(&stage, 1);
    let second = crate::chmpx_state::ChmpxState { own: view.servers[1].clone(), ..view };
    stage.sees(second);
    looks(&mut stage).await;
    assert_eq!(installed(&stage.poll().await), 2);
    let (mut stage, _keys) = first_of_two("run").await;
    assert_eq!(installed(&stage.poll().await), 2);
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_takes_too_long_is_confirmed_by_its_name_and_keeps_that() {
    let (mut stage, _keys) = first_of_two("hold").await;
    assert!(stage.reconciler.confirm(Some("leave")).unwrap_err().contains("nothing is held"));
    let leaving = Departure::begin(Timestamp::now(), Mode::Server, false, true);
    stage.reconciler.store.update(|ledger| ledger.processes.leaving = Some(leaving)).unwrap();
    assert!(stage.reconciler.confirm(None).unwrap_err().contains("nothing is held"), "it is not held yet");
    let hold = Hold::TooLong {
        of: Announcement::Leave,
        predicted: Duration::from_secs(2),
        limit: Duration::from_secs(1),
    };
    stage.reconciler.observe_ring(Some(Progress { hold: Some(hold), ..Progress::default() }));
    assert!(stage.reconciler.confirm(None).unwrap().starts_with("confirmed leave"));
    looks(&mut stage).await;
    let will = stage.reconciler.assignment().unwrap().will;
    assert!(will.leave && will.confirmed);
    stage.reconciler.stay().unwrap();
    looks(&mut stage).await;
    assert!(!stage.reconciler.assignment().unwrap().will.confirmed);
}

#[tokio::test(start_paused = true)]
async fn the_prediction_of_a_change_under_way_stays_and_its_end_is_kept() {
    let (mut stage, keys) = first_of_two("run").await;
    let merging = Progress { stage: crate::ring_change::Stage::Merging, ..Progress::default() };
    stage.reconciler.observe_ring(Some(merging));
    crate::file::store(&keys.path().join("k2hdkc.k2h"), &supervisor::database::head(0)).unwrap();
    looks(&mut stage).await;
    assert_eq!(stage.reconciler.prediction(), Some(stops_for(1902)));
    let ended = Ended {
        from: Some(2),
        to: 3,
        who: Who::default(),
        predicted: stage.reconciler.prediction(),
        stop: Duration::from_secs(2),
        copy: Duration::from_secs(1),
        cut: Duration::ZERO,
        result: Result::Done,
    };
    stage.reconciler.take_change(&ended);
    stage.reconciler.observe_ring(None);
    let ring = looks(&mut stage).await.ring.unwrap();
    assert_eq!((ring.last.map(|last| last.ended), ring.data.code), (Some(ended), "past-unseen".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_was_cut_off_is_predicted_longer_and_the_join_of_a_newcomer_waits_to_be_confirmed() {
    let (mut stage, keys) = first_of_two("hold").await;
    assert!(stage.reconciler.confirm(Some("join")).unwrap_err().contains("nothing is held"));
    let cut = Ended {
        from: Some(2),
        to: 2,
        who: Who { joining: ["c".to_owned()].into(), ..Who::default() },
        predicted: stage.reconciler.prediction(),
        stop: Duration::from_secs(20),
        copy: Duration::from_secs(16),
        cut: Duration::from_secs(16),
        result: Result::Undone,
    };
    stage.reconciler.take_change(&cut);
    looks(&mut stage).await;
    let predicted = Prediction { keys: None, stop: Duration::from_millis(33_500) };
    assert_eq!(stage.reconciler.prediction(), Some(predicted));
    std::fs::remove_dir_all(keys.path()).unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;
    looks(&mut stage).await;
    assert_eq!(stage.reconciler.prediction(), Some(predicted), "a newcomer has no count of its own");
    assert!(!stage.reconciler.assignment().unwrap().will.confirmed);
    assert!(stage.reconciler.confirm(Some("join")).unwrap().starts_with("confirmed join"));
    looks(&mut stage).await;
    assert!(stage.reconciler.assignment().unwrap().will.confirmed);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_held_on_while_the_first_server_does_not_know_how_long_its_change_takes() {
    let (mut stage, _keys) = first_of_two("hold").await;
    looks(&mut stage).await;
    assert!(stage.reconciler.store().ledger().processes.ring.held.is_some());
    // As in a boot: no k2hdkc, and then a server that is not in service yet.
    stage.reconciler.supervisor.k2hdkc_on_host = None;
    looks(&mut stage).await;
    assert_eq!(stage.reconciler.prediction(), None);
    assert!(matches!(stage.poll().await, Outcome::Held(_)));
    let mut observed = stage.reconciler.supervisor.observed.take().unwrap();
    observed.control.report = None;
    stage.reconciler.supervisor.observed = Some(observed);
    looks(&mut stage).await;
    let report = looks(&mut stage).await;
    assert!(matches!(report.outcome, Outcome::Held(_)), "{:?}", report.outcome);
}

#[tokio::test(start_paused = true)]
async fn a_kept_file_comes_back_with_automerge_as_the_ring_has_it_now() {
    let mut stage = Stage::with(
        "[poll]\nsettle = \"0s\"\nmax-settle = \"0s\"\n[merge]\nby = \"agents\"\n",
        true,
        vec![says(&[1, 2])],
    );
    let says_in_file =
        |stage: &Stage, line: &str| std::fs::read_to_string(stage.ini()).unwrap().contains(line);
    stage.poll().await;
    let view = well(&stage, 1);
    stage.sees(view);
    looks(&mut stage).await;
    assert!(says_in_file(&stage, "AUTOMERGE = off"));
    let doubt = Doubt::new(crate::answer::DoubtKind::NotReady, "a source that is away");
    (stage.reconciler.membership.answer, stage.reconciler.membership.doubt) = (None, Some(doubt));
    let insists = crate::ring_change::Merges::ByChmpx(crate::ring_change::ServerId::new("b"));
    stage.reconciler.observe_ring(Some(Progress { merges: insists, ..Progress::default() }));
    std::fs::remove_file(stage.ini()).unwrap();
    let report = looks(&mut stage).await;
    assert!(matches!(report.outcome, Outcome::Restored(..)), "{:?}", report.outcome);
    assert!(says_in_file(&stage, "AUTOMERGE = on") && says_in_file(&stage, "MERGETIMEOUT = 1000000000"));
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_delivers_at_random_is_left_to_chmpx_and_says_why() {
    let text = text_of(&says(&[1, 2])).replace("DELIVERMODE = hash", "DELIVERMODE = random");
    let config = "[poll]\nsettle = \"0s\"\nmax-settle = \"0s\"\n[merge]\nby = \"agents\"\n";
    let mut stage = Stage::with(config, true, vec![Ok(Answer::Ini(text))]);
    stage.poll().await;
    let view = well(&stage, 1);
    stage.sees(view);
    let report = looks(&mut stage).await;
    assert!(report.notes.iter().any(|note| note.starts_with("DELIVERMODE is random")), "{:?}", report.notes);
    assert_eq!(stage.reconciler.assignment().unwrap().limits.by, crate::settings::MergeBy::Chmpx);
}
