//! Activity of chmpx's merging thread, by the kernel: neither status nor processor time show it. A leaving server serves on
//! while it merges, and a chmpx whose copy sticks spins (C29, C31).
//!
//! The threads of chmpx 1.0.113 wait for work in a futex or in epoll, and the one that merges is the only one that sleeps
//! by the clock (lib/chmthread.cc:119, lib/chmeventsock.cc:1660, lib/chmeventmq.cc:2038).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::supervisor::MergeThread;

/// Least time between two counts. The thread that waits for others wakes ten times a second, the one that asks k2hdkc some
/// 15,000 times.
const LEAST: Duration = Duration::from_millis(500);

/// Wakes a second that make it the one that asks.
const ASKS: u64 = 500;

/// Wakes a second, in thousandths, below which it does neither.
const RESTS: u64 = 2000;

/// Looks, until it is known which thread it is: one that asks was met asleep in one of ten on busy processors.
const AGAIN: u32 = 5;

/// State of the last look.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// Voluntary switches of each thread, with the process and the time of the count.
    counted: Option<(u32, Instant, BTreeMap<u32, Seen>)>,
    /// The thread that merges: the one that was seen asleep by the clock. One that asks is awake most of the time where the
    /// processors are busy.
    merger: Option<u32>,
    /// Conclusion of the last two counts.
    last: Option<MergeThread>,
}

/// A thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// True if it sleeps by the clock.
    sleeps: bool,
    /// Number of its voluntary switches.
    switches: u64,
}

impl Threads {
    /// Forgets the process.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Looks at the chmpx of that number; `None` where the kernel does not tell, or not yet.
    pub(super) fn look(&mut self, pid: u32, now: Instant) -> Option<MergeThread> {
        self.look_in(Path::new("/proc"), pid, now)
    }

    fn look_in(&mut self, proc: &Path, pid: u32, now: Instant) -> Option<MergeThread> {
        let Some((_, at, before)) = self.counted.as_ref().filter(|(of, ..)| *of == pid) else {
            self.forget();
            self.count(proc, pid, now);
            return None;
        };
        let time = now.duration_since(*at);
        if time < LEAST {
            return self.last;
        }
        let before = before.clone();
        let seen = self.count(proc, pid, now);
        // Where none was ever seen to merge, it may be a chmpx whose merges wait in another way.
        self.last =
            seen.zip(self.merger).map(|(seen, merger)| does(before.get(&merger), seen.get(&merger), time));
        self.last
    }

    fn count(&mut self, proc: &Path, pid: u32, now: Instant) -> Option<BTreeMap<u32, Seen>> {
        let mut seen = threads(proc, pid);
        for _ in 0..AGAIN {
            let asleep = seen.iter().flatten().find(|(_, seen)| seen.sleeps).map(|(id, _)| *id);
            self.merger = asleep.or(self.merger);
            if self.merger.is_some() || seen.is_none() {
                break;
            }
            seen = threads(proc, pid);
        }
        self.counted = seen.clone().map(|seen| (pid, now, seen));
        seen
    }
}

/// Concludes from two counts of the merging thread.
fn does(before: Option<&Seen>, now: Option<&Seen>, time: Duration) -> MergeThread {
    let Some(now) = now else { return MergeThread::Rests };
    let switches = now.switches.saturating_sub(before.map_or(now.switches, |before| before.switches));
    let thousandths = u128::from(switches) * 1_000_000 / time.as_millis().max(1);
    match thousandths {
        _ if thousandths >= u128::from(ASKS) * 1000 => MergeThread::Asks,
        _ if now.sleeps || thousandths >= u128::from(RESTS) => MergeThread::Copies,
        _ => MergeThread::Rests,
    }
}

/// The threads of a process; `None` where it is gone, or where the agent is not told what they wait for.
fn threads(proc: &Path, pid: u32) -> Option<BTreeMap<u32, Seen>> {
    let entries = fs::read_dir(proc.join(pid.to_string()).join("task")).ok()?;
    let threads: BTreeMap<u32, (String, u64)> =
        entries.flatten().filter_map(|entry| thread(&entry)).collect();
    // One that runs waits for nothing ("0"); where all say so, it is a kernel that does not tell, or one that tells only whom
    // it lets trace.
    threads.values().any(|(waits, _)| waits != "0").then(|| {
        let seen = |(waits, switches): (String, u64)| Seen { sleeps: waits.contains("nanosleep"), switches };
        threads.into_iter().map(|(id, thread)| (id, seen(thread))).collect()
    })
}

