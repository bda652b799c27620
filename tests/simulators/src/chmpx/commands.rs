//! The commands of the control port and their answers (docs/facts.md C24, C25; texts of lib/chmeventsock.cc:91-129).

use std::time::Duration;

use tokio::sync::oneshot;

use super::dump;
use super::listing;
use super::node::Chmpx;
use super::wire::{Question, Reply};
use crate::model::ring::{self, Command, Node};

const SUCCEED: &str = "SUCCEED\n";
const NOBODY: &str = "SUCCEED: There no server on RING.\n";
const ON_SLAVE: &str = "ERROR: The command can not be executed on the slave node.\n";
const NOT_ALLOWED: &str = "ERROR: Could not change status, because status is not allowed.\n";
const OPERATING: &str = "ERROR: Could not change status, because server is operating now.\n";
const SOME_SERVER: &str =
    "ERROR: Could not change status, because some servers could not be changed its status now.\n";
const OUT_PARAMETER: &str = "ERROR: SERVICEOUT command must have parameter as server/ctlport.(ex: \"SERVICEOUT servername.fqdn:ctlport\")\n";
const ALREADY_OUT: &str = "SUCCEED: Already server has been SERVICEOUT.\n";
const NO_SUCH_SERVER: &str = "ERROR: There is no such as server.\n";
const NO_NOTICE: &str = "ERROR: Failed to send status notice to other servers.\n";
const TRANSFER: &str =
    "ERROR: Failed to transfer command to other target server, something error occured on target server.\n";
const TRACE_PARAMETER: &str =
    "ERROR: TRACE command must have parameter as enable/disable.(ex: \"TRACE enable\")\n";
const TRACE_ALREADY: &str = "ERROR: TRACE is already enabled/disabled.\n";
const VIEW_PARAMETER: &str =
    "ERROR: TRACEVIEW command parameter is \"TRACEVIEW [DIR=IN/OUT/ALL] [DEV=SOCK/MQ/ALL] [COUNT]\"\n";
const VIEW_NOTHING: &str = "ERROR: There is no matched trace log now.\n";

/// The answer to VERSION and `-v`.
pub const VERSION: &str = "Version 1.0.113 (commit: 84192b9) with OpenSSL\n";

impl Chmpx {
    /// Answers one request, after the silence that the file of faults wants.
    pub(super) fn command(&mut self, bytes: &[u8], answer: oneshot::Sender<String>) {
        let silence = Duration::from_millis(self.faults.read().silent_ms);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let forwarded = self.forward(&text);
        let own = forwarded.is_none().then(|| self.execute(&text));
        tokio::spawn(async move {
            tokio::time::sleep(silence).await;
            let text = match (own, forwarded) {
                (Some(text), _) => text,
                (None, Some(asked)) => match asked.await {
                    Ok(Reply::Text(text)) => text,
                    Ok(_) | Err(_) => TRANSFER.to_owned(),
                },
                (None, None) => TRANSFER.to_owned(),
            };
            // Whoever asked may be gone.
            let _ = answer.send(text);
        });
    }

    /// SERVICEOUT of another server that is up goes there.
    fn forward(&mut self, text: &str) -> Option<oneshot::Receiver<Reply>> {
        let (name, parameters) = words(text);
        if !name.eq_ignore_ascii_case("SERVICEOUT") {
            return None;
        }
        let place = self.named(parameters.first()?).ok()?;
        let is_own = place == self.ring.own && self.config.is_server;
        if is_own || !self.ring.list.status(place).is_up() {
            return None;
        }
        self.ask_server(self.id(place)?, Question::Command(text.to_owned()))
    }

    /// The answer to a command that is carried out here.
    pub(super) fn execute(&mut self, text: &str) -> String {
        let (name, parameters) = words(text);
        let command = name.to_ascii_uppercase();
        match command.as_str() {
            "VERSION" => VERSION.to_owned(),
            "DUMP" => dump::text(&self.picture()),
            "SELFSTATUS" => listing::own(&self.picture()),
            "ALLSTATUS" => listing::all(&self.picture()),
            "UPDATESTATUS" => self.order(Command::UpdateStatus, ON_SLAVE),
            "SERVICEIN" => self.order(Command::ServiceIn, ON_SLAVE),
            "SERVICEOUT" => self.service_out(parameters.first()),
            "MERGE" => self.order(Command::Merge, NOBODY),
            "COMPMERGE" => self.order(Command::CompleteMerge, NOBODY),
            "ABORTMERGE" => self.order(Command::AbortMerge, NOBODY),
            "SUSPENDMERGE" => self.suspend(Command::SuspendMerge),
            "NOSUSPENDMERGE" => self.suspend(Command::NoSuspendMerge),
            "TRACE" => self.trace(parameters.first()),
            "TRACEVIEW" => trace_view(&parameters),
            _ => format!("Unknown command({name})\n"),
        }
    }

