//! Wishes of attempts, and the node that an outcome belongs to.

use super::*;
use crate::answer::Answer;
use crate::clock::{Clock, Timestamp};
use crate::fixtures::Clocks;
use crate::lifecycle::Departure;
use crate::names::{Cuk, Token, Yrn};
use crate::ring::Mode;
use crate::settings::Origin;

fn settings(config: &str) -> Settings {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("etc/k2hdkc-agent/agent.toml");
    crate::file::ensure_directory(path.parent().unwrap(), 0o755).unwrap();
    crate::file::store(&path, config.as_bytes()).unwrap();
    settings::load(&Origin { config: None, root: Some(root.path().to_owned()) }).unwrap()
}

fn identity(token: Option<Token>) -> Identity {
    let role = Yrn::role("yrn:yahoo:::t:role:c/server").unwrap();
    let registry = identity::Registry { api_uri: "http://192.0.2.80".into(), role, token, token_note: None };
    Identity { cuk: Cuk::try_from("c1").unwrap(), k2hr3: Some(registry) }
}

fn leaving(stage: Stage) -> Ledger {
    let mut ledger = Ledger::default();
    let begun = Departure::begin(Timestamp(1), Mode::Server, false, true);
    ledger.processes.leaving = Some(Departure { stage, ..begun });
    ledger
}

#[test]
fn what_somebody_asked_for_comes_before_everything_else() {
    let settings = settings("");
    let mut registrar = Registrar::new(&settings, Clock::of_host());
    for stage in [Stage::Draining, Stage::Stopping, Stage::Removing, Stage::Left] {
        let ledger = leaving(stage);
        let leaves = (stage == Stage::Removing).then_some(Wish::Leave);
        assert_eq!(registrar.errand(&settings, &ledger, false), leaves, "{stage:?}");
    }
    registrar.order(Wish::Join);
    assert_eq!(registrar.errand(&settings, &leaving(Stage::Removing), false), Some(Wish::Join));
}

#[test]
fn what_came_of_an_earlier_wish_is_for_nobody() {
    let settings = settings("");
    let mut registrar = Registrar::new(&settings, Clock::of_host());
    let (stays, leaves) = (Ledger::default(), leaving(Stage::Draining));
    let over = |registrar: &Registrar, ledger: &Ledger| {
        [Wish::Look, Wish::Join, Wish::Leave].map(|wish| registrar.is_over(wish, ledger))
    };
    assert_eq!(over(&registrar, &stays), [false, false, true], "the leave was called off");
    assert_eq!(over(&registrar, &leaves), [true, true, false]);
    registrar.order(Wish::Join);
    assert_eq!(over(&registrar, &stays), [true, false, true], "who says join waits for a join");
}

/// A host whose user-data has written these files.
fn host(root: &std::path::Path, cuk: &str) {
    for (name, text) in [
        ("k2hr3-cuk", cuk),
        ("k2hr3-role-name", "yrn:yahoo:::t:role:c/server"),
        ("k2hr3-role-token", &"0".repeat(64)),
        ("k2hr3-api-uri", "http://192.0.2.80"),
    ] {
        crate::file::store(&root.join("etc/antpickax").join(name), text.as_bytes()).unwrap();
    }
}

#[test]
fn what_was_known_of_another_node_says_nothing_of_the_one_that_this_host_became() {
    let root = tempfile::tempdir().unwrap();
    crate::file::ensure_directory(&root.path().join("etc/antpickax"), 0o755).unwrap();
    let settings = settings::load(&Origin { config: None, root: Some(root.path().to_owned()) }).unwrap();
    let mut registrar = Registrar::new(&settings, Clock::of_host());
    let of = |cuk: &str| Attempted {
        wish: Wish::Look,
        who: Some(Joined { role: "yrn:yahoo:::t:role:c/server".into(), cuk: cuk.into() }),
        result: Ok(Verdict::Absent),
    };
    let ledger = Ledger::default();
    let errand = |registrar: &Registrar| registrar.errand(&settings, &ledger, true);
    host(root.path(), "c1");
    registrar.take(&of("c1"), &settings);
    assert_eq!(errand(&registrar), None, "it is waited until answers have not shown it for a while");
    registrar.is_perhaps_another(&settings);
    assert_eq!(errand(&registrar), None);
    host(root.path(), "c2");
    registrar.is_perhaps_another(&settings);
    assert_eq!(errand(&registrar), Some(Wish::Look));
    // An answer that was under way for the one before changes nothing about it.
    registrar.take(&of("c1"), &settings);
    assert_eq!(errand(&registrar), Some(Wish::Look));
    registrar.take(&of("c2"), &settings);
    assert_eq!(errand(&registrar), None);
}

