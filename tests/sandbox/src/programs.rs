//! The programs that `--real` needs, found on PATH.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use nix::unistd::geteuid;

/// Paths of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    /// The communication layer.
    pub chmpx: PathBuf,
    /// The database.
    pub k2hdkc: PathBuf,
    /// Reads chmpx's shared memory.
    pub chmpxstatus: PathBuf,
    /// Reads and writes keys.
    pub k2hdkclinetool: PathBuf,
    /// Of iproute2.
    pub ip: PathBuf,
    /// Of util-linux.
    pub unshare: PathBuf,
    /// Of util-linux.
    pub nsenter: PathBuf,
}

impl Programs {
    /// Finds them; an error names everything that is missing.
    pub(super) fn find() -> io::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::find_in(&path, geteuid().is_root())
    }

    fn find_in(path: &OsStr, is_root: bool) -> io::Result<Self> {
        let mut missing = Vec::new();
        let mut found = |name: &'static str| {
            let is_program = |path: &PathBuf| {
                path.is_absolute()
                    && path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
            };
            let program = std::env::split_paths(path).map(|directory| directory.join(name)).find(is_program);
            if program.is_none() {
                missing.push(name);
            }
            program.unwrap_or_default()
        };
        let programs = Self {
            chmpx: found("chmpx"),
            k2hdkc: found("k2hdkc"),
            chmpxstatus: found("chmpxstatus"),
            k2hdkclinetool: found("k2hdkclinetool"),
            ip: found("ip"),
            unshare: found("unshare"),
            nsenter: found("nsenter"),
        };
        let mut problems = Vec::new();
        if !missing.is_empty() {
            let hint =
                "ip is of iproute2, unshare and nsenter are of util-linux, the others of chmpx and k2hdkc";
            problems.push(format!("PATH has no {} ({hint})", missing.join(", ")));
        }
        if !is_root {
            problems.push("it makes namespaces, for which it must be root".to_owned());
        }
        if problems.is_empty() {
            Ok(programs)
        } else {
            Err(io::Error::other(format!("--real cannot run: {}", problems.join("; "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let error = Programs::find_in(OsStr::new("/nowhere:relative"), false).unwrap_err().to_string();
        assert!(
            error.contains("chmpx, k2hdkc, chmpxstatus, k2hdkclinetool, ip, unshare, nsenter"),
            "{error}"
        );
        assert!(error.contains("must be root"), "{error}");
    }
}
