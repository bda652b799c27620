//! A permanent handle on a slave, as an application program has it: it survives reloads of its chmpx, and breaks for ever
//! when that chmpx ends. Blocking.

use std::ffi::OsString;
use std::path::PathBuf;

use super::linetool::LineTool;
use k2hdkc_simulators::k2hdkc::{Client, Failure};
use k2hdkc_simulators::simulators::place::Place;

/// The way to make handles on one slave.
#[derive(Debug, Clone)]
pub(super) enum Door {
    /// By the simulators' client, for the ini of a node at this place.
    Simulated(PathBuf, Place),
    /// By `k2hdkclinetool` with its arguments, and what enters the node before it.
    Program(Vec<OsString>),
}

/// The reason why a key was not set or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A failure that may pass until the next time.
    Passing(String),
    /// The handle is broken for ever: its chmpx ended.
    Broken(String),
}

impl Fault {
    /// In words.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Passing(text) | Self::Broken(text) => text,
        }
    }
}

/// An open handle.
#[derive(Debug)]
pub(super) enum Handle {
    /// Of the simulators.
    Simulated(Client),
    /// A running `k2hdkclinetool`.
    Program(LineTool),
}

impl Door {
    /// Opens a handle.
    pub(super) fn open(&self) -> Result<Handle, Fault> {
        match self {
            Self::Simulated(conf, place) => {
                let client = Client::permanent(conf, place.clone());
                client.map(Handle::Simulated).map_err(|error| Fault::Passing(error.to_string()))
            }
            Self::Program(words) => {
                let tool = LineTool::start(words);
                tool.map(Handle::Program).map_err(|error| Fault::Passing(error.to_string()))
            }
        }
    }
}

impl Handle {
    /// Sets a key.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        match self {
            Self::Simulated(client) => client.set(key, value).map_err(|failure| fault(&failure)),
            Self::Program(tool) => tool.set(key, value),
        }
    }

    /// The value of a key, if it has one.
    pub(super) fn get(&mut self, key: &str) -> Result<Option<String>, Fault> {
        match self {
            Self::Simulated(client) => client.get(key).map_err(|failure| fault(&failure)),
            Self::Program(tool) => tool.get(key),
        }
    }
}

fn fault(failure: &Failure) -> Fault {
    match failure {
        Failure::Broken => Fault::Broken(failure.to_string()),
        Failure::NoChmpx(_) | Failure::NoAnswer(_) | Failure::Ring(_) => Fault::Passing(failure.to_string()),
    }
}
