//! Reasons why a step of the bootstrap failed.

use std::path::PathBuf;

use thiserror::Error;

use super::programs::STEP_WITHIN;
use crate::clock::spoken;
use crate::file::FileError;

/// Reason why a step failed.
#[derive(Debug, Error)]
pub enum HostError {
    /// The host has no program for the step.
    #[error("cannot {step}: this host has none of {programs}")]
    NoProgram {
        /// The step, as its `Display` words it.
        step: String,
        /// Names of the programs that would do.
        programs: &'static str,
    },
    /// No init that the agent knows keeps services running.
    #[error(
        "cannot {step}: this host has no systemd; have its own init run 'k2hdkc-agent run' at every boot"
    )]
    NoInit {
        /// The step.
        step: String,
    },
    /// A program did not start.
    #[error("cannot start {program}")]
    Spawn {
        /// Path of the program.
        program: PathBuf,
        /// Error of the system call.
        #[source]
        source: std::io::Error,
    },
    /// A program exceeded its deadline and was killed.
    #[error("cannot {step}: {program} was not through within {}", spoken(STEP_WITHIN))]
    Late {
        /// The step.
        step: String,
        /// Path of the program.
        program: PathBuf,
    },
    /// A program ended with another status than 0.
    #[error("cannot {step}: {program} ended with {status}: {said}")]
    Failed {
        /// The step.
        step: String,
        /// Path of the program.
        program: PathBuf,
        /// Status that the program ended with.
        status: std::process::ExitStatus,
        /// Last line of its output.
        said: String,
    },
    /// The host lacks the user that chmpx and k2hdkc are to run as.
    #[error(
        "cannot {step}: this host has no such user; create it, or set the key k2hdkc-dbaas-add-user of the role's resource"
    )]
    NoUser {
        /// The step.
        step: String,
    },
    /// Files of chmpx or k2hdkc belong to another user than the wanted one, which may be unable to open them.
    #[error(
        "cannot {step}: {} belongs to the user {owner}; stop both programs, give the files in that directory to the wanted \
         user, and run 'k2hdkc-agent bootstrap' again", path.display()
    )]
    Owned {
        /// The step.
        step: String,
        /// One of these files.
        path: PathBuf,
        /// Number of its owner.
        owner: u32,
    },
    /// A file of the step cannot be written.
    #[error("cannot {step}")]
    File {
        /// The step.
        step: String,
        /// Error of the file.
        #[source]
        source: FileError,
    },
    /// The mode of a path cannot be changed.
    #[error("cannot close {} to other users", path.display())]
    Close {
        /// The path.
        path: PathBuf,
        /// Error of the system call.
        #[source]
        source: std::io::Error,
    },
}

impl HostError {
    /// True if the same step may succeed at another attempt.
    pub fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::NoProgram { .. } | Self::NoInit { .. } | Self::NoUser { .. } | Self::Owned { .. }
        )
    }
}
