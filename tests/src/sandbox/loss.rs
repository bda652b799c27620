//! What must be true when too many servers are lost at once: held by all until somebody or time confirms it.

use std::time::{Duration, Instant};

use k2hdkc_agent::clock::spoken;
use k2hdkc_agent::guard::Held;
use k2hdkc_agent::report::Kind;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::status::Status;

use super::change::Changed;
use super::director::{Before, Director, Trouble, times_line};
use super::holding::{PASSES, all_quiet};
use super::record::Time;

impl Director {
    /// A loss of too many servers is held by all, released by hand on one node and by repeated polls on others.
    pub(super) async fn released(
        &mut self,
        title: &str,
        changed: &Changed,
        before: &Before,
    ) -> Result<String, Trouble> {
        let first = self.cluster.first(Mode::Server)?;
        let name = self.cluster.members[first].name.clone();
        let status = self.all_hold(first, changed, before).await?;
        let all = self.cluster.members.len();
        self.say("", &format!("{title}: {all} of {all} held\n{}", status.line));
        let id = releasable(&status).map(|held| held.id.clone()).unwrap_or_default();
        let took = self.confirm(first, &id).await?.as_millis();
        let others = self.others_wait(&name, changed, before).await?;
        let line = format!(
            "{name} released {took} ms after 'k2hdkc-agent confirm {id}', the others by repeated polls {}",
            times_line(&others)
        );
        self.record.others.push((title.to_owned(), format!("{all} of {all} held: {}\n{line}", status.line)));
        Ok(line)
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
        changed: &Changed,
        before: &Before,
    ) -> Result<Vec<Time>, Trouble> {
        let early = self.touched(before).len() > 1;
        let mut times = self.times_from(changed.at, &[]).await?;
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
    status.held.as_ref().filter(|held| held.releasable && status.state == Some(Kind::Held))
}
