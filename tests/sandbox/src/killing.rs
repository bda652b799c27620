//! Checks after a kill of a process: it is back, in the right order, and the ring is whole again.

use std::time::Instant;

use super::census::{Lives, Program};
use super::cost::milliseconds;
use super::director::{Director, Trouble};
use super::record::Outcome;

impl Director {
    /// chmpx and k2hdkc of the second server run again, k2hdkc started after chmpx, and every ring is whole.
    pub(super) async fn comes_back(&mut self, killed: Instant) -> Result<Outcome, Trouble> {
        let name = self.cluster.second_server()?.name.clone();
        let back = |lives: &Lives| {
            let k2hdkc = lives.running(&name, Program::K2hdkc).filter(|life| life.first > killed);
            let chmpx = lives.running(&name, Program::Chmpx);
            chmpx.zip(k2hdkc).filter(|(chmpx, k2hdkc)| chmpx.first < k2hdkc.first)
        };
        if !self.cluster.census.until(self.patience(), |lives| back(lives).is_some()).await {
            return Err(Trouble::at(&name, "chmpx and k2hdkc do not run again"));
        }
        let Some((chmpx, k2hdkc)) = back(&self.cluster.census.lives()) else {
            return Err(Trouble::at(&name, "its new k2hdkc ended again"));
        };
        if k2hdkc.ticks <= chmpx.ticks {
            return Err(Trouble::at(&name, "its k2hdkc is older than its chmpx"));
        }
        let rings = self.rings_from(killed, &[]).await?;
        self.converged().await?;
        let (first, then) = (
            milliseconds(chmpx.first.saturating_duration_since(killed)),
            milliseconds(k2hdkc.first.saturating_duration_since(killed)),
        );
        let chmpx = if chmpx.first > killed { format!("chmpx after {first}, ") } else { String::new() };
        let text = format!("{name} has started {chmpx}k2hdkc after {then}");
        Ok(Outcome { files: Vec::new(), rings, text })
    }
}
