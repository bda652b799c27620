//! When chmpx is asked at all: by a command seldom, and never in the quiet after a replacement, whoever made it.

use super::*;

/// Puts the first of the answers in place as another process does, and makes a node of the second.
async fn beside(quiet: &str, patient: bool, answers: [&[usize]; 2]) -> Stage {
    let config = format!("{CONFIG}[supervisor.timing]\nquiet-after-write = \"{quiet}\"\n");
    let mut stage = Stage::with(&config, patient, answers.map(says).into());
    stage.poll().await;
    stage.reconciler.supervisor.asked.clear();
    stage.reconciler.processes = processes::Processes::default();
    let view = fixtures::view(&ring(&[1, 2], &[1]), 1);
    stage.sees(view);
    stage
}

#[tokio::test]
async fn a_command_asks_where_the_ring_changes_and_only_there() {
    let mut stage = beside("0ms", false, [&[1, 2], &[1, 2, 3]]).await;
    stage.poll().await;
    assert_eq!(stage.reconciler.supervisor.asked, [Ask::Wait]);
    let mut stage = beside("0ms", false, [&[1, 2], &[1, 2]]).await;
    stage.poll().await;
    assert_eq!(stage.reconciler.supervisor.asked, [Ask::No]);
}

#[tokio::test]
async fn a_command_asks_nothing_where_the_source_is_in_doubt() {
    let mut stage = beside("0ms", false, [&[1, 2], &[1, 2]]).await;
    stage.source = Told(vec![Err(doubt())]);
    stage.poll().await;
    assert_eq!(stage.reconciler.supervisor.asked, [Ask::No]);
}

#[tokio::test]
async fn a_command_waits_until_the_quiet_is_over() {
    let mut stage = beside("300ms", false, [&[1, 2], &[1, 2, 3]]).await;
    stage.poll().await;
    assert_eq!(stage.reconciler.supervisor.asked, [Ask::Wait]);
    let replaced = stage.reconciler.store().ledger().written.as_ref().unwrap().fileversion;
    assert_eq!(replaced, 2, "it was asked before");
}

#[tokio::test(start_paused = true)]
async fn a_command_does_not_wait_for_ever() {
    let mut stage = beside("1h", false, [&[1, 2], &[1, 2, 3]]).await;
    let begun = Instant::now();
    stage.poll().await;
    assert_eq!(stage.reconciler.supervisor.asked, [Ask::No]);
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_agent_is_quiet_too_where_somebody_else_replaced_the_file() {
    for (quiet, asks) in [("1h", Ask::No), ("0ms", Ask::Start)] {
        let mut stage = beside(quiet, true, [&[1, 2], &[1, 2]]).await;
        stage.poll().await;
        assert_eq!(stage.reconciler.supervisor.asked, [asks], "{quiet}");
    }
}

#[tokio::test]
async fn where_there_is_nothing_to_see_it_is_looked_again_when_the_target_wants_it_and_only_with_a_file() {
    let mut stage = Stage::new(true, vec![says(&[1, 2])]);
    let later = Instant::now() + Duration::from_secs(5);
    stage.reconciler.supervisor.again = Some(later);
    stage.poll().await;
    assert_eq!(stage.reconciler.look_at(), None, "there was no file yet, so nothing was asked");
    stage.poll().await;
    assert_eq!(stage.reconciler.look_at(), Some(later));
    stage.reconciler.supervisor.again = None;
    stage.poll().await;
    assert_eq!(stage.reconciler.look_at(), None);
}
