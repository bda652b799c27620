//! 200 changes of the membership, while the loop in Trove's container is there to write the same file.
//!
//! The first change is there before the agents are, and again and again somebody takes their line out of `override.conf`, so
//! that the loop would write the ini as before. What the agents promise: no chmpx dies of a file of theirs, the loop is sent
//! elsewhere again with the next change, or within a minute, and their file wins. What nobody can promise: that a round of
//! the loop that falls into that time harms nobody. It writes in place, which ends a chmpx that looks at the wrong moment.
//! So here the line goes, and the agents come, right behind a round, which leaves them six seconds until the next; and where
//! the loop got in all the same, a chmpx may have ended of it.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::say;
use k2hdkc_tests::environments::systemd::INI;

use crate::ring::{LONG, Ring, TAKES_OVER};

const CHANGES: u32 = 200;
/// Changes between two edits of somebody else's, at least; after the last one there are some more.
const BETWEEN: u32 = 12;
const LAST_EDIT: u32 = CHANGES - 20;
const SERVERS: [u32; 2] = [1, 2];

/// A server's loop, and what it is known to have done.
struct Loop {
    number: u32,
    /// The files of its container: a look by `docker exec` would take from the agents most of the time that is measured.
    root: PathBuf,
    /// The rounds at the last look, and since when there has been no other.
    rounds: usize,
    since: Instant,
    /// The change before which somebody last restored its settings.
    restored: u32,
}

impl Loop {
    fn of(ring: &Ring, number: u32) -> Self {
        let root = ring.container(number, "chmpx").root().unwrap();
        Self { number, root, rounds: rounds(ring, number), since: Instant::now(), restored: 0 }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path.trim_start_matches('/'))).unwrap_or_default()
    }

    /// Checks whether it has had a round since the last look.
    fn has_turned(&mut self, ring: &Ring) -> bool {
        let rounds = rounds(ring, self.number);
        let turned = rounds != self.rounds;
        if turned {
            (self.rounds, self.since) = (rounds, Instant::now());
        }
        turned
    }

    fn is_elsewhere(&self) -> bool {
        self.read("/etc/antpickax/override.conf").ends_with("OUTPUT_FILE = .shadow.ini\n")
    }
}

fn rounds(ring: &Ring, number: u32) -> usize {
    ring.container(number, "chmpx").log().matches("[k2hr3-get-resource]").count()
}

/// Counts how often the loops have written the live file.
fn written(ring: &Ring) -> usize {
    let line = format!("[k2hr3-get-resource] wrote {INI}\n");
    SERVERS.iter().map(|number| ring.container(*number, "chmpx").log().matches(&line).count()).sum()
}

/// Runs the race between servers that have no agents yet and agents that take them over; they have settled afterwards.
pub(crate) fn run(ring: &mut Ring) {
    let mut loops = SERVERS.map(|number| Loop::of(ring, number));
    let has_turned = || {
        let turned = loops.each_mut().map(|one| one.has_turned(ring));
        turned.contains(&true) && loops.iter().all(|one| one.rounds > 0 && one.since.elapsed().as_secs() < 2)
    };
    assert!(wait_for(LONG, has_turned), "the loops have no round at about the same time");
    let (chmpx, before) = (SERVERS.map(|number| ring.pids(number).0), written(ring));

    let address = ring.environment.ground().identity(110).address;
    let (begun, mut longest, mut edits) = (Instant::now(), 0.0f64, 0);
    for change in 0..CHANGES {
        let listed = change % 2 == 0;
        if listed {
            ring.environment.ground().register(110);
        } else {
            ring.environment.ground().deregister(110);
        }
        let changed = Instant::now();
        if change == 0 {
            for number in SERVERS {
                ring.employ(number, TAKES_OVER).unwrap();
            }
        }
        for one in &loops {
            let has = || one.read(INI).contains(&address) == listed;
            assert!(wait_for(LONG, has), "change {change}: {}", ring.told(one.number));
        }
        longest = longest.max(changed.elapsed().as_secs_f64());
        for one in &mut loops {
            // The look one change before tells since when a round is a new one.
            let due = one.restored + BETWEEN;
            if change + 1 < due || change > LAST_EDIT || !one.has_turned(ring) || change < due {
                continue;
            }
            assert!(one.is_elsewhere(), "at change {change}: {}", ring.told(one.number));
            ring.environment.server(one.number).restore_settings().unwrap();
            (one.restored, edits) = (change, edits + 1);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    ring.settled();
    for one in &loops {
        assert!(wait_for(LONG, || one.is_elsewhere()), "{}", ring.told(one.number));
        let live = || ring.agents[&one.number].live().is_ok_and(|live| live.text == one.read(INI));
        assert!(wait_for(LONG, live), "the agent's file wins: {}", ring.told(one.number));
    }
    let lost = written(ring) - before;
    if lost == 0 {
        assert_eq!(SERVERS.map(|number| ring.pids(number).0), chmpx, "no chmpx has ended");
    }
    assert!(edits >= 4 && lost <= edits / 2, "{lost} of {edits} edits were followed by a write of the loop");
    say(&format!(
        "{CHANGES} changes in 2 containers in {seconds:.1} s, the slowest after {longest:.1} s; the loops were let loose \
         {edits} times and wrote {lost} times"
    ));
}
