//! What a command does where the processes have a file of their own.

use super::*;
use crate::supervisor::{FilePlace, ForeignWriter, OutOfSync};

/// Processes in a container, and the difference of their file to the installed one.
fn own_file(out_of_sync: Option<OutOfSync>) -> Observed {
    let file = FilePlace { is_own: true, out_of_sync, ..FilePlace::default() };
    Observed { file, ..Observed::default() }
}

/// A node whose file is installed, and whose processes are in a container.
async fn apart(answers: Vec<Result<Answer, Doubt>>) -> Stage {
    let mut stage = Stage::new(false, answers);
    installed(&stage.poll().await);
    stage.reconciler.supervisor.observed = Some(own_file(None));
    stage
}

#[tokio::test]
async fn a_command_puts_what_it_installs_before_the_processes_and_moves_none() {
    let mut stage = apart(vec![says(&[1, 2]), says(&[1, 2, 3])]).await;
    installed(&stage.poll().await);
    assert_eq!(stage.reconciler.supervisor.acted, [Step::SyncFile]);
    assert_eq!(stage.poll().await, Outcome::Unchanged);
    assert_eq!(stage.reconciler.supervisor.acted, [Step::SyncFile], "nothing is to be done again");
}

#[tokio::test]
async fn a_command_mends_a_file_inside_that_is_another_one() {
    let mut stage = apart(vec![says(&[1, 2])]).await;
    let seen = stage.reconciler.supervisor.observed.as_mut().unwrap();
    seen.file.out_of_sync = Some(OutOfSync::Replaceable("the container has another one".into()));
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    assert_eq!(report.step, Some(Ok("put the file in place: the container has another one".into())));
}

#[tokio::test]
async fn a_command_leaves_a_file_that_somebody_else_rewrites_or_that_cannot_be_replaced_and_says_so() {
    for (misplaced, rival, why) in [
        (None, Some("a loop rewrites it"), "a loop rewrites it"),
        (Some(OutOfSync::Fixed("it is mounted by itself".into())), None, "it is mounted by itself"),
    ] {
        let mut stage = apart(vec![says(&[1, 2]), says(&[1, 2, 3])]).await;
        let seen = stage.reconciler.supervisor.observed.as_mut().unwrap();
        (seen.file.out_of_sync, seen.file.foreign_writer) = (misplaced, rival.map(ForeignWriter::unit));
        let answered = stage.ask().await;
        let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
        installed(&report.outcome);
        assert_eq!(report.step, Some(Err(format!("the file is not put before the processes: {why}"))));
        assert_eq!(stage.reconciler.supervisor.acted, []);
    }
}

#[tokio::test]
async fn a_command_puts_the_first_file_of_a_node_before_the_processes_too() {
    let mut stage = Stage::new(false, vec![says(&[1, 2])]);
    let misplaced = Some(OutOfSync::Replaceable("the container has none".into()));
    stage.reconciler.supervisor.observed = Some(own_file(misplaced));
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    installed(&report.outcome);
    assert_eq!(report.step, Some(Ok("put the file in place: the container has none".into())));
}

/// What a command says besides the outcome where the processes are seen like this.
async fn besides(answers: Vec<Result<Answer, Doubt>>, observed: Observed) -> Option<Result<String, String>> {
    let mut stage = apart(answers).await;
    stage.reconciler.supervisor.observed =
        Some(Observed { file: FilePlace { is_own: true, ..observed.file }, ..observed });
    let answered = stage.ask().await;
    stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await.step
}

#[tokio::test]
async fn a_command_that_cannot_reach_who_has_the_processes_does_not_succeed_with_a_new_file_nor_with_the_same()
 {
    let away =
        || Observed { unobservable: Some("the Docker daemon does not answer".into()), ..Observed::default() };
    let missing = || Some("the container x is stopped".into());
    let stopped =
        || Observed { file: FilePlace { missing: missing(), ..FilePlace::default() }, ..Observed::default() };
    let unknown = "not known whether chmpx has the file: the Docker daemon does not answer";
    let none = "the file is not put before the processes: the container x is stopped";
    for answers in [vec![says(&[1, 2])], vec![says(&[1, 2]), says(&[1, 2, 3])]] {
        assert_eq!(Box::pin(besides(answers.clone(), away())).await, Some(Err(unknown.into())));
        assert_eq!(Box::pin(besides(answers.clone(), stopped())).await, Some(Err(none.into())));
        let seen = Box::pin(besides(answers, Observed::default())).await;
        assert!(seen.is_none_or(|step| step.is_ok()));
    }
}

#[tokio::test]
async fn the_first_file_of_a_node_whose_processes_are_out_of_reach_is_no_success() {
    let unknown = "not known whether chmpx has the file: nobody answers";
    let mut named = Stage::new(false, vec![says(&[1, 2])]);
    let unobservable = Some("nobody answers".to_owned());
    named.reconciler.supervisor.observed = Some(Observed { unobservable, ..own_file(None) });
    let mut picked = Stage::new(false, vec![says(&[1, 2])]);
    picked.reconciler.supervisor.in_doubt = Some("nobody answers".to_owned());
    for mut stage in [named, picked] {
        for _ in 0..2 {
            let answered = stage.ask().await;
            let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
            assert!(report.outcome.is_good());
            assert_eq!(
                report.step,
                Some(Err(unknown.into())),
                "also where nothing is to be installed any more"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn applied_is_only_what_the_processes_are_seen_to_run_on() {
    type Spoil = fn(&mut Observed);
    let spoils: [Spoil; 4] = [
        |seen| seen.unobservable = Some("the Docker daemon is away".into()),
        |seen| seen.file.out_of_sync = Some(OutOfSync::Replaceable("the container has another one".into())),
        |seen| seen.chmpx = None,
        |seen| seen.k2hdkc = None,
    ];
    for spoil in spoils {
        let mut stage = converged(vec![says(&[1, 2, 3])]).await;
        assert_eq!(installed(&stage.poll().await), 2);
        let view = well(&stage, 2);
        stage.sees(view);
        spoil(stage.reconciler.supervisor.observed.as_mut().unwrap());
        looks(&mut stage).await;
        let applied = |stage: &Stage| stage.reconciler.store().ledger().applied.as_ref().unwrap().fileversion;
        assert_eq!(applied(&stage), 1);
        let view = well(&stage, 2);
        stage.sees(view);
        looks(&mut stage).await;
        assert_eq!(applied(&stage), 2);
    }
}

#[tokio::test]
async fn a_command_says_what_its_file_still_needs_of_running_processes_and_who_else_writes_it() {
    let more = text_of(&says(&[1, 2])).replace("MAXTHREAD = 20", "MAXTHREAD = 30");
    let mut stage = Stage::new(false, vec![says(&[1, 2]), Ok(Answer::Ini(more))]);
    installed(&stage.poll().await);
    let view = well(&stage, 1);
    stage.sees(view);
    stage.reconciler.supervisor.observed.as_mut().unwrap().file.foreign_writer =
        Some(ForeignWriter::unit("a timer is active"));
    let answered = stage.ask().await;
    let report = stage.reconciler.pass(Reason::Timer.into(), Some(answered)).await;
    assert_eq!((installed(&report.outcome), report.step), (2, None));
    for note in ["generation 2: needs a restart of k2hdkc", "a timer is active: disable it"] {
        assert!(report.notes.iter().any(|told| told.starts_with(note)), "{note}: {:?}", report.notes);
    }
}
