//! A thousand changes of the membership in a row, on a server and on a slave whose control port is polled hard all the
//! while: every one loaded, by chmpx's own word, and nothing dies.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::Style;
use k2hdkc_tests::ring::{PATIENCE, Ring};

const CHANGES: u32 = 1000;

/// Asks a control port some 80 times a second, until it is told to stop: what makes chmpx swallow reloads.
fn pester(address: String, stop: &Arc<AtomicBool>, asked: &Arc<AtomicUsize>) -> thread::JoinHandle<()> {
    let (stop, asked) = (Arc::clone(stop), Arc::clone(asked));
    thread::spawn(move || {
        let ask = || -> std::io::Result<usize> {
            let mut stream = TcpStream::connect(&address)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(b"VERSION")?;
            stream.read_to_string(&mut String::new())
        };
        while !stop.load(Ordering::Relaxed) {
            asked.fetch_add(usize::from(ask().is_ok_and(|read| read > 0)), Ordering::Relaxed);
            // As hard as on the real one, which lost 24 of 160 reloads by it.
            thread::park_timeout(Duration::from_millis(10));
        }
    })
}

#[test]
fn a_thousand_changes_are_all_loaded_and_swallowed_ones_are_found_and_cured() {
    // No chmpxstatus: the agent itself must use the slave's control port, too.
    let supervisor = "timing.quiet-after-write = \"30ms\"\ntiming.min-query-interval = \"20ms\"\nprocess.chmpxstatus = \"none\"\n";
    let mut ring = Ring::running(Style::default(), supervisor, 1, 1).unwrap();
    let before = [1, 100].map(|number| ring.pid(number, "chmpx").unwrap());
    let k2hdkc = ring.pid(1, "k2hdkc").unwrap();
    ring.write(100, 60).unwrap();
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let pesterer = pester(ring.control_port(100), &stop, &asked);
    let begun = Instant::now();
    for change in 0..CHANGES {
        // Slaves come and go, and now and then a server that does not run yet.
        let slaves: Vec<u32> = (100..=100 + change % 7 + 1).collect();
        let servers = if change % 10 < 5 { vec![1] } else { vec![1, 2] };
        ring.tell(&servers, &slaves).unwrap();
        for number in [1, 100] {
            let loaded = wait_for(PATIENCE, || ring.is_settled(number));
            assert!(loaded, "change {change} on node {number}:\n{}", ring.told(number));
        }
    }
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    pesterer.join().unwrap();
    let rewritten =
        [1, 100].map(|number| ring.node(number).log().matches("wrote the same ring again").count());
    println!(
        "{CHANGES} changes loaded on both nodes in {:.1} s; written again: {} on the server, {} on the slave, whose \
         control port was asked {} times meanwhile",
        took.as_secs_f64(),
        rewritten[0],
        rewritten[1],
        asked.load(Ordering::Relaxed)
    );
    assert_eq!([1, 100].map(|number| ring.pid(number, "chmpx").unwrap()), before, "no chmpx ended");
    assert_eq!(ring.pid(1, "k2hdkc").unwrap(), k2hdkc);
    assert!(rewritten[1] > 0, "nothing was swallowed, so nothing was cured");
    ring.all_readable(100, 60).unwrap();
    ring.tell(&[1], &[100]).unwrap();
    ring.settled().unwrap();
}
