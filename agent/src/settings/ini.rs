//! `[ini]` and `[hosts]`

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::value;

/// `[ini]` describes the file that chmpx and k2hdkc read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Ini {
    /// Path of the file. It ends in `.ini`, since chmpx chooses the format by the extension.
    /// Default: `"/etc/antpickax/k2hdkc.ini"`
    pub path: PathBuf,
    /// Owner of the file.
    /// Default: that of the present file, else root. Example: `"root"`
    pub owner: Option<String>,
    /// Group of the file.
    /// Default: that of the present file, else root's. Example: `"root"`
    pub group: Option<String>,
    /// Octal mode of the file.
    /// Default: that of the present file, else 0644. Example: `"0644"`
    #[serde(deserialize_with = "value::mode")]
    pub mode: Option<u32>,
    /// Sections that pass besides GLOBAL, SVRNODE, SLVNODE and K2HDKC.
    /// Default: `[]`
    pub extra_sections: Vec<String>,
    /// Number of installed generations that stay in the state directory, for a roll-back.
    /// Default: `5`
    pub keep: usize,
}

impl Default for Ini {
    fn default() -> Self {
        Self {
            path: "/etc/antpickax/k2hdkc.ini".into(),
            owner: None,
            group: None,
            mode: None,
            extra_sections: Vec::new(),
            keep: 5,
        }
    }
}

/// `[hosts]` keeps a marked block with every node in the hosts file. Without it chmpx's resolver can make a reload
/// take minutes (C9). Names and addresses outside of the block are the operator's and come first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Hosts {
    /// Keeps the block. The file of the package turns it on.
    /// Default: `false`
    pub enabled: bool,
    /// Path of the hosts file.
    /// Default: `"/etc/hosts"`
    pub path: PathBuf,
}

impl Hosts {
    /// Returns the file with the block; `None` where the block is not wanted.
    pub fn file(&self) -> Option<&Path> {
        self.enabled.then_some(&*self.path)
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self { enabled: false, path: "/etc/hosts".into() }
    }
}
