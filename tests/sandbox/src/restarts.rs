//! What must be true when an agent ends and starts again.

use std::time::Instant;

use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::ring::Mode;

use super::change::Changed;
use super::director::{Before, Director, Trouble, times_line};
use super::holding::{PASSES, all_quiet};
use super::member::explains;
use super::toll::milliseconds;

impl Director {
    /// The first server's agent was killed and something was changed meanwhile: its file is whole, and right
    /// after the next start.
    pub(super) async fn catches_up(
        &mut self,
        title: &str,
        before: &Before,
        begun: Instant,
    ) -> Result<String, Trouble> {
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
        let line = format!(
            "{name}'s file stayed whole, and showed what was missed {took} ms after the new start; chmpx and k2hdkc ran on"
        );
        self.record.others.push((title.to_owned(), line.clone()));
        Ok(line)
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

    /// Milliseconds until the file of a node says what it must.
    async fn until_right(&self, place: usize, since: Instant) -> Result<u128, Trouble> {
        let member = &self.cluster.members[place];
        let at = member.sightings.saying(&self.cluster.wanted(), self.patience()).await;
        let at = at.ok_or_else(|| Trouble::at(&member.name, "its file is not right after the start"))?;
        Ok(at.saturating_duration_since(since).as_millis())
    }

    /// The newest slave booted without file and K2HR3: it runs from what it kept, and all follow again later.
    pub(super) async fn runs_from_kept(
        &mut self,
        title: &str,
        changed: &Changed,
        before: &Before,
    ) -> Result<String, Trouble> {
        let first = self.cluster.newest(Mode::Slave)?;
        let name = self.cluster.members[first].name.clone();
        let took = self.until_right(first, changed.at).await?;
        let rings = self.rings_from(changed.at, &[]).await?;
        let joined = rings.iter().map(|time| time.took).max().unwrap_or_default();
        self.cluster.start_programs().await?;
        self.quiet_but(&name, before).await?;
        let logged = self.cluster.members[first].logged("put a kept generation back");
        let logged =
            logged.ok_or_else(|| Trouble::at(&name, "its log does not say that it put a kept file back"))?;
        let times = self.back_to_normal().await?;
        let line = format!(
            "{name} has its kept file {took} ms after the start, and a whole ring {}; with K2HR3 back every file follows \
             {times}\nits log: {logged}",
            milliseconds(joined)
        );
        self.record.others.push((title.to_owned(), line.clone()));
        Ok(line)
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
