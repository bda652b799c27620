//! Checks after too many servers are gone from K2HR3 at once: held by all until somebody or time confirms it,
//! and their keys are safe, since whoever confirms takes them out of service before.

use std::time::{Duration, Instant};

use k2hdkc_agent::clock::spoken;
use k2hdkc_agent::guard::Held;
use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::status::Status;

use super::change::Changed;
use super::director::{Before, Director, Trouble};
use super::holding::{PASSES, all_quiet};
use super::member::Member;
use super::options::MergesBy;
use super::record::{Outcome, Time};

impl Director {
    /// A loss of too many servers is held by all, released by hand on one node and by repeated polls on others.
    pub(super) async fn released(&mut self, changed: Changed, before: &Before) -> Result<Outcome, Trouble> {
        let first = self.cluster.first(Mode::Server)?;
        let name = self.cluster.members[first].name.clone();
        let status = self.all_hold(first, &changed, before).await?;
        let all = self.cluster.members.len();
        let Changed { at, left, .. } = changed;
        let left = self.take_out_of_service(left).await?;
        if self.cluster.pace.merges_by == MergesBy::Agents {
            return self.released_by_itself(left, at, &status).await;
        }
        let id = releasable(&status).map(|held| held.id.clone()).unwrap_or_default();
        let took = self.confirm(first, &id).await?.as_millis();
        for member in left {
            self.cluster.end(member).await?;
        }
        let others = self.others_wait(&name, at, before).await?;
        let rings = self.rings_from(at, &[]).await?;
        self.converged().await?;
        let text = format!(
            "{all} of {all} nodes held it: {}\nboth servers were taken out of service by hand; {name} released it {took} ms \
             after 'k2hdkc-agent confirm {id}', the others after repeated polls",
            status.line()
        );
        Ok(Outcome { files: others, rings, text })
    }

    /// Servers that have left by a merge are no loss any more: nobody needs to confirm it.
    async fn released_by_itself(
        &mut self,
        left: Vec<Member>,
        at: Instant,
        status: &Status,
    ) -> Result<Outcome, Trouble> {
        for member in left {
            self.cluster.end(member).await?;
        }
        let files = self.times_from(at, &[]).await?;
        let rings = self.rings_from(at, &[]).await?;
        self.converged().await?;
        let all = self.cluster.members.len();
        let line = status.line();
        let text = format!(
            "{all} of {all} nodes held it: {line}\nboth servers left by 'k2hdkc-agent leave', which moved their keys; all \
             nodes took them out then"
        );
        Ok(Outcome { files, rings, text })
    }

    /// Does what an operator does who means it: the keys of those servers move, one server after the other.
    async fn take_out_of_service(&mut self, left: Vec<Member>) -> Result<Vec<Member>, Trouble> {
        let (within, mut out) = (self.patience(), Vec::new());
        for mut member in left {
            let name = member.name.clone();
            member.set_on_exit(true, within).await.map_err(|error| Trouble::at(&name, error))?;
            let left = match self.cluster.pace.merges_by {
                MergesBy::Agents => member.agent().leave(within).await,
                MergesBy::Chmpx => self.cluster.service_out(&member).await,
            };
            left.map_err(|what| Trouble::at(&name, what))?;
            out.push(member);
        }
        Ok(out)
    }

    /// Every file stays, and every status says that it may be released; that of one node.
    async fn all_hold(&self, place: usize, changed: &Changed, before: &Before) -> Result<Status, Trouble> {
        let mut said = self.all_say(|status| releasable(status).is_some(), changed.begun, PASSES).await;
        all_quiet(self.touched(before), &said)?;
        let (name, said) = said.swap_remove(place);
        said.map_err(|said| Trouble::at(&name, said))
    }

    /// Confirms as an operator does; how long until the file shows it.
    async fn confirm(&self, place: usize, id: &str) -> Result<Duration, Trouble> {
        let (member, start) = (&self.cluster.members[place], Instant::now());
        let output = member.node.run(&["confirm", id])?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Trouble::at(&member.name, format!("confirm: {said}")));
        }
        let at = member.sightings.saying(&self.cluster.wanted(), self.patience()).await;
        let at = at.ok_or_else(|| Trouble::at(&member.name, "its file does not follow the confirmation"))?;
        Ok(at.saturating_duration_since(start))
    }

    /// The others follow by themselves, but not before the time of the guard.
    async fn others_wait(
        &self,
        confirmed: &str,
        since: Instant,
        before: &Before,
    ) -> Result<Vec<Time>, Trouble> {
        let early = self.touched(before).len() > 1;
        let mut times = self.times_from(since, &[]).await?;
        times.retain(|time| time.node != confirmed);
        let least = times.iter().map(|time| time.took).min().unwrap_or_default();
        if early || least < self.cluster.pace.confirm_for {
            let what = format!("released by itself after {}, before confirm-for", spoken(least));
            return Err(Trouble::with(times.into_iter().map(|time| time.node).collect(), what));
        }
        Ok(times)
    }
}

fn releasable(status: &Status) -> Option<&Held> {
    status.held.as_ref().filter(|held| held.releasable && status.code() == Some(OutcomeKind::Held))
}
