//! How long things take, and how often they go wrong.

use std::ops::Range;

use super::list::Micros;

/// Latencies and chances. Chances are between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Odds {
    /// A message between two hosts.
    pub hop: Range<Micros>,
    /// A message that meets a busy machine.
    pub slow_hop: Range<Micros>,
    /// The chance of that.
    pub slow: f64,
    /// The chance that a message overtakes the one before it: chmpx has several threads and connections for a peer.
    pub overtakes: f64,
    /// The chance that a token is lost on a hop.
    pub loses: f64,
    /// A request, or another work, at a k2hdkc.
    pub work: Range<Micros>,
    /// The chance that a k2hdkc does a later work first: it has several threads.
    pub jumps: f64,
    /// The time that a giver takes for each key that it has.
    pub per_key: Micros,
    /// The chance that a copy takes twenty times as long.
    pub slow_copy: f64,
    /// The chance of C29 at each copy, where the k2hdkc answers at once.
    pub vain: f64,
    /// The chance that a giver forgets a question.
    pub forgets: f64,
    /// The chance that a control port does not answer, whether it carries the command out or not (half of them).
    pub silent: f64,
    /// A program waits for its answer.
    pub patience: Range<Micros>,
    /// The kernel gives up a peer that acknowledges nothing.
    pub gives_up: Micros,
}

impl Default for Odds {
    /// As measured on a busy machine with two cores.
    fn default() -> Self {
        Self {
            hop: 150..1_200,
            slow_hop: 5_000..400_000,
            slow: 0.004,
            overtakes: 0.002,
            loses: 0.0005,
            work: 100..900,
            jumps: 0.05,
            per_key: 250,
            slow_copy: 0.02,
            vain: 0.03,
            forgets: 0.002,
            silent: 0.002,
            patience: 9_000_000..12_000_000,
            gives_up: 900_000_000,
        }
    }
}

impl Odds {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        let never = 0.0;
        Self {
            slow: never,
            overtakes: never,
            loses: never,
            jumps: never,
            slow_copy: never,
            vain: never,
            forgets: never,
            silent: never,
            ..Self::default()
        }
    }
}
