//! The way from an ini to the running chmpx of this host: GROUP and control port name the shared memory, and that the
//! socket. The whole file must be one that loads, for clients as well.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;

use thiserror::Error;

use crate::chmpx::config::{Config, Refused};
use crate::chmpx::own::Identity;
use crate::chmpx::shm::{self, Absent};
use crate::simulators::place::Place;

/// The reason why a process cannot attach.
#[derive(Debug, Error)]
pub enum AttachError {
    /// The file does not load.
    #[error("{0}")]
    File(#[from] Refused),
    /// chmpx does not run.
    #[error("{0}")]
    Absent(#[from] Absent),
    /// The chmpx went away in between.
    #[error("could not connect to chmpx: {0}")]
    Connect(#[from] std::io::Error),
}

/// Connects to the chmpx of that file.
pub fn connect(conf: &Path, identity: &Identity, place: &Place) -> Result<UnixStream, AttachError> {
    let config = Config::load(conf, identity)?;
    connect_loaded(&config, identity, place)
}

/// The same, with the file read already.
pub fn connect_loaded(
    config: &Config,
    identity: &Identity,
    place: &Place,
) -> Result<UnixStream, AttachError> {
    let path = shm::path(place, config.group(), identity.ctlport(&config.ring));
    let picture = shm::read(&path)?;
    Ok(UnixStream::connect_addr(&SocketAddr::from_abstract_name(picture.socket)?)?)
}
