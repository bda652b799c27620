//! Finds out if systemd has a unit, for the selection of a supervisor.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::bus::{Bus, BusError};
use super::unit::UnitState;
use crate::problem::chain;
use crate::supervisor::auto::choose::Init;
use crate::wake::Waker;

/// A directory where systemd is the init, and nothing elsewhere (`sd_booted(3)`). It is the host's, also below a root.
const BOOTED: &str = "/run/systemd/system";

/// Asks systemd, where it is the init, how it has loaded this unit.
pub(in crate::supervisor) async fn look(unit: &str, within: Duration) -> Init {
    if !Path::new(BOOTED).is_dir() {
        return Init::Other;
    }
    match timeout(within, load(unit)).await {
        Ok(Ok(state)) => Init::unit(unit, state.load.clone(), state.is_enabled() || state.is_active()),
        Ok(Err(error)) => {
            Init::Silent { why: error.source().map_or_else(|| chain(&error), |cause| chain(&cause)) }
        }
        Err(_) => Init::Silent { why: format!("nothing within {} s", within.as_secs()) },
    }
}

async fn load(unit: &str) -> Result<UnitState, BusError> {
    Bus::connect(&[], None, &Waker::default()).await?.look(unit).await
}
