//! The leave from pass to pass: what ends a stage of it, and what does not.

use super::*;
use crate::automerge::Automerge;
use crate::clock::Timestamp;
use crate::ledger::Joined;
use crate::lifecycle::{Departure, Stage as Way};
use crate::ring_change::{Hold, Merges, Progress, ServerId};
use crate::settings::MergeBy;

/// A node whose processes are to stop for good.
async fn stopping(force: bool) -> Stage {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let leaving =
        Departure { stage: Way::Stopping, ..Departure::begin(Timestamp::now(), Mode::Server, force, true) };
    stage.reconciler.store.update(|ledger| ledger.processes.leaving = Some(leaving)).unwrap();
    stage
}

async fn passed(stage: &mut Stage) -> Way {
    stage.reconciler.pass(Reason::Look.into(), None).await;
    stage.reconciler.leaving().unwrap().stage
}

#[tokio::test(start_paused = true)]
async fn processes_that_cannot_be_looked_at_yet_have_not_stopped_unless_somebody_insists() {
    for (force, expected) in [(false, Way::Stopping), (true, Way::Removing)] {
        let mut stage = stopping(force).await;
        // Who runs them is away, and looked for again.
        stage.reconciler.supervisor.observed = None;
        stage.reconciler.supervisor.again = Some(Instant::now() + Duration::from_secs(9));
        assert_eq!(passed(&mut stage).await, expected);
        // They are nobody's business.
        stage.reconciler.supervisor.again = None;
        assert_eq!(passed(&mut stage).await, Way::Removing);
    }
}

/// The part in the ring's changes after another pass, with merges by the agents.
async fn assigned(stage: &mut Stage) -> crate::ring_task::Assignment {
    stage.reconciler.pass(Reason::Look.into(), None).await;
    stage.reconciler.assignment().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_left_the_ring_does_not_join_it_again_while_its_programs_stop() {
    assert!(assigned(&mut stopping(false).await).await.will.leave);
    assert!(!assigned(&mut stopping(true).await).await.will.leave);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_its_merges_to_chmpx_is_named_in_a_note() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let server = ServerId::new("server2.example");
    let hold = Hold::RunsAutomerge(server.clone()).to_string();
    let merges = Merges::ByChmpx(server);
    stage.reconciler.observe_ring(Some(Progress { merges, ..Progress::default() }));
    let named = async |stage: &mut Stage| {
        let report = stage.reconciler.pass(Reason::Look.into(), None).await;
        report.notes.contains(&hold)
    };
    assert!(named(&mut stage).await);
    stage.reconciler.settings.merge.by = MergeBy::Chmpx;
    assert!(!named(&mut stage).await, "by chmpx");
}

/// AUTOMERGE of the file after a pass with these merges elsewhere.
async fn automerge(stage: &mut Stage, merges: Merges) -> Automerge {
    stage.reconciler.observe_ring(Some(Progress { merges, ..Progress::default() }));
    looks(stage).await;
    looks(stage).await;
    Automerge::of_ring(&fixtures::read(&std::fs::read_to_string(stage.ini()).unwrap()).ring)
}

#[tokio::test(start_paused = true)]
async fn a_server_goes_over_to_automerge_with_one_that_insists_and_back_when_none_does() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let insists = || Merges::ByChmpx(ServerId::new("server2.example"));
    assert_eq!(automerge(&mut stage, Merges::Unknown).await, Automerge::Off);
    assert_eq!(automerge(&mut stage, insists()).await, Automerge::Deferred);
    assert_eq!(automerge(&mut stage, Merges::Unknown).await, Automerge::Deferred, "it keeps what it has");
    assert_eq!(automerge(&mut stage, Merges::ByAgents).await, Automerge::Off);
    stage.reconciler.settings.merge.by = MergeBy::Chmpx;
    assert_eq!(automerge(&mut stage, Merges::ByAgents).await, Automerge::On, "the operator's own");
    assert_eq!(
        fixtures::read(&std::fs::read_to_string(stage.ini()).unwrap()).ring.global("MERGETIMEOUT"),
        ""
    );
    stage.reconciler.settings.merge.by = MergeBy::Agents;
    stage.reconciler.hand_over();
    assert_eq!(automerge(&mut stage, Merges::ByAgents).await, Automerge::On, "no agent will be here");
}

#[tokio::test(start_paused = true)]
async fn a_server_goes_over_only_when_the_ring_is_calm_and_no_pass_follows_another_for_it() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let mut view = well(&stage, 1);
    view.servers[1].status = crate::chmpx_state::NodeStatus::from_bits(0x2021);
    stage.sees(view);
    let insists = Merges::ByChmpx(ServerId::new("server2.example"));
    assert_eq!(automerge(&mut stage, insists.clone()).await, Automerge::Off);
    assert_eq!(stage.reconciler.settled_at(), None);
    let view = well(&stage, 1);
    stage.sees(view);
    assert_eq!(automerge(&mut stage, insists).await, Automerge::Deferred);
}

#[tokio::test(start_paused = true)]
async fn what_stands_still_is_continued_where_chmpx_takes_the_merges_back() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    stage.reconciler.settings.merge.by = MergeBy::Chmpx;
    stage.reconciler.pass(Reason::Look.into(), None).await;
    assert_eq!(stage.reconciler.assignment().unwrap().limits.by, MergeBy::Chmpx);
}

