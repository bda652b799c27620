//! What a command does where no agent runs.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::registrar::{Came, Registrar};
use crate::apply::full;
use crate::clock::spoken;
use crate::ledger::{LedgerError, Store};
use crate::registration::Wish;
use crate::settings::Settings;
use crate::source::DoubtKind;

/// Enters the role where no agent runs: tries again until it worked, or until trying again is of no use; a line for people.
pub async fn join(settings: &Settings, within: Duration, tell: impl Fn(&str)) -> Result<String, String> {
    let failed = |error: LedgerError| full(&error);
    let mut store = Store::open(&settings.state.directory, settings.ini.keep).map_err(failed)?;
    let mut registrar = Registrar::new(settings);
    registrar.order(Wish::Join);
    let (end, mut last) = (Instant::now() + within, String::new());
    loop {
        sleep_until(registrar.due().min(end)).await;
        if Instant::now() >= end {
            return Err(format!("not within {}: {last}", spoken(within)));
        }
        registrar.begin(settings, store.ledger());
        let attempted = registrar.ended().await;
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
