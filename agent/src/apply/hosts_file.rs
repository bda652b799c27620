//! The hosts file of this host. A file that cannot be replaced is a note, not a failure: chmpx is slower without it, and
//! works.

use std::io;
use std::path::{Path, PathBuf};

use crate::file::{self, FileError, Ownership};
use crate::hosts::{self, Names};
use crate::problem::chain;

/// Brings the hosts block up to date; the result is what an operator should know about it.
///
/// A symbolic link is followed: resolvers read the file by its path, without a watch.
pub(crate) fn update_hosts(path: Option<&Path>, names: &Names) -> Vec<String> {
    let Some(path) = path else { return Vec::new() };
    let shown = path.display();
    let (place, bytes) = match read(path) {
        Ok(read) => read,
        Err(error) => return vec![format!("{shown} is left alone: {error}")],
    };
    let update = hosts::updated(&hosts::decoded(&bytes), names);
    let replaced = match &update.next {
        Some(next) => {
            file::replace(&place, &hosts::encoded(next), Ownership::default()).map(|done| done.notes)
        }
        None => Ok(Vec::new()),
    };
    // Unlike the ini's, the old content has no use, and a stray file beside the hosts file would puzzle; it may
    // also be a killed predecessor's.
    let tidied = replaced.and_then(|notes| file::remove(&file::beside(&place)).map(|()| notes));
    let notes = tidied.unwrap_or_else(|error| vec![format!("{shown} is not updated: {}", remedied(&error))]);
    let left_out = update.left_out.into_iter().map(|left_out| {
        let (name, address, why) = (&left_out.name, left_out.address, left_out.why.text());
        format!("{shown} does not call {address} \"{name}\", its tag in K2HR3: the name {why}; give that member another tag")
    });
    let unfit = update.unfit.map(|text| format!("{shown}: {text}"));
    notes.into_iter().chain(left_out).chain(unfit).collect()
}

/// Reads the file at its real place; empty where it is missing.
fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), String> {
    let place = match path.canonicalize() {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
            return Err(
                "it is a symbolic link to nothing; make what it points to, or put a regular file there"
                    .to_owned(),
            );
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((path.to_owned(), Vec::new())),
        Err(error) => return Err(error.to_string()),
    };
    match std::fs::read(&place) {
        Ok(bytes) => Ok((place, bytes)),
        Err(error) => Err(error.to_string()),
    }
}

/// Words an error with the remedy for this file, which is not that for the ini.
fn remedied(error: &FileError) -> String {
    let FileError::MountPoint(path) = error else { return chain(error) };
    format!(
        "{} is mounted by itself, as in a container, and cannot be replaced: give the members to the tool that makes \
         the container (--add-host, hostAliases), or set hosts.enabled = false",
        path.display()
    )
}

#[cfg(test)]
mod tests;
