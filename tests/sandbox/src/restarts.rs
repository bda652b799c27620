//! Checks when an agent ends and starts again.

use std::time::{Duration, Instant};

use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::ring::Mode;

use super::change::Changed;
use super::director::{Before, Director, Trouble, times_line};
use super::holding::{PASSES, all_quiet};
use super::member::explains;
use super::record::{Outcome, Time};

impl Director {
    /// The first server's agent was killed and something was changed meanwhile: its file is whole, and right
    /// after the next start.
    pub(super) async fn catches_up(&mut self, before: &Before, begun: Instant) -> Result<Outcome, Trouble> {
        let first = self.cluster.first(Mode::Server)?;
        let name = self.cluster.members[first].name.clone();
        self.others_follow(first).await?;
        if self.touched(before).contains(&name) {
            return Err(Trouble::at(&name, "its file changed without an agent"));
        }
        let start = Instant::now();
        self.cluster.members[first].node.start()?;
        let took = self.until_right(first, start).await?;
        self.converged().await?;
        self.rings_steady(begun)?;
        let text = format!(
            "{name} kept a whole file, and had the missed change so long after its new start; chmpx and k2hdkc ran on"
        );
        let files = vec![Time { node: name, took, booted: true }];
        Ok(Outcome { files, rings: Vec::new(), text })
    }

    /// Waits for all but one.
    async fn others_follow(&self, but: usize) -> Result<(), Trouble> {
        let wanted = self.cluster.wanted();
        for (place, member) in self.cluster.members.iter().enumerate() {
            let follows = place == but || member.sightings.saying(&wanted, self.patience()).await.is_some();
            if !follows {
                return Err(Trouble::at(&member.name, "its file does not follow"));
            }
        }
        Ok(())
    }

    /// The time until the file of a node is right.
    async fn until_right(&self, place: usize, since: Instant) -> Result<Duration, Trouble> {
        let member = &self.cluster.members[place];
        let at = member.sightings.saying(&self.cluster.wanted(), self.patience()).await;
        let at = at.ok_or_else(|| Trouble::at(&member.name, "its file is not right after the start"))?;
        Ok(at.saturating_duration_since(since))
    }

    /// The newest slave booted without file and K2HR3: it runs from what it kept, and all follow again later.
    pub(super) async fn runs_from_kept(
        &mut self,
        changed: &Changed,
        before: &Before,
    ) -> Result<Outcome, Trouble> {
        let first = self.cluster.newest(Mode::Slave)?;
        let name = self.cluster.members[first].name.clone();
        let took = self.until_right(first, changed.at).await?;
        let rings = self.rings_from(changed.at, &[]).await?;
        self.cluster.start_programs().await?;
        self.quiet_but(&name, before).await?;
        let logged = self.cluster.members[first].logged("put a kept generation back");
        let logged =
            logged.ok_or_else(|| Trouble::at(&name, "its log does not say that it put a kept file back"))?;
        let times = self.back_to_normal().await?;
        let text = format!(
            "{name} ran from its kept file; with K2HR3 back every file followed {times}\nits log: {logged}"
        );
        let files = vec![Time { node: name, took, booted: true }];
        Ok(Outcome { files, rings, text })
    }

    /// While K2HR3 is down no other file changes, and everybody says why.
    async fn quiet_but(&self, restarted: &str, before: &Before) -> Result<(), Trouble> {
        let said = self.all_say(explains, Timestamp::now(), PASSES).await;
        let mut touched = self.touched(before);
        touched.retain(|node| node != restarted);
        all_quiet(touched, &said)
    }

    async fn back_to_normal(&mut self) -> Result<String, Trouble> {
        self.cluster.cure().await?;
        let well = Instant::now();
        self.cluster.change_operators_key();
        let times = times_line(&self.times_from(well, &[]).await?);
        self.converged().await?;
        Ok(times)
    }
}
