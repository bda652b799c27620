//! The agents' ring change in virtual time: many clusters, each made of a seed, with operations and faults at any moment, against a
//! model of chmpx and k2hdkc. Of each the invariants must hold at all times, and the ring must be well some time after the last
//! fault.
//!
//! A range of seeds runs each time, and so do those that once failed. `SIMULATION_SECONDS` has fresh ones run for so long: about one
//! in a hundred fails still, see docs/testing.md. `SEED=7 cargo test --test simulation fresh` replays one, with its trace.
//! `SIMULATION_SURVEY=1` goes on behind a failure, and counts them by kind; `FIRST_SEED` takes the seeds from there.
#![expect(clippy::print_stdout, reason = "the suite prints its figures")]

mod agent;
mod clients;
mod looking;
mod oracle;
mod plan;
mod seeds;
mod shrink;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use plan::Plan;
use world::{Ended, World, print};

/// Seeds that run each time.
const RANGE: std::ops::Range<u64> = 2000..2100;
/// Lines of a trace that are printed of a failure.
const LINES: usize = 150;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Runs a seed; a failure is shortened, and ends the test.
fn pass(seed: u64) -> u64 {
    let ended = World::new(Plan::of(seed), false).run();
    assert!(ended.violations.is_empty(), "{}", explain(seed, &ended));
    ended.steps
}

/// Prints a failure, and the shortest plan that was found to fail alike, with its trace.
fn explain(seed: u64, ended: &Ended) -> String {
    let Some(violation) = ended.violations.first() else { return String::new() };
    let short = shrink::shrink(&Plan::of(seed), violation.broken.kind());
    let Ended { trace, .. } = World::new(short.clone(), true).run();
    let trace = print(&trace, LINES);
    format!("SEED={seed} cargo test --test simulation\n{violation}\nshortest plan: {short}\n{trace}")
}

#[test]
fn old_seeds_that_once_failed_pass() {
    for (seed, _) in seeds::OLD {
        pass(*seed);
    }
}

#[test]
fn a_range_of_seeds_passes() {
    let begin = Instant::now();
    let steps: u64 = RANGE.map(pass).sum();
    println!("{} seeds, {steps} steps in {:.1} s", RANGE.count(), begin.elapsed().as_secs_f64());
}

#[test]
fn fresh_seeds_pass_for_as_long_as_is_asked() {
    if let Some(seed) = number("SEED") {
        return replay(seed);
    }
    let Some(seconds) = number("SIMULATION_SECONDS") else { return };
    let first = number("FIRST_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000_000));
    let (begin, time) = (Instant::now(), Duration::from_secs(seconds));
    let (mut seeds, mut steps, mut open, mut kinds) = (0, 0, 0, BTreeMap::<&str, Vec<u64>>::new());
    while begin.elapsed() < time {
        let seed = first + seeds;
        let ended = World::new(Plan::of(seed), false).run();
        (seeds, steps, open) = (seeds + 1, steps + ended.steps, open + u32::from(ended.open));
        match ended.violations.first() {
            None => {}
            Some(violation) if number("SIMULATION_SURVEY").is_some() => {
                kinds.entry(violation.broken.kind()).or_default().push(seed);
            }
            Some(_) => panic!("{}", explain(seed, &ended)),
        }
    }
    println!(
        "{seeds} seeds from {first}, {steps} steps in {:.1} s, a slave ran in a merge in {open}; {kinds:?}",
        begin.elapsed().as_secs_f64()
    );
}

fn replay(seed: u64) {
    let plan = Plan::of(seed);
    println!("{plan}");
    let ended = World::new(plan, true).run();
    println!("{}", print(&ended.trace, usize::MAX));
    assert!(ended.violations.is_empty(), "{:?}", ended.violations);
}

#[test]
fn an_eleventh_server_joins_a_ring_of_ten() {
    let plan = Plan::eleventh_joins();
    let ended = World::new(plan.clone(), true).run();
    assert!(ended.violations.is_empty(), "{}", print(&ended.trace, LINES));
    let joined = ended.trace.iter().rev().find(|(_, text)| text.contains("SERVICEIN to node10"));
    println!("{plan}\n{} steps; {joined:?}", ended.steps);
}

#[test]
fn a_seed_replays_alike() {
    let run = || World::new(Plan::of(1), true).run();
    let (first, second) = (run(), run());
    assert_eq!((first.steps, first.trace), (second.steps, second.trace));
}