#[tokio::test(start_paused = true)]
async fn the_change_of_the_ring_moves_programs_by_their_numbers_on_this_host() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    let id = supervisor::ProcessId { pid: 4007, start_ticks: 100 };
    stage.reconciler.supervisor.on_host = Some(id);
    let programs = assigned(&mut stage).await.programs;
    assert_eq!((programs.chmpx, programs.k2hdkc), (Some(id), None));
    assert_eq!(programs.hidden, [Program::K2hdkc], "it runs, and nothing here can move it");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_missing_and_comes_back_does_not_hide_what_still_runs() {
    let mut stage = stopping(false).await;
    std::fs::remove_file(stage.ini()).unwrap();
    assert_eq!(passed(&mut stage).await, Way::Stopping);
    assert!(stage.ini().exists(), "the last good one is back");
    assert_eq!(passed(&mut stage).await, Way::Stopping, "k2hdkc and chmpx run still");
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_learns_only_now_that_it_is_another_one_than_the_one_that_left_has_nothing_to_do_with_that()
{
    let mut stage = converged(vec![says(&[1, 2])]).await;
    stage.reconciler.leave(lifecycle::Insistence { force: true, confirmed: false }).unwrap();
    assert_eq!(stage.reconciler.leaving().unwrap().cuk.as_deref(), Some("cuk-1"));
    assert!(!stage.reconciler.is_another().unwrap());
    crate::file::store(&stage.root.path().join("etc/antpickax/k2hr3-cuk"), b"cuk-9").unwrap();
    assert!(stage.reconciler.is_another().unwrap());
    assert_eq!(stage.reconciler.leaving(), None);
    assert!(!stage.reconciler.is_another().unwrap(), "once");
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_was_made_from_the_image_of_a_stopped_one_is_not_stopped() {
    for knew in [true, false] {
        let mut stage = converged(vec![says(&[1, 2])]).await;
        stage.reconciler.stop(true).unwrap();
        assert_eq!(stage.reconciler.stopped().unwrap().cuk.as_deref(), Some("cuk-1"));
        assert!(!stage.reconciler.is_another().unwrap());
        let joined = Joined { role: "yrn:yahoo:::t:role:mycluster/server".into(), cuk: "cuk-1".into() };
        stage
            .reconciler
            .store
            .update(|ledger| {
                // The ledger of an earlier agent.
                ledger
                    .processes
                    .stopped
                    .as_mut()
                    .filter(|_| !knew)
                    .into_iter()
                    .for_each(|stop| stop.cuk = None);
                ledger.joined = Some(joined.clone());
            })
            .unwrap();
        crate::file::store(&stage.root.path().join("etc/antpickax/k2hr3-cuk"), b"cuk-9").unwrap();
        assert!(stage.reconciler.is_another().unwrap(), "{knew}");
        assert_eq!(stage.reconciler.stopped(), None);
        assert_eq!(stage.reconciler.store.ledger().joined, Some(joined), "K2HR3 decides about that");
        assert!(!stage.reconciler.is_another().unwrap(), "once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_leave_has_disabled_is_enabled_again_once_by_who_comes_back() {
    let mut stage = stopping(false).await;
    passed(&mut stage).await;
    assert_eq!(stage.reconciler.supervisor.acted, [Step::Disable(Program::K2hdkc)]);
    assert!(stage.reconciler.stay().unwrap());
    stage.reconciler.supervisor.acted.clear();
    for _ in 0..3 {
        stage.reconciler.pass(Reason::Look.into(), None).await;
    }
    assert_eq!(stage.reconciler.supervisor.acted, [Step::Enable(Program::K2hdkc)]);
}

/// A server looks up the address of whoever connects, and has no name for one that it does not list: 16 look-ups a question.
#[tokio::test(start_paused = true)]
async fn who_leaves_does_not_ask_the_others_whether_they_list_it() {
    let mut stage = converged(vec![says(&[1, 2])]).await;
    stage.reconciler.pass(Reason::Look.into(), None).await;
    assert_eq!(stage.reconciler.supervisor.about.as_ref().unwrap().others.len(), 1);
    let mut stage = stopping(false).await;
    passed(&mut stage).await;
    assert_eq!(stage.reconciler.supervisor.about.as_ref().unwrap().others, []);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gives_the_others_the_time_to_learn_of_it_and_who_comes_back_does_not() {
    for (poll, waits) in [("", 5), ("interval = \"20s\"\n", 20), ("interval = \"300s\"\n", 60)] {
        let mut stage = Stage::with(&format!("[poll]\n{poll}settle = \"0s\"\n"), true, vec![says(&[1, 2])]);
        stage.poll().await;
        stage.reconciler.pass(Reason::Look.into(), None).await;
        let about = stage.reconciler.supervisor.about.clone().unwrap();
        assert_eq!(about.known_after, std::time::Duration::from_secs(waits), "{poll}");
    }
    let mut stage = converged(vec![says(&[1, 2])]).await;
    stage.reconciler.pass(Reason::Look.into(), None).await;
    let about = stage.reconciler.supervisor.about.clone().unwrap();
    assert_eq!(about.known_after, std::time::Duration::ZERO);
}