    /// Carries a command out; a slave has its own answer to each.
    fn order(&mut self, command: Command, on_slave: &str) -> String {
        let reply = self.act(|chmpx, turn| chmpx.order(command, turn));
        let answer = match reply {
            ring::Reply::Succeed if self.is_alone() => NOBODY,
            ring::Reply::Succeed => SUCCEED,
            ring::Reply::Operating => OPERATING,
            ring::Reply::NotAllowed => NOT_ALLOWED,
            ring::Reply::SomeServers => SOME_SERVER,
            ring::Reply::Slave => on_slave,
        };
        answer.to_owned()
    }

    fn suspend(&mut self, command: Command) -> String {
        let answer = self.order(command, ON_SLAVE);
        if answer == NOBODY { SUCCEED.to_owned() } else { answer }
    }

    fn service_out(&mut self, parameter: Option<&&str>) -> String {
        let Some(parameter) = parameter else { return OUT_PARAMETER.to_owned() };
        let place = match self.named(parameter) {
            Ok(place) => place,
            Err(answer) => return answer.to_owned(),
        };
        let (status, is_own) = (self.ring.list.status(place), place == self.ring.own);
        let is_out = !is_own && status.service_out() == status && !self.ring.list.is_operating();
        if self.config.is_server && is_out {
            return ALREADY_OUT.to_owned();
        }
        let answer = self.order(Command::ServiceOut(place), ON_SLAVE);
        match answer.as_str() {
            NOBODY if is_own => NO_NOTICE.to_owned(),
            NOBODY => SUCCEED.to_owned(),
            _ => answer,
        }
    }

    /// The server that `host:ctlport:seed` means, with the parts that CHMPXIDTYPE wants.
    fn named(&self, parameter: &str) -> Result<Node, &'static str> {
        let parts: Vec<&str> = parameter.split(':').collect();
        let (host, port) = match parts[..] {
            [host, port, ..] if !host.is_empty() => (host, port.parse::<i32>().map_err(|_| OUT_PARAMETER)?),
            _ => return Err(OUT_PARAMETER),
        };
        let word = self.config.id_type().word();
        let third = parts.get(2).copied().filter(|part| !part.is_empty());
        if third.is_none() && word != "name" {
            return Err(OUT_PARAMETER);
        }
        let found = self.rows.iter().position(|row| {
            let own = match word {
                "custom" => &row.seed,
                "ctlendpoints" => &row.lists[1],
                _ => &row.cuk,
            };
            row.name == host && row.ctlport == port && third.is_none_or(|part| part == own)
        });
        found.ok_or(NO_SUCH_SERVER)
    }

    /// An unknown word disables, and says so as if it had been asked for.
    fn trace(&mut self, parameter: Option<&&str>) -> String {
        let Some(word) = parameter else { return TRACE_PARAMETER.to_owned() };
        let wanted = ["enable", "yes", "on"].iter().any(|yes| word.eq_ignore_ascii_case(yes));
        let known = wanted || ["disable", "no", "off"].iter().any(|no| word.eq_ignore_ascii_case(no));
        if known && wanted == self.traces {
            return TRACE_ALREADY.to_owned();
        }
        self.traces = wanted;
        SUCCEED.to_owned()
    }
}

/// There never is a trace to show; only the parameters are judged.
fn trace_view(parameters: &[&str]) -> String {
    let known = |word: &&str| {
        let word = word.to_ascii_uppercase();
        let direction = word.strip_prefix("DIR=").is_some_and(|way| ["IN", "OUT", "ALL"].contains(&way));
        let device = word.strip_prefix("DEV=").is_some_and(|device| ["SOCK", "MQ", "ALL"].contains(&device));
        direction || device || word.parse::<u32>().is_ok_and(|count| count <= 32768)
    };
    if parameters.iter().all(known) { VIEW_NOTHING } else { VIEW_PARAMETER }.to_owned()
}

/// The command and its parameters: a blank before it makes it the empty command, and a line end ends all.
fn words(text: &str) -> (&str, Vec<&str>) {
    let line = text.split(['\r', '\n', '\0']).next().unwrap_or_default();
    let mut words = line.split([' ', '\t']);
    let name = words.next().unwrap_or_default();
    (name, words.filter(|word| !word.is_empty()).collect())
}