fn thread(entry: &fs::DirEntry) -> Option<(u32, (String, u64))> {
    let id = entry.file_name().to_str()?.parse().ok()?;
    let waits = fs::read_to_string(entry.path().join("wchan")).ok()?;
    let status = fs::read_to_string(entry.path().join("status")).ok()?;
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    Some((id, (waits.trim().to_owned(), switches.trim().parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `/proc` with one chmpx whose threads wait for these, and have gone to sleep so often.
    fn proc(threads: &[(u32, &str, u64)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        put(&proc, threads);
        proc
    }

    #[expect(clippy::disallowed_methods, reason = "a directory of the test's own")]
    fn put(proc: &tempfile::TempDir, threads: &[(u32, &str, u64)]) {
        for (id, waits, switches) in threads {
            let thread = proc.path().join(format!("7/task/{id}"));
            fs::create_dir_all(&thread).unwrap();
            fs::write(thread.join("wchan"), waits).unwrap();
            let status = format!(
                "Name:\tchmpx\nvoluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t9\n"
            );
            fs::write(thread.join("status"), status).unwrap();
        }
    }

    /// Conclusion of two looks, a second apart, at the same chmpx.
    fn told(before: &[(u32, &str, u64)], after: &[(u32, &str, u64)]) -> Option<MergeThread> {
        let (proc, now, mut threads) = (proc(before), Instant::now(), Threads::default());
        assert_eq!(threads.look_in(proc.path(), 7, now), None, "one count tells nothing");
        put(&proc, after);
        threads.look_in(proc.path(), 7, now + Duration::from_secs(1))
    }

    const EPOLL: &str = "do_epoll_wait";
    const FUTEX: &str = "futex_do_wait";
    const SLEEP: &str = "hrtimer_nanosleep";

    #[test]
    fn the_thread_that_copies_sleeps_ten_times_a_second() {
        let threads = |n: u64| [(7, EPOLL, 10 * n), (8, EPOLL, 99 * n), (9, SLEEP, 10 * n), (10, FUTEX, 0)];
        assert_eq!(told(&threads(1), &threads(2)), Some(MergeThread::Copies));
    }

    #[test]
    fn the_thread_that_asks_in_vain_sleeps_all_the_time_also_where_it_is_met_awake() {
        let threads = |n: u64, waits| [(7, EPOLL, 10 * n), (9, waits, 15_000 * n), (10, FUTEX, 0)];
        assert_eq!(told(&threads(1, SLEEP), &threads(2, SLEEP)), Some(MergeThread::Asks));
        assert_eq!(told(&threads(1, SLEEP), &threads(2, "0")), Some(MergeThread::Asks));
    }

    #[test]
    fn a_thread_that_asks_and_gives_up_rests() {
        let threads = |waits, switches| [(7, EPOLL, 10 * switches), (9, waits, switches), (10, FUTEX, 0)];
        let (proc, now, mut looks) = (proc(&threads(SLEEP, 0)), Instant::now(), Threads::default());
        let mut seen = Vec::new();
        for (second, (waits, switches)) in
            [(SLEEP, 0), ("0", 9_000), ("0", 18_000), (FUTEX, 20_000), (FUTEX, 20_000), (FUTEX, 20_000)]
                .into_iter()
                .enumerate()
        {
            put(&proc, &threads(waits, switches));
            seen.extend(looks.look_in(proc.path(), 7, now + Duration::from_secs(second as u64)));
        }
        let (asks, rests) = (MergeThread::Asks, MergeThread::Rests);
        assert_eq!(seen, [asks, asks, asks, rests, rests]);
    }

    #[test]
    fn a_chmpx_in_which_no_thread_sleeps_by_the_clock_is_not_judged_however_busy() {
        let threads =
            |n: u64| [(7, EPOLL, 9000 * n), (8, EPOLL, 9000 * n), (9, FUTEX, 9000 * n), (10, "0", 20)];
        assert_eq!(told(&threads(1), &threads(2)), None, "it may merge in a way that is not known here");
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_not_known() {
        let hidden = |n: u64| [(7, "0", 10 * n), (9, "0", 15_000 * n)];
        assert_eq!(told(&hidden(1), &hidden(2)), None);
        assert_eq!(Threads::default().look_in(Path::new("/nowhere"), 7, Instant::now()), None);
    }

    #[test]
    fn looks_that_follow_at_once_tell_the_same_and_another_process_begins_anew() {
        let (proc, now) = (proc(&[(7, EPOLL, 1), (9, SLEEP, 10)]), Instant::now());
        let mut threads = Threads::default();
        let mut look = |pid, millis| threads.look_in(proc.path(), pid, now + Duration::from_millis(millis));
        assert_eq!((look(7, 0), look(7, 100), look(7, 600)), (None, None, Some(MergeThread::Copies)));
        assert_eq!((look(7, 700), look(8, 800), look(7, 900)), (Some(MergeThread::Copies), None, None));
    }
}
