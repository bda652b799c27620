//! Asks the other hosts of the ring whether they answer: one connection to the control port of each, which is closed at once. A
//! refusal is an answer as well: only a host that is there refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::peers::Answers;

/// Time for an answer: that of a host on the same network takes a millisecond. The kernel repeats the question after a second.
const WITHIN: Duration = Duration::from_millis(1200);

/// Largest number of hosts that are asked at a time.
const MOST: usize = 8;

/// The questions of one round, and all answers so far.
#[derive(Debug, Default)]
pub(super) struct Witness {
    asking: JoinSet<(IpAddr, bool)>,
    begun: Option<Instant>,
    answered: bool,
    latest: BTreeMap<IpAddr, Instant>,
    in_vain: Option<Instant>,
}

impl Witness {
    /// Begins a round, unless one is under way.
    pub(super) fn ask(&mut self, others: &[SocketAddr]) {
        if !self.asking.is_empty() || others.is_empty() {
            return;
        }
        (self.begun, self.answered) = (Some(Instant::now()), false);
        for address in others.iter().copied().take(MOST) {
            self.asking.spawn(async move { (address.ip().to_canonical(), is_there(address).await) });
        }
    }

    /// Waits for the next answer of a round; for ever without one.
    pub(super) async fn answer(&mut self) {
        let Some(joined) = self.asking.join_next().await else { return std::future::pending().await };
        let Ok((host, is_there)) = joined else { return };
        if is_there {
            self.answered = true;
            self.latest.insert(host, Instant::now());
        }
        if self.asking.is_empty() && !self.answered {
            self.in_vain = self.begun;
        }
    }

    /// Returns the answers; `others` are the control ports of all other hosts.
    pub(super) fn answers(&self, others: &[SocketAddr]) -> Answers {
        let hosts: BTreeSet<_> = others.iter().map(|address| address.ip().to_canonical()).collect();
        Answers { hosts: hosts.len(), latest: self.latest.clone(), in_vain: self.in_vain }
    }
}

async fn is_there(address: SocketAddr) -> bool {
    match timeout(WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == io::ErrorKind::ConnectionRefused,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_and_a_refusal_are_answers_and_a_round_of_silence_is_in_vain() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refuses = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
        let others = [listener.local_addr().unwrap(), refuses];
        let mut witness = Witness::default();
        witness.ask(&others);
        witness.answer().await;
        witness.answer().await;
        let answers = witness.answers(&others);
        assert_eq!((answers.hosts, answers.latest.len(), answers.in_vain), (2, 2, None));
        // Nothing is routed there.
        let nowhere = ["255.255.255.255:1".parse().unwrap()];
        let before = Instant::now();
        witness.ask(&nowhere);
        witness.answer().await;
        assert!(witness.answers(&nowhere).in_vain.is_some_and(|begun| begun >= before));
    }
}
