//! A server of three leaves while programs on a slave read all keys, one after the other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use k2hdkc_simulators::k2hdkc::Client;
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::deployment::Deployment;
use k2hdkc_tests::ring::PATIENCE;

use super::{KEYS, TRIES_FOR, assert_has_left, run};

/// Between two reads.
const REST: Duration = Duration::from_millis(1);

/// The troubles of the programs.
#[derive(Default)]
struct Counted {
    reads: AtomicUsize,
    retries: AtomicUsize,
    failed: AtomicUsize,
    longest: AtomicUsize,
}

/// Reads all keys over and over until it is told to stop; a read that fails is tried again, as programs do.
fn reads(mut client: Client, counted: &Counted, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for key in 0..KEYS {
            let (name, value, begun) = (format!("key{key}"), format!("value{key}"), Instant::now());
            let mut tries = 0;
            let served = wait_for(TRIES_FOR, || {
                tries += 1;
                client.get(&name).ok().flatten().as_deref() == Some(value.as_str())
            });
            let counter = if served { &counted.reads } else { &counted.failed };
            counter.fetch_add(1, Ordering::Relaxed);
            counted.retries.fetch_add(tries - 1, Ordering::Relaxed);
            let took = usize::try_from(begun.elapsed().as_millis()).unwrap();
            counted.longest.fetch_max(took, Ordering::Relaxed);
            thread::park_timeout(REST);
        }
    }
}

#[test]
fn one_of_three_servers_leaves_under_load_without_a_lost_key_or_a_failed_read() {
    let deployment = Deployment::settled("", 3, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    let (counted, stop) = (Counted::default(), AtomicBool::new(false));
    let took = thread::scope(|scope| {
        for _ in 0..2 {
            let client = deployment.client(100);
            scope.spawn(|| reads(client, &counted, &stop));
        }
        let so_far = || counted.reads.load(Ordering::Relaxed);
        let goes = |than: usize| wait_for(PATIENCE, || so_far() > than + 2 * KEYS);
        let runs = goes(0);
        let begun = Instant::now();
        let (code, _, errors) = run(deployment.node(3), &["leave", "--timeout", "100s"]);
        let took = begun.elapsed();
        let ring = deployment.assert_ring(&[1, 2, 100]);
        let goes_on = goes(so_far());
        stop.store(true, Ordering::Relaxed);
        assert!(code == 0 && runs && goes_on, "{errors}{}", deployment.told(3));
        ring.unwrap();
        took
    });
    assert_has_left(&deployment, 3);
    let unreadable = deployment.unreadable(100, KEYS, Duration::ZERO);
    let of = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let line = format!(
        "one of three servers left in {:.1} s: {} reads meanwhile, {} tries more, {} failed, longest {} ms, {unreadable} of \
         {KEYS} keys lost",
        took.as_secs_f64(),
        of(&counted.reads),
        of(&counted.retries),
        of(&counted.failed),
        of(&counted.longest)
    );
    assert_eq!((of(&counted.failed), unreadable), (0, 0), "{line}");
    println!("{line}");
}
