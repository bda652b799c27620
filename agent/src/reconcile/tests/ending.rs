//! The end of the processes with the agent, also where the file says nothing.

use super::*;
use crate::supervisor::Signal;

/// Ends both, and says what that took.
async fn end(stage: &mut Stage) -> Vec<Step> {
    assert!(!stage.reconciler.end().await.0);
    let observed = stage.reconciler.supervisor.observed.as_mut().unwrap();
    assert!(observed.k2hdkc.take().is_some());
    assert_eq!(stage.reconciler.end().await, (false, None), "half a second lies between the two");
    tokio::time::advance(Duration::from_millis(500)).await;
    assert!(!stage.reconciler.end().await.0);
    stage.reconciler.supervisor.observed.as_mut().unwrap().chmpx = None;
    assert_eq!(stage.reconciler.end().await, (true, None));
    std::mem::take(&mut stage.reconciler.supervisor.acted)
}

fn both() -> [Step; 2] {
    [(Program::K2hdkc, 8, 200), (Program::Chmpx, 7, 100)].map(|(program, pid, ticks)| {
        Step::Signal(program, supervisor::ProcessId { pid, start_ticks: ticks }, Signal::Hangup)
    })
}

#[tokio::test(start_paused = true)]
async fn processes_end_in_their_order_whatever_has_become_of_the_file() {
    for content in [None, Some(""), Some("[GLOBAL]\nMODE = SERVER\n"), Some("\u{0}")] {
        let mut stage = converged(vec![says(&[1, 2])]).await;
        match content {
            Some(text) => crate::file::store(&stage.ini(), text.as_bytes()).unwrap(),
            None => std::fs::remove_file(stage.ini()).unwrap(),
        }
        assert_eq!(end(&mut stage).await, both(), "{content:?}");
    }
    let mut stage = converged(vec![says(&[1, 2])]).await;
    assert_eq!(end(&mut stage).await, both());
}

#[tokio::test(start_paused = true)]
async fn they_end_where_the_path_is_no_file_and_where_it_does_not_say_which_node_it_is_for() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    std::fs::remove_file(stage.ini()).unwrap();
    std::fs::create_dir(stage.ini()).unwrap();
    assert_eq!(end(&mut stage).await, both());

    let mut stage = converged(vec![says(&[1, 2])]).await;
    let text = std::fs::read_to_string(stage.ini()).unwrap().replace("SELFCUK = cuk-1", "SELFCUK = another");
    crate::file::store(&stage.ini(), text.as_bytes()).unwrap();
    assert_eq!(end(&mut stage).await, both());
}

#[tokio::test]
async fn where_the_processes_are_not_the_agents_nothing_ends() {
    let mut stage = Stage::new(true, vec![says(&[1, 2])]);
    assert_eq!(stage.reconciler.end().await, (true, None));
    assert_eq!(stage.reconciler.supervisor.acted, []);
}
