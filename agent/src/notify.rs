//! Messages to systemd: ready, reloading, stopping, alive, and the state of the node (`sd_notify(3)`). Without a
//! listener none is sent, and a lost one changes nothing.
//!
//! The loop feeds the watchdog by [`Notify::beat`] between two events, and no task does so in its place. The crate
//! `sd-notify` opens a socket for each message, and the rest (the last messages, the time of the next beat) is most
//! of this file.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;
use tracing::{debug, warn};

/// The longest wait for a systemd whose socket is full.
const PATIENCE: Duration = Duration::from_millis(500);

/// The line to systemd.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    /// Between two beats, and when the next one is due.
    beat: Option<(Duration, Instant)>,
    /// The last STATUS, so that no line is sent twice.
    sent: String,
}

impl Notify {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` of this process.
    pub(crate) fn from_environment() -> Self {
        let text = |key: &str| std::env::var(key).ok();
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty());
        let others = text("WATCHDOG_PID").is_some_and(|pid| pid != std::process::id().to_string());
        let within = text("WATCHDOG_USEC").and_then(|usec| usec.parse().ok()).filter(|_| !others);
        match address.map(|address| Self::at(&address, within.map(Duration::from_micros))) {
            Some(Ok(notify)) => notify,
            Some(Err(error)) => {
                warn!(%error, "cannot report to systemd: NOTIFY_SOCKET leads nowhere");
                Self::default()
            }
            None => Self::default(),
        }
    }

    /// Makes messages to that socket (a path, or `@name`), with a keep-alive at least once in `watchdog`.
    ///
    /// # Errors
    ///
    /// The failure to open a socket of the agent's own.
    pub(crate) fn at(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // Twice in the time would do; three times leaves room for one long pass.
        let beat = watchdog.map(|within| (within / 3, Instant::now()));
        Ok(Self { socket: Some(socket), beat, sent: String::new() })
    }

    /// The agent works, or has read its configuration again.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is being read again.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The agent ends, and may take that long, whatever the unit's own limit.
    pub(crate) fn stopping(&self, within: Duration) {
        self.send(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", within.as_micros()));
    }

    /// Sends the state of the node in one line, where it is a new one.
    pub(crate) fn status(&mut self, line: &str) {
        if self.socket.is_some() && self.sent != line && self.send(&format!("STATUS={line}")) {
            line.clone_into(&mut self.sent);
        }
    }

    /// Reports that the caller lives, where that is due.
    pub(crate) fn beat(&mut self) {
        let Some((every, due)) = self.beat else { return };
        if Instant::now() >= due {
            self.send("WATCHDOG=1");
            self.beat = Some((every, Instant::now() + every));
        }
    }

    /// Returns the time of the next [`Notify::beat`]; `None` where no watchdog waits.
    pub(crate) fn next_beat(&self) -> Option<Instant> {
        self.beat.map(|(_, due)| due)
    }

    /// Sends a message; returns true where that succeeded.
    fn send(&self, words: &str) -> bool {
        let Some(socket) = &self.socket else { return false };
        let sent = socket.send(words.as_bytes());
        if let Err(error) = &sent {
            debug!(%error, words, "systemd did not get a report");
        }
        sent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn pair(watchdog: Option<Duration>) -> (Notify, UnixDatagram, TempDir) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notify");
        let ear = UnixDatagram::bind(&path).unwrap();
        ear.set_nonblocking(true).unwrap();
        (Notify::at(path.as_os_str(), watchdog).unwrap(), ear, dir)
    }

    fn heard(ear: &UnixDatagram) -> Vec<String> {
        let mut words = Vec::new();
        let mut buffer = [0; 512];
        while let Ok(count) = ear.recv(&mut buffer) {
            words.push(String::from_utf8(buffer[..count].to_vec()).unwrap());
        }
        words
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_when_it_is_due_and_only_by_a_call() {
        let (mut notify, ear, _dir) = pair(Some(Duration::from_secs(3)));
        notify.beat();
        notify.beat();
        assert_eq!(heard(&ear), ["WATCHDOG=1"]);
        assert_eq!(notify.next_beat(), Some(Instant::now() + Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(heard(&ear).is_empty());
        notify.beat();
        assert_eq!(heard(&ear), ["WATCHDOG=1"]);
    }

    #[tokio::test]
    async fn a_sentence_is_said_once_and_the_states_in_systemd_s_words() {
        let (mut notify, ear, _dir) = pair(None);
        notify.ready();
        notify.status("well");
        notify.status("well");
        notify.status("ill");
        notify.stopping(Duration::from_secs(2));
        notify.beat();
        let stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000";
        assert_eq!(heard(&ear), ["READY=1", "STATUS=well", "STATUS=ill", stopping]);
        notify.reloading();
        let words = heard(&ear).remove(0);
        let usec = words.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.parse::<u64>().unwrap() > 0);
    }

    #[tokio::test]
    async fn a_name_without_a_path_is_reached_and_a_dead_end_is_an_error() {
        let name = format!("k2hdkc-agent-test-{}", std::process::id());
        let ear = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ear.set_nonblocking(true).unwrap();
        Notify::at(OsStr::new(&format!("@{name}")), None).unwrap().ready();
        assert_eq!(heard(&ear), ["READY=1"]);
        assert!(Notify::at(OsStr::new("/nowhere/notify"), None).is_err());
    }

    #[test]
    fn where_nobody_listens_nothing_is_said() {
        let mut notify = Notify::default();
        notify.status("well");
        notify.beat();
        assert!(notify.next_beat().is_none() && notify.sent.is_empty());
    }
}