/// Counts the answers that do not show this node.
fn missing(config: &str, token: bool, status: u16) -> Option<u32> {
    let settings = settings(config);
    let mut registrar = Registrar::new(&settings, Clock::of_host());
    let token = token.then(|| Token::try_from("a".repeat(64).as_str()).unwrap());
    let doubt = Doubt { status: Some(status), ..Doubt::new(DoubtKind::Denied, "no") };
    for result in [Err(doubt.clone()), Ok(Answer::Unchanged), Err(doubt)] {
        registrar.answered(&Answered::new(&identity(token.clone()), result, Duration::ZERO), &settings);
    }
    registrar.missing.map(|missing| missing.polls)
}

#[tokio::test(start_paused = true)]
async fn a_denial_counts_for_who_is_known_by_its_address_and_for_nobody_with_a_token() {
    let auth = |auth: &str| format!("[k2hr3]\nauth = \"{auth}\"\n");
    for (auth, token, counted) in [
        (auth("address"), true, Some(3)),
        (auth("address-token"), true, Some(3)),
        (auth("auto"), false, Some(3)),
        (auth("auto"), true, None),
        (auth("token"), true, None),
    ] {
        assert_eq!(missing(&auth, token, 403), counted, "{auth} {token}");
        assert_eq!(missing(&auth, token, 500), None, "{auth} {token}");
    }
}

/// The registrar of an agent that was just started.
fn started(settings: &Settings, clocks: &Clocks, ledger: &Ledger) -> Registrar {
    let mut registrar = Registrar::new(settings, clocks.clock());
    registrar.recall(settings, ledger);
    registrar
}

#[tokio::test(start_paused = true)]
async fn what_confirms_a_lost_membership_counts_boot_time_and_goes_on_after_a_restart_of_the_agent() {
    let root = tempfile::tempdir().unwrap();
    crate::file::ensure_directory(&root.path().join("etc/antpickax"), 0o755).unwrap();
    host(root.path(), "c1");
    let settings = settings::load(&Origin { config: None, root: Some(root.path().to_owned()) }).unwrap();
    let (who, minute) = (known(&settings).unwrap(), settings.join.confirm_for);
    let denied = Doubt { status: Some(404), ..Doubt::new(DoubtKind::Denied, "no") };
    let clocks = Clocks::new();
    let mut ledger = Ledger { joined: Some(who.clone()), ..Ledger::default() };
    // One life of the agent: the look at its role, and as many answers that do not show it.
    let live = |ledger: &mut Ledger, answers: u32| {
        let mut registrar = started(&settings, &clocks, ledger);
        let looked = Attempted { wish: Wish::Look, who: Some(who.clone()), result: Ok(Verdict::Absent) };
        registrar.take(&looked, &settings);
        let settings = Settings {
            k2hr3: settings::K2hr3 { auth: Auth::Address, ..settings.k2hr3.clone() },
            ..settings.clone()
        };
        for _ in 0..answers {
            let answered = Answered::new(&identity(None), Err(denied.clone()), Duration::ZERO);
            registrar.answered(&answered, &settings);
        }
        ledger.missing = registrar.missing();
        registrar.errand(&settings, ledger, true)
    };
    assert_eq!(live(&mut ledger, 99), None);
    clocks.step(minute);
    assert_eq!(live(&mut ledger, 1), None, "a minute on the wall is none");
    tokio::time::advance(minute.saturating_sub(Duration::from_secs(1))).await;
    clocks.set_back(minute);
    assert_eq!(live(&mut ledger, 1), None);
    let elsewhere = Ledger { joined: Some(Joined { cuk: "c2".into(), ..who.clone() }), ..ledger.clone() };
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(live(&mut elsewhere.clone(), 1), None, "that was counted for another node");
    assert_eq!(live(&mut ledger.clone(), 1), Some(Wish::Join), "kept over three lives of the agent");
    clocks.reboot();
    assert_eq!(live(&mut ledger, 99), None, "another boot counts anew");
    assert_eq!(ledger.missing.map(|missing| missing.polls), Some(settings.join.confirm_polls));
}

