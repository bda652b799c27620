//! Commands on a host where no agent runs.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::registrar::{Came, Registrar};
use crate::answer::DoubtKind;
use crate::clock::{Clock, spoken};
use crate::ledger::{LedgerError, Store};
use crate::problem::chain;
use crate::registration::Wish;
use crate::settings::Settings;

/// Enters the role where no agent runs, and returns a line for people. Retries until success, or until a retry is
/// of no use.
///
/// # Errors
///
/// The last obstacle, in a line for people.
pub async fn join(
    settings: &Settings,
    mut store: Store,
    within: Duration,
    tell: impl Fn(&str),
) -> Result<String, String> {
    let failed = |error: LedgerError| chain(&error);
    let mut was_leaving = false;
    store.update(|ledger| was_leaving = ledger.stay()).map_err(failed)?;
    if was_leaving {
        tell("this node stays in the cluster, or comes back: its leave is called off");
    }
    let mut registrar = Registrar::new(settings, Clock::of_host());
    registrar.order(Wish::Join);
    let (end, mut last) = (Instant::now() + within, String::new());
    loop {
        sleep_until(registrar.due().min(end)).await;
        let late = || format!("not within {}: {last}", spoken(within));
        if Instant::now() >= end {
            return Err(late());
        }
        registrar.begin(settings, store.ledger());
        let attempted = timeout_at(end, registrar.ended()).await.map_err(|_| late())?;
        let Came { good, line, .. } = registrar.take(&attempted, settings);
        if good {
            store.update(|ledger| ledger.joined = attempted.who).map_err(failed)?;
            return Ok(line);
        }
        if attempted.result.is_err_and(|doubt| doubt.kind == DoubtKind::NotReady) {
            return Err(line);
        }
        if last != line {
            tell(&line);
        }
        last = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::lifecycle::{Departure, Stage};
    use crate::ring::Mode;
    use crate::settings::{self, Origin};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    fn open(settings: &Settings) -> Store {
        Store::open(&settings.state.directory, 3).unwrap()
    }

    /// A host on which a leave has come so far, and with K2HR3 at that port.
    fn left(stage: Stage, port: u16) -> (tempfile::TempDir, Settings) {
        let root = tempfile::tempdir().unwrap();
        let store = |path: &str, text: &str| {
            let path = root.path().join(path);
            crate::file::ensure_directory(path.parent().unwrap(), 0o755).unwrap();
            crate::file::store(&path, text.as_bytes()).unwrap();
        };
        store("etc/k2hdkc-agent/agent.toml", "[join]\ntag = \"vm1\"\n");
        store("etc/antpickax/k2hr3-api-uri", &format!("http://127.0.0.1:{port}\n"));
        store("etc/antpickax/k2hr3-role-name", "yrn:yahoo:::t:role:c/server\n");
        store("etc/antpickax/k2hr3-cuk", "c1\n");
        let origin = Origin { config: None, root: Some(root.path().to_owned()) };
        let settings = settings::load(&origin).unwrap();
        let mut store = open(&settings);
        let leaving = Departure { stage, ..Departure::begin(Timestamp::now(), Mode::Server, false, true) };
        store.update(|ledger| ledger.processes.leaving = Some(leaving)).unwrap();
        (root, settings)
    }

    #[tokio::test]
    async fn a_join_after_a_leave_calls_it_off_and_asks_before_it_changes_anything() {
        for stage in [Stage::Draining, Stage::Removing, Stage::Left] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (_root, settings) = left(stage, listener.local_addr().unwrap().port());
            let joins = join(&settings, open(&settings), Duration::from_secs(20), |_| {});
            let asked = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut word = [0; 4];
                stream.read_exact(&mut word).await.unwrap();
                String::from_utf8(word.to_vec()).unwrap()
            };
            tokio::select! {
                ended = joins => panic!("{stage:?}: {ended:?}"),
                asked = asked => assert_eq!(asked, "HEAD", "{stage:?}"),
            }
            let store = Store::peek(&settings.state.directory, 3);
            assert_eq!(store.ledger().processes.leaving, None, "{stage:?}");
        }
    }

    #[tokio::test]
    async fn a_join_ends_within_its_time_although_k2hr3_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_root, settings) = left(Stage::Left, listener.local_addr().unwrap().port());
        let joined = join(&settings, open(&settings), Duration::from_millis(100), |_| {});
        let joined = tokio::time::timeout(Duration::from_secs(5), joined).await;
        assert_eq!(joined, Ok(Err("not within 100 ms: ".to_owned())));
    }
}
