//! The leave of a node: by the word of its operator to its agent, which moves its keys, ends k2hdkc and chmpx and takes it out
//! of its role. And by hand, where a server that fell out of its role still has its keys.

use std::time::{Duration, Instant};

use k2hdkc_agent::chmpx_state;
use k2hdkc_agent::names::Port;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::supervisor::control_port::{Command, Server};
use tokio::time::sleep;

use super::census::{Life, Program};
use super::cluster::Cluster;
use super::director::Trouble;
use super::ground::SERVER_CTLPORT;
use super::member::Member;

/// A server that is up, has joined, and is not in the ring.
const OUT_OF_SERVICE: u32 = 0x11;
/// Between two orders to a ring that is merging.
const ASK_AGAIN: Duration = Duration::from_millis(300);

impl Cluster {
    /// Does what `k2hdkc-agent leave` does on the newest node of this kind, to its end: it is in no role any more, and only its
    /// agent runs.
    pub(super) async fn take_leave(&mut self, mode: Mode) -> Result<Member, Trouble> {
        let place = self.newest(mode)?;
        let member = &self.members[place];
        let name = member.name.clone();
        if mode == Mode::Slave {
            self.traffic.stop(&name).await;
        }
        member.agent().leave(self.pace.patience).await.map_err(|what| Trouble::at(&name, what))?;
        Ok(self.members.remove(place))
    }

    /// SERVICEOUT through another server, until the whole ring sees that it has left.
    pub(super) async fn service_out(&self, server: &Member) -> Result<(), String> {
        let port = Port::try_from(SERVER_CTLPORT).map_err(|error| error.to_string())?;
        let named = Server::new(&server.address.to_string(), port, &server.seed());
        let named = named.map_err(|error| error.to_string())?;
        let others = || self.members.iter().filter(|member| member.name != server.name);
        let asked = others().find(|member| member.mode == Mode::Server).ok_or("it is the last server")?;
        let end = Instant::now() + self.pace.patience;
        loop {
            let said = self.ground.command(asked, &Command::ServiceOut(named.clone())).await;
            let said = said.map_err(|error| error.to_string())?;
            if chmpx_state::is_accepted(&said) {
                break;
            }
            if Instant::now() >= end {
                return Err(format!("SERVICEOUT is answered with {:?}", said.trim()));
            }
            // The ring does one thing at a time.
            sleep(ASK_AGAIN).await;
        }
        for member in others() {
            let out = |seen: &super::ring::Seen| {
                seen.servers.get(&server.name).is_some_and(|status| status.bits() == OUT_OF_SERVICE)
            };
            if member.looks.until(self.pace.patience, out).await.is_none() {
                let seen = member.looks.line();
                return Err(format!("it does not go out of service: {} sees {seen}", member.name));
            }
        }
        Ok(())
    }

    /// Ends a node that has left with SIGTERM: afterwards nothing of it runs, and k2hdkc ended before chmpx.
    pub(super) async fn end(&mut self, mut member: Member) -> Result<(), Trouble> {
        let name = member.name.clone();
        member.stop().await.map_err(|error| Trouble::at(&name, error))?;
        let gone = self.census.until(self.pace.patience, |lives| {
            [Program::Chmpx, Program::K2hdkc].iter().all(|program| lives.running(&name, *program).is_none())
        });
        if !gone.await {
            return Err(Trouble::at(&name, "chmpx or k2hdkc outlived an agent that was to end them"));
        }
        let lives = self.census.lives();
        let [chmpx, k2hdkc] = [Program::Chmpx, Program::K2hdkc].map(|program| lives.last(&name, program));
        match (member.mode, in_order(chmpx, k2hdkc)) {
            (Mode::Server, false) => Err(Trouble::at(&name, "chmpx ended before its k2hdkc")),
            _ => Ok(()),
        }
    }
}

fn in_order(chmpx: Option<Life>, k2hdkc: Option<Life>) -> bool {
    let (Some(chmpx), Some(k2hdkc)) = (chmpx, k2hdkc) else { return false };
    k2hdkc.last < chmpx.last
}