#[tokio::test(start_paused = true)]
async fn who_stands_in_the_way_is_looked_at_again_seldom_and_at_once_after_another_answer() {
    let root = tempfile::tempdir().unwrap();
    crate::file::ensure_directory(&root.path().join("etc/antpickax"), 0o755).unwrap();
    let settings = settings::load(&Origin { config: None, root: Some(root.path().to_owned()) }).unwrap();
    host(root.path(), "c1");
    let mut registrar = Registrar::new(&settings, Clocks::new().clock());
    let rivals = registration::Rivals { address: vec!["old".into()], ..Default::default() };
    let attempted = |verdict| Attempted {
        wish: Wish::Look,
        who: Some(Joined { role: "yrn:yahoo:::t:role:c/server".into(), cuk: "c1".into() }),
        result: Ok(verdict),
    };
    let mut longest = Duration::ZERO;
    for _ in 0..40 {
        let came = registrar.take(&attempted(Verdict::Member(rivals.clone())), &settings);
        assert!(came.good && !came.calm, "{}", came.line);
        assert_eq!(registrar.errand(&settings, &Ledger::default(), true), Some(Wish::Look));
        longest = longest.max(registrar.due() - Instant::now());
    }
    assert!((Duration::from_secs(10)..=Duration::from_secs(90)).contains(&longest), "{longest:?}");
    let answer = Ok(Answer::Ini("[SVRNODE]\nCUK = c1\n".into()));
    registrar.answered(&Answered::new(&identity(None), answer, Duration::ZERO), &settings);
    assert_eq!(registrar.due(), Instant::now());
    let came = registrar.take(&attempted(Verdict::Member(registration::Rivals::default())), &settings);
    assert!(came.calm && !came.line.contains("old"), "{}", came.line);
    assert_eq!(registrar.errand(&settings, &Ledger::default(), true), None);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_answers_do_not_show_is_not_told_as_a_member_at_the_same_time() {
    let settings = settings("[k2hr3]\nauth = \"address\"\n");
    let mut registrar = Registrar::new(&settings, Clock::of_host());
    assert_eq!(registrar.shown(&settings), None, "nobody knows");
    let who = Joined { role: "yrn:yahoo:::t:role:c/server".into(), cuk: "c1".into() };
    let member = Attempted {
        wish: Wish::Look,
        who: Some(who),
        result: Ok(Verdict::Member(registration::Rivals::default())),
    };
    let came = registrar.take(&member, &settings);
    assert_eq!(registrar.shown(&settings), Some(came));
    let mut answer = |result| {
        registrar.answered(&Answered::new(&identity(None), result, Duration::ZERO), &settings);
        registrar.shown(&settings).unwrap()
    };
    let gone = answer(Err(Doubt { status: Some(404), ..Doubt::new(DoubtKind::Denied, "no") }));
    let text = "this node was a member of yrn:yahoo:::t:role:c/server, and answers do not show it any more; it is registered again";
    assert!(!gone.good && gone.line.starts_with(text), "{gone:?}");
    let back = answer(Ok(Answer::Ini("[GLOBAL]\nCUK = c1\n".into())));
    assert_eq!(
        (back.good, back.line.as_str()),
        (true, "this node is a member of yrn:yahoo:::t:role:c/server")
    );
}
