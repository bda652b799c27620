//! The file in the place of chmpx's shared memory: a picture of the process, for `chmpxstatus` and for whoever attaches.
//!
//! It is locked while its chmpx runs, which is how the others tell a running one from leftovers (docs/facts.md C19). It
//! also names the socket by which processes attach: an abstract one, which leaves nothing behind and has no long path.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::picture::Picture;
use crate::simulators::place::Place;

/// The files of one chmpx.
#[derive(Debug)]
pub struct Shm {
    file: File,
    path: PathBuf,
    k2h: PathBuf,
    written: Vec<u8>,
}

/// The reason why a process cannot attach.
#[derive(Debug, Error)]
pub enum Absent {
    /// No chmpx runs there, whatever files it left.
    #[error("Could not initialize(attach) chmpx shared memory.")]
    NotRunning,
    /// The file is not what this project writes.
    #[error("{0} is not a simulator's shared memory")]
    Unreadable(PathBuf),
}

impl Shm {
    /// Makes the files of a starting chmpx; one that is there, of a dead or of a living process, is moved away.
    pub fn create(place: &Place, group: &str, ctlport: Option<i32>) -> io::Result<Self> {
        let path = path(place, group, ctlport);
        if path.exists() {
            fs::rename(&path, backup(&path))?;
        }
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        file.try_lock().map_err(io::Error::other)?;
        let k2h = path.with_extension("k2h");
        let _ = fs::remove_file(&k2h);
        File::options().write(true).create_new(true).open(&k2h)?;
        Ok(Self { file, path, k2h, written: Vec::new() })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the k2hash file.
    pub fn k2h(&self) -> &Path {
        &self.k2h
    }

    /// Writes the picture, if it is another one.
    pub fn write(&mut self, picture: &Picture) -> io::Result<()> {
        let bytes = serde_json::to_vec(picture)?;
        if bytes == self.written {
            return Ok(());
        }
        self.file.set_len(bytes.len() as u64)?;
        self.file.write_all_at(&bytes, 0)?;
        self.written = bytes;
        Ok(())
    }

    /// A graceful end leaves nothing behind.
    pub fn remove(&self) {
        // Another instance may have taken them away.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.k2h);
    }
}

/// The path for a group and a control port.
pub fn path(place: &Place, group: &str, ctlport: Option<i32>) -> PathBuf {
    let port = ctlport.map(|port| format!("-{port}")).unwrap_or_default();
    place.base().join(format!("{group}{port}.chmpx"))
}

/// `.bup`, `.bup.0`, `.bup.1`: nobody ever removes them.
fn backup(path: &Path) -> PathBuf {
    let first = path.with_extension("chmpx.bup");
    let next = (0..).map(|n| path.with_extension(format!("chmpx.bup.{n}")));
    std::iter::once(first.clone()).chain(next).find(|path| !path.exists()).unwrap_or(first)
}

/// The picture of the chmpx that runs there.
pub fn read(path: &Path) -> Result<Picture, Absent> {
    // A writer may be in the middle of it; what it writes is small.
    let mut result = Err(Absent::NotRunning);
    for _ in 0..100 {
        result = read_once(path);
        if !matches!(result, Err(Absent::Unreadable(_))) {
            break;
        }
        std::thread::yield_now();
    }
    result
}

fn read_once(path: &Path) -> Result<Picture, Absent> {
    let file = File::open(path).map_err(|_| Absent::NotRunning)?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) | Err(TryLockError::Error(_)) => return Err(Absent::NotRunning),
    }
    let bytes = fs::read(path).map_err(|_| Absent::NotRunning)?;
    serde_json::from_slice(&bytes).map_err(|_| Absent::Unreadable(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_unclean_end_leaves_is_moved_away_one_after_the_other() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::at(root.path());
        let names = || {
            let mut names: Vec<_> = fs::read_dir(place.base())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        for _ in 0..3 {
            drop(Shm::create(&place, "LAB", Some(30021)).unwrap());
        }
        assert_eq!(
            names(),
            ["LAB-30021.chmpx", "LAB-30021.chmpx.bup", "LAB-30021.chmpx.bup.0", "LAB-30021.k2h"]
        );
        assert!(matches!(read(&path(&place, "LAB", Some(30021))), Err(Absent::NotRunning)));
        let last = Shm::create(&place, "LAB", Some(30021)).unwrap();
        last.remove();
        assert_eq!(names().len(), 3, "only the backups stay");
    }
}
