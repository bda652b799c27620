//! Checks while an answer is not to be believed: files and rings stay, statuses give the reason, and it ends.

use std::collections::BTreeMap;
use std::time::Instant;

use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::status::Status;
use tokio::task::JoinSet;

use super::change::Changed;
use super::director::{Before, Director, Trouble};
use super::member::{Member, explains};
use super::record::{Outcome, Time};
use super::sick::Cause;

/// So many passes must come to the same, so that the second sick answer is seen too.
pub(super) const PASSES: usize = 2;

/// The status of a node, or what it answered instead.
pub(super) type Said = (String, Result<Status, String>);

impl Director {
    /// No file changes, every status says why, and the next good answer is applied by all.
    pub(super) async fn stays(
        &mut self,
        cause: &Cause,
        changed: &Changed,
        before: &Before,
        begun: Instant,
    ) -> Result<Outcome, Trouble> {
        let said = self.all_explain(cause, changed.begun).await?;
        let (touched, silent, reason) = (self.touched(before), silent(&said), reason(&said));
        let held = said.iter().filter(|(name, _)| !touched.contains(name) && !silent.contains(name)).count();
        let (recovery, of) = (self.recovery(cause).await, said.len());
        all_quiet(touched, &said)?;
        let files = recovery?;
        self.loaded().await?;
        self.rings_steady(begun)?;
        let text = format!("{held} of {of} nodes kept their file and their ring; {}: {reason}", said[0].0);
        Ok(Outcome { files, rings: Vec::new(), text })
    }

    /// Collects what every node makes of it. A sickness that the nodes must bring about themselves goes on meanwhile.
    async fn all_explain(&self, cause: &Cause, since: Timestamp) -> Result<Vec<Said>, Trouble> {
        let passes = if cause.is_slow() { 1 } else { PASSES };
        let all = self.all_say(explains, since, passes);
        if *cause != Cause::FirstServerBlinks {
            return Ok(all.await);
        }
        tokio::select! {
            said = all => Ok(said),
            ended = self.cluster.keep_registering_first() => match ended? {},
        }
    }

    /// Makes K2HR3 well again, with something new; the times until the files show it.
    async fn recovery(&mut self, cause: &Cause) -> Result<Vec<Time>, Trouble> {
        if cause.is_slow() {
            // What is still on its way would take its time; a restart of the API cuts it.
            self.cluster.stop_k2hr3().await;
        }
        self.cluster.cure().await?;
        let well = Instant::now();
        if cause.lets_changes_through() {
            self.cluster.change_operators_key();
        }
        self.times_from(well, &[]).await
    }

    /// Asks every node until its status fits.
    pub(super) async fn all_say(
        &self,
        fits: fn(&Status) -> bool,
        since: Timestamp,
        passes: usize,
    ) -> Vec<Said> {
        let (mut asked, within) = (JoinSet::new(), self.patience());
        for (place, member) in self.cluster.members.iter().enumerate() {
            let (name, agent) = (member.name.clone(), member.agent());
            asked.spawn(async move { (place, name, agent.status_that(fits, since, passes, within).await) });
        }
        let mut said = asked.join_all().await;
        said.sort_by_key(|(place, ..)| *place);
        said.into_iter().map(|(_, name, said)| (name, said)).collect()
    }

    /// The nodes whose files are not what they were.
    pub(super) fn touched(&self, before: &Before) -> Vec<String> {
        let is_touched = |member: &&Member| {
            let old = before.get(&member.name).and_then(Option::as_ref);
            !member.sightings.is_untouched(old)
        };
        self.cluster.members.iter().filter(is_touched).map(|member| member.name.clone()).collect()
    }

    /// Waits until every chmpx has loaded its file.
    pub(super) async fn loaded(&self) -> Result<(), Trouble> {
        let end = Instant::now() + self.patience();
        for member in &self.cluster.members {
            let (left, version) = (end.saturating_duration_since(Instant::now()), member.fileversion());
            if member.looks.until(left, |seen| Some(seen.fileversion) >= version).await.is_none() {
                return Err(Trouble::at(
                    &member.name,
                    format!("its file is not loaded: {}", member.looks.line()),
                ));
            }
        }
        Ok(())
    }

    /// No server of any ring has changed since then.
    pub(super) fn rings_steady(&self, since: Instant) -> Result<(), Trouble> {
        for member in &self.cluster.members {
            let steady = member.looks.steady_since(since);
            steady.map_err(|seen| Trouble::at(&member.name, format!("its ring changed: {seen}")))?;
        }
        Ok(())
    }
}

fn silent(said: &[Said]) -> Vec<String> {
    said.iter().filter(|(_, said)| said.is_err()).map(|(name, _)| name.clone()).collect()
}

/// No file was touched and everybody said why.
pub(super) fn all_quiet(touched: Vec<String>, said: &[Said]) -> Result<(), Trouble> {
    if !touched.is_empty() {
        let what = format!("files changed on {}", touched.join(", "));
        return Err(Trouble::with(touched, what));
    }
    let silent = silent(said);
    if !silent.is_empty() {
        return Err(Trouble::with(silent, unexplained(said)));
    }
    Ok(())
}

/// Renders the other answers, the same only once.
fn unexplained(said: &[Said]) -> String {
    let mut instead: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, said) in said {
        if let Err(line) = said {
            instead.entry(line).or_default().push(name);
        }
    }
    let lines: Vec<_> =
        instead.iter().map(|(line, names)| format!("{} said \"{line}\"", names.join(", "))).collect();
    format!("not explained: {}", lines.join("; "))
}

/// The line of the first server's status.
fn reason(said: &[Said]) -> String {
    let first = said
        .first()
        .map(|(_, said)| said.as_ref().map_or_else(Clone::clone, |status| status.line().to_owned()));
    first.unwrap_or_default()
}
