//! What a command does where the processes have a file of their own.

use super::*;
use crate::target::{Misplaced, Rival};

/// A node whose file is installed, and whose processes are in a container.
async fn apart(answers: Vec<Result<Answer, Doubt>>) -> Stage {
    let mut stage = Stage::new(false, answers);
    installed(&stage.poll().await);
    stage.reconciler.target.observed = Some(Observed { apart: true, ..Observed::default() });
    stage
}

#[tokio::test]
async fn a_command_puts_what_it_installs_before_the_processes_and_moves_none() {
    let mut stage = apart(vec![says(&[1, 2]), says(&[1, 2, 3])]).await;
    installed(&stage.poll().await);
    assert_eq!(stage.reconciler.target.acted, [Step::Place]);
    assert_eq!(stage.poll().await, Outcome::Unchanged);
    assert_eq!(stage.reconciler.target.acted, [Step::Place], "nothing is to be done again");
}

#[tokio::test]
async fn a_command_mends_a_file_inside_that_is_another_one() {
    let mut stage = apart(vec![says(&[1, 2])]).await;
    let seen = stage.reconciler.target.observed.as_mut().unwrap();
    seen.misplaced = Some(Misplaced::Yet("the container has another one".into()));
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    assert_eq!(report.step, Some(Ok("put the file in place: the container has another one".into())));
}

#[tokio::test]
async fn a_command_leaves_a_file_that_somebody_else_rewrites_or_that_cannot_be_replaced_and_says_so() {
    for (misplaced, rival, note) in [
        (None, Some("a loop rewrites it"), "the file is not put before the processes: a loop rewrites it"),
        (Some(Misplaced::ForGood("it is mounted by itself".into())), None, "it is mounted by itself"),
    ] {
        let mut stage = apart(vec![says(&[1, 2]), says(&[1, 2, 3])]).await;
        let seen = stage.reconciler.target.observed.as_mut().unwrap();
        (seen.misplaced, seen.rival) = (misplaced, rival.map(Rival::unit));
        let answered = stage.ask().await;
        let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
        installed(&report.outcome);
        assert_eq!(report.step, None);
        assert!(report.notes.iter().any(|told| told == note), "{:?}", report.notes);
    }
}

#[tokio::test]
async fn a_command_puts_the_first_file_of_a_node_before_the_processes_too() {
    let mut stage = Stage::new(false, vec![says(&[1, 2])]);
    let misplaced = Some(Misplaced::Yet("the container has none".into()));
    stage.reconciler.target.observed = Some(Observed { apart: true, misplaced, ..Observed::default() });
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    installed(&report.outcome);
    assert_eq!(report.step, Some(Ok("put the file in place: the container has none".into())));
}
