//! Carries out what was decided: hosts file, ledger, ini, in this order. It decides nothing, and nothing else changes
//! files of the host; processes are moved by the supervisor.
//!
//! A kill between any two steps leaves a loadable file: the ledger learns the FILEVERSION before the file has it,
//! so that no two files ever share one, and what was written is found again by reading the file.

mod hosts_file;

use std::path::Path;

use nix::unistd::{Group, User};
use thiserror::Error;

use crate::clock::Now;
use crate::file::{self, FileError, Ownership};
use crate::generation::Generation;
use crate::hosts::Names;
use crate::installed::Installed;
use crate::ledger::{Ledger, LedgerError, Store};
use crate::render;
use crate::settings::{Ini, Settings};
use crate::validate::Validated;

pub(crate) use hosts_file::update_hosts;

/// Errors of an installation. The live file is the old one or the new one, whole.
#[derive(Debug, Error)]
pub(crate) enum ApplyError {
    /// The ini could not be replaced.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The settings name a user or group that this host does not have.
    #[error("{key} is \"{name}\", but this host has no such {kind}")]
    Unknown {
        /// The setting.
        key: &'static str,
        /// Its value.
        name: String,
        /// "user" or "group".
        kind: &'static str,
    },
}

/// The installed generation, with notes for the operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Applied {
    /// The new generation.
    pub generation: Generation,
    /// Notes: the hosts file was not updated.
    pub notes: Vec<String>,
}

/// Installs a validated file at `now`. `also` changes the ledger with it: which processes must restart.
///
/// # Errors
///
/// The settings name an unknown user or group, or a file or the ledger cannot be written. The live file is whole.
pub(crate) fn install(
    validated: &Validated,
    names: Option<&Names>,
    settings: &Settings,
    store: &mut Store,
    now: Now,
    also: impl FnOnce(&mut Ledger),
) -> Result<Applied, ApplyError> {
    let rendered = validated.rendered();
    let ring = render::name(&rendered.ring);
    let generation = Generation { fileversion: rendered.stamp.fileversion, ring, at: now.wall };
    let mut notes = names.map_or_else(Vec::new, |names| update_hosts(settings.hosts.file(), names));
    let ownership = ownership(&settings.ini)?;
    store.update(|ledger| {
        ledger.fileversion = generation.fileversion;
        ledger.desired = Some(generation.clone());
        also(ledger);
    })?;
    if let Some(directory) = settings.ini.path.parent() {
        file::ensure_directory(directory, 0o755)?;
    }
    notes.extend(file::replace(&settings.ini.path, &rendered.bytes, ownership)?.notes);
    store.keep_good(generation.fileversion, &rendered.bytes)?;
    store.update(|ledger| {
        ledger.wrote(generation.clone(), now.boot);
        // The confirmation is used up: the same loss needs another one the next time.
        ledger.guard.confirmed = None;
    })?;
    Ok(Applied { generation, notes })
}

/// Notes in the ledger that the live file is right already: after a kill behind the exchange, or where another writer
/// installed the wanted ring.
///
/// # Errors
///
/// The live file cannot be read, or the ledger cannot be written.
pub(crate) fn adopt(
    installed: &Installed,
    path: &Path,
    store: &mut Store,
    now: Now,
) -> Result<(), ApplyError> {
    let Installed::Present { ring, fileversion: Some(fileversion) } = installed else { return Ok(()) };
    if store.ledger().written.as_ref().is_some_and(|written| written.fileversion == *fileversion) {
        return Ok(());
    }
    let bytes = file::read(path)?;
    let generation = Generation { fileversion: *fileversion, ring: render::name(ring), at: now.wall };
    store.keep_good(*fileversion, &bytes)?;
    store.update(|ledger| {
        ledger.fileversion = ledger.fileversion.max(*fileversion);
        ledger.desired = Some(generation.clone());
        ledger.wrote(generation, now.boot);
    })?;
    Ok(())
}

fn ownership(ini: &Ini) -> Result<Ownership, ApplyError> {
    let uid = ini.owner.as_deref().map(|name| {
        let known = name.parse().ok().or_else(|| Some(User::from_name(name).ok()??.uid.as_raw()));
        known.ok_or_else(|| ApplyError::Unknown { key: "ini.owner", name: name.to_owned(), kind: "user" })
    });
    let gid = ini.group.as_deref().map(|name| {
        let known = name.parse().ok().or_else(|| Some(Group::from_name(name).ok()??.gid.as_raw()));
        known.ok_or_else(|| ApplyError::Unknown { key: "ini.group", name: name.to_owned(), kind: "group" })
    });
    Ok(Ownership { uid: uid.transpose()?, gid: gid.transpose()?, mode: ini.mode })
}
