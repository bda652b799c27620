//! The watch of chmpx's connections against real connections of the kernel: hosts in network namespaces at one bridge, whose ports go
//! down. The stand-in for chmpx is a process on one of them.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod network;

use std::time::{Duration, Instant};

use k2hdkc_agent::peer_watch::{Target, Watch};
use k2hdkc_agent::peers::{Finding, Trouble};
use k2hdkc_agent::settings::Peers;
use k2hdkc_agent::wake::Waker;

use network::{Network, Talker, outside, ready, there};

/// Longest time from a dead link to the end of its connections.
const CUT_WITHIN: Duration = Duration::from_secs(6);

/// Waits until the watch's findings are such.
async fn until(watch: &Watch, what: &str, within: Duration, is: impl Fn(&[Finding]) -> bool) {
    let late = Instant::now() + within;
    while !is(&watch.findings().reasons()) {
        assert!(Instant::now() < late, "{what}: {:?}", watch.findings());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn watch(network: &Network, talker: &Talker, cut: bool) -> Watch {
    let settings = Peers { cut, ..Peers::default() };
    let watch = Watch::start(settings, Waker::default());
    watch
        .follow(Target { chmpx: Some(talker.id()), others: network.others(), ..Target::default() }, settings);
    watch
}

#[test]
fn stands_in_for_chmpx() {
    network::stand_in();
}

#[test]
fn connections_to_a_host_whose_link_goes_down_end_within_seconds_and_the_living_ones_stay() {
    if !ready() {
        return;
    }
    let network = Network::new(2).unwrap();
    network.run(async || {
        let mut talker = Talker::new(&network).unwrap();
        let watch = watch(&network, &talker, true);
        until(&watch, "nothing is wrong", CUT_WITHIN, <[Finding]>::is_empty).await;
        network.down(2);
        let began = Instant::now();
        let dead = Finding::Cut(there(2));
        until(&watch, "the dead host is found", CUT_WITHIN, |found| found == [dead.clone()]).await;
        assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(talker.ended(Duration::from_secs(2)), Some(there(2)));
        assert!(talker.is_alive(1), "the living host's connection is left alone");
        network.up(2);
        talker.connect(2).unwrap();
        until(&watch, "the host is heard again", CUT_WITHIN, <[Finding]>::is_empty).await;
    });
}

#[test]
fn a_host_to_which_nothing_is_sent_is_found_dead_by_the_connection_of_the_agent_s_own() {
    if !ready() {
        return;
    }
    let network = Network::new(2).unwrap();
    network.run(async || {
        let talker = Talker::silent(&network).unwrap();
        let (settings, watch) = (Peers::default(), Watch::start(Peers::default(), Waker::default()));
        let (sentinels, others) = (network.others(), network.others());
        watch.follow(Target { chmpx: Some(talker.id()), sentinels, others, ..Target::default() }, settings);
        network.connected(2, 2).await;
        network.down(2);
        until(&watch, "the dead host is found", CUT_WITHIN, |found| found == [Finding::Cut(there(2))]).await;
        assert_eq!(talker.ended(Duration::from_secs(2)), Some(there(2)));
        assert!(talker.is_alive(1));
    });
}

#[test]
fn with_the_setting_off_a_dead_host_is_reported_and_its_connections_stay() {
    if !ready() {
        return;
    }
    let network = Network::new(2).unwrap();
    network.run(async || {
        let talker = Talker::new(&network).unwrap();
        let watch = watch(&network, &talker, false);
        network.down(2);
        let silent = Finding::Silent(there(2));
        until(&watch, "the dead host is found", CUT_WITHIN, |found| found == [silent.clone()]).await;
        assert_eq!(talker.ended(Duration::from_secs(1)), None);
    });
}

#[test]
fn a_host_whose_own_link_goes_down_finds_itself_isolated_and_cuts_nothing_until_one_answers() {
    if !ready() {
        return;
    }
    let network = Network::new(2).unwrap();
    network.run(async || {
        let talker = Talker::new(&network).unwrap();
        let watch = watch(&network, &talker, true);
        network.down(1);
        network.down(2);
        until(&watch, "it is isolated", CUT_WITHIN, |found| found == [Finding::Isolated]).await;
        assert_eq!(talker.ended(Duration::from_secs(1)), None);
        network.up(1);
        until(&watch, "it is not", CUT_WITHIN, |found| !found.contains(&Finding::Isolated)).await;
    });
}

#[test]
fn a_program_that_is_stopped_on_a_living_host_is_left_alone_however_full_its_window_is() {
    if !ready() {
        return;
    }
    let network = Network::new(2).unwrap();
    network.run(async || {
        let talker = Talker::new(&network).unwrap();
        let watch = watch(&network, &talker, true);
        network.stop(2);
        // Its window is full in a moment: it answers probes from then on.
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until {
            assert_eq!(watch.findings().reasons(), []);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(talker.ended(Duration::ZERO), None);
    });
}

#[test]
fn a_chmpx_in_a_namespace_of_its_own_is_watched_through_that_namespace() {
    if !ready() {
        return;
    }
    let network = Network::new(2).unwrap();
    outside(async || {
        let talker = Talker::new(&network).unwrap();
        let (settings, watch) = (Peers::default(), Watch::start(Peers::default(), Waker::default()));
        // Nobody is asked: what is known of host 1 is what its connection brings.
        watch.follow(Target { chmpx: Some(talker.id()), ..Target::default() }, settings);
        until(&watch, "nothing is wrong", CUT_WITHIN, <[Finding]>::is_empty).await;
        network.down(2);
        until(&watch, "found", CUT_WITHIN, |found| found == [Finding::Cut(there(2))]).await;
        assert_eq!(talker.ended(Duration::from_secs(2)), Some(there(2)));
        assert!(talker.is_alive(1));
    });
}

#[test]
fn what_keeps_the_watch_from_its_work_is_said_before_a_host_dies() {
    if !ready() {
        return;
    }
    let network = Network::new(1).unwrap();
    outside(async || {
        let talker = Talker::new(&network).unwrap();
        let settings = Peers::default();
        let watch = Watch::start(settings, Waker::default());
        watch.follow(Target { hidden: true, ..Target::default() }, settings);
        until(&watch, "hidden", CUT_WITHIN, |found| found == [Finding::Trouble(Trouble::NotOnHost)]).await;
        watch.follow(Target { chmpx: Some(talker.id()), ..Target::default() }, settings);
        until(&watch, "seen", CUT_WITHIN, <[Finding]>::is_empty).await;
    });
}
