//! The commands of the control port and their answers (docs/facts.md C24, C25; texts of lib/chmeventsock.cc:91-129).

use std::time::Duration;

use tokio::sync::oneshot;

use super::dump;
use super::listing;
use super::node::Chmpx;
use super::wire::{Note, Question, Reply};
use crate::model::merging::allows_merge;
use crate::model::status::Status;

const SUCCEED: &str = "SUCCEED\n";
const NOBODY: &str = "SUCCEED: There no server on RING.\n";
const ON_SLAVE: &str = "ERROR: The command can not be executed on the slave node.\n";
const NOT_ALLOWED: &str = "ERROR: Could not change status, because status is not allowed.\n";
const OPERATING: &str = "ERROR: Could not change status, because server is operating now.\n";
const SOME_SERVER: &str =
    "ERROR: Could not change status, because some servers could not be changed its status now.\n";
const OUT_PARAMETER: &str = "ERROR: SERVICEOUT command must have parameter as server/ctlport.(ex: \"SERVICEOUT servername.fqdn:ctlport\")\n";
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
        let id = self.named(parameters.first()?).ok()?;
        let is_own = id == self.own && self.config.is_server;
        if is_own || !self.table.get(id)?.status.is_up() {
            return None;
        }
        self.ask_server(id, Question::Command(text.to_owned()))
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
            "UPDATESTATUS" => self.on_server(|chmpx| {
                chmpx.update_status();
                chmpx.done()
            }),
            "SERVICEIN" => self.on_server(Self::service_in),
            "SERVICEOUT" => self.service_out(parameters.first()),
            "MERGE" => self.merge(),
            "COMPMERGE" => self.complete(),
            "ABORTMERGE" => {
                if self.config.is_server {
                    self.abort_merge();
                }
                self.done()
            }
            "SUSPENDMERGE" | "NOSUSPENDMERGE" => {
                self.on_server(|chmpx| chmpx.suspend(command == "SUSPENDMERGE"))
            }
            "TRACE" => self.trace(parameters.first()),
            "TRACEVIEW" => trace_view(&parameters),
            _ => format!("Unknown command({name})\n"),
        }
    }

    fn on_server(&mut self, command: impl FnOnce(&mut Self) -> String) -> String {
        if self.config.is_server { command(self) } else { ON_SLAVE.to_owned() }
    }

    fn done(&self) -> String {
        if self.config.is_server && !self.is_alone() { SUCCEED } else { NOBODY }.to_owned()
    }

    fn service_in(&mut self) -> String {
        if self.table.is_operating() {
            return OPERATING.to_owned();
        }
        let status = self.own_status();
        if status.service_in() == status {
            return NOT_ALLOWED.to_owned();
        }
        self.set_own(Status::service_in);
        self.done()
    }

    fn service_out(&mut self, parameter: Option<&&str>) -> String {
        let Some(parameter) = parameter else { return OUT_PARAMETER.to_owned() };
        let id = match self.named(parameter) {
            Ok(id) => id,
            Err(answer) => return answer.to_owned(),
        };
        if !self.config.is_server {
            return ON_SLAVE.to_owned();
        }
        if self.table.is_operating() {
            return OPERATING.to_owned();
        }
        let Some(status) = self.table.get(id).map(|row| row.status) else { return NO_SUCH_SERVER.to_owned() };
        let is_own = id == self.own;
        if status.service_out() == status {
            let answer = if is_own { NOT_ALLOWED } else { "SUCCEED: Already server has been SERVICEOUT.\n" };
            return answer.to_owned();
        }
        self.set_status(id, status.service_out());
        if is_own && self.is_alone() {
            return NO_NOTICE.to_owned();
        }
        SUCCEED.to_owned()
    }

    /// The server that `host:ctlport:seed` means, with the parts that CHMPXIDTYPE wants.
    fn named(&self, parameter: &str) -> Result<u64, &'static str> {
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
        let found = self.table.rows().iter().find(|row| {
            let own = match word {
                "custom" => &row.seed,
                "ctlendpoints" => &row.lists[1],
                _ => &row.cuk,
            };
            row.name == host && row.ctlport == port && third.is_none_or(|part| part == own)
        });
        found.map(|row| row.id).ok_or(NO_SUCH_SERVER)
    }

    fn merge(&mut self) -> String {
        if !self.config.is_server {
            return NOBODY.to_owned();
        }
        if !allows_merge(&self.table) {
            return SOME_SERVER.to_owned();
        }
        let pending = |status: Status| status.is_in() && status.is_pending();
        if self.table.rows().iter().any(|row| pending(row.status)) {
            self.start_merge();
        }
        self.done()
    }

    fn complete(&mut self) -> String {
        if !self.config.is_server {
            return NOBODY.to_owned();
        }
        if self.table.rows().iter().any(|row| row.status.is_up() && row.status.is_doing()) {
            return SOME_SERVER.to_owned();
        }
        self.complete_merge();
        self.done()
    }

    fn suspend(&mut self, suspended: bool) -> String {
        for id in self.linked() {
            if let Some(link) = self.link_to(id) {
                link.tell(Note::SuspendMerge(suspended));
            }
        }
        self.suspend_merge(suspended);
        SUCCEED.to_owned()
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
