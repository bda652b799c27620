//! Checks after a change of the roles: every file, every ring, every agent's word for it.

use std::time::Instant;

use k2hdkc_agent::clock::spoken;

use super::change::Changed;
use super::cluster::Cluster;
use super::director::{Director, Trouble};
use super::member::Member;
use super::plain;
use super::record::{Outcome, Time};

impl Director {
    /// Every file lists exactly the members of the roles, every chmpx the servers, each of them in service, and every
    /// agent says so; what left has ended in order.
    pub(super) async fn follows(&mut self, changed: Changed) -> Result<Outcome, Trouble> {
        for member in changed.left {
            self.cluster.end(member).await?;
        }
        let files = self.times_from(changed.at, &changed.booted).await?;
        let rings = self.rings_from(changed.at, &changed.booted).await?;
        self.converged().await?;
        self.cluster.start_programs().await?;
        let lives = self.cluster.census.lives();
        let again = lives.fresh_starts(changed.at);
        let text = if again.is_empty() {
            String::new()
        } else {
            format!(
                "{} restarted chmpx before they joined: the ring had not let them in yet",
                again.join(", ")
            )
        };
        Ok(Outcome { files, rings, text })
    }

    /// Waits until every file says what K2HR3 says now; each node's time since `since`.
    pub(super) async fn times_from(&self, since: Instant, booted: &[String]) -> Result<Vec<Time>, Trouble> {
        let (wanted, end) = (self.cluster.wanted(), Instant::now() + self.patience());
        let (mut times, mut behind) = (Vec::new(), Vec::new());
        for member in &self.cluster.members {
            let sightings = &member.sightings;
            if let Some(at) = sightings.saying(&wanted, end.saturating_duration_since(Instant::now())).await {
                times.push(time(member, at, since, booted));
            } else {
                let shown = plain::file_line(sightings.last().map(|last| last.shown).as_ref());
                behind.push((member.name.clone(), shown));
            }
        }
        if behind.is_empty() { Ok(times) } else { Err(self.behind("not followed", &behind)) }
    }

    /// Waits until every chmpx has loaded its file and lists exactly the servers of K2HR3, each of them in service; each
    /// node's time since `since`.
    pub(super) async fn rings_from(&self, since: Instant, booted: &[String]) -> Result<Vec<Time>, Trouble> {
        let (wanted, end) = (self.cluster.wanted().servers, Instant::now() + self.patience());
        let (mut times, mut behind) = (Vec::new(), Vec::new());
        for member in &self.cluster.members {
            let left = end.saturating_duration_since(Instant::now());
            let version = member.fileversion().unwrap_or_default();
            let whole =
                member.looks.until(left, |seen| seen.fileversion >= version && seen.is_whole(&wanted));
            match whole.await {
                Some(at) => times.push(time(member, at, since, booted)),
                None => behind.push((member.name.clone(), member.looks.line())),
            }
        }
        if behind.is_empty() { Ok(times) } else { Err(self.behind("no whole ring", &behind)) }
    }

    /// Waits until every agent says that its processes run what its file says.
    pub(super) async fn converged(&self) -> Result<(), Trouble> {
        let (end, mut behind) = (Instant::now() + self.patience(), Vec::new());
        for member in &self.cluster.members {
            if let Err(said) = member.converged(end.saturating_duration_since(Instant::now())).await {
                behind.push((member.name.clone(), said));
            }
        }
        if behind.is_empty() { Ok(()) } else { Err(self.behind("not converged", &behind)) }
    }

    fn behind(&self, what: &str, behind: &[(String, String)]) -> Trouble {
        let names: Vec<_> = behind.iter().map(|(name, _)| name.clone()).collect();
        let first = behind.first().map_or("", |(_, shown)| shown);
        let within = spoken(self.patience());
        let what = format!("{what} within {within}: {}; {}: {first}", names.join(", "), names[0]);
        Trouble::with(names, what)
    }
}

fn time(member: &Member, at: Instant, since: Instant, booted: &[String]) -> Time {
    let took = at.saturating_duration_since(since);
    Time { node: member.name.clone(), took, booted: booted.contains(&member.name) }
}

impl Cluster {
    /// Starts the programs of slaves that have none.
    pub(super) async fn start_programs(&mut self) -> Result<(), Trouble> {
        let doors: Vec<_> =
            self.slaves().map(|slave| (slave.name.clone(), slave.seat.door.clone())).collect();
        for (name, door) in doors {
            self.traffic.start(&name, door).await.map_err(|what| Trouble::at(&name, what))?;
        }
        Ok(())
    }
}
