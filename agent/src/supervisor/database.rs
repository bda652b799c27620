//! Number of elements in the database file of k2hdkc, read from its head.
//!
//! The head of a k2hash file (format `K2H V2`) lists the file's areas and counts the free elements: the elements in use are those
//! of all element areas less the free ones, as `k2hlinetool`'s `info state` has it (k2hash 1.0.99, lib/k2hstructure.h:221-241,
//! lib/k2hshmdump.cc:820-870). k2hdkc maps the file shared, so that a read sees its memory. The read takes no lock: a count may be
//! off by the writes of that moment.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::ProcessId;

const VERSION: &[u8; 8] = b"K2H V2\0\0";
/// Place and number of the descriptions of areas: type, offset, length.
const AREAS: (usize, usize) = (128, 2048);
const AREA: usize = 24;
/// Type of an area of elements.
const ELEMENTS: u64 = 8;
/// Length of an element.
const ELEMENT: u64 = 112;
const FREE: usize = 49_536;
const HEAD: usize = FREE + 8;

/// Age of a count from which the file is read again: each read takes its first 50 kB.
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// The latest count of elements.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    latest: Option<(ProcessId, Instant, u64)>,
}

impl Elements {
    /// Returns the number of elements in a process's database file, as it was within the last ten seconds. `None` where the file is
    /// missing, unreadable, or no k2hash file of a known format.
    pub(crate) fn read(&mut self, id: ProcessId, path: &Path, now: Instant) -> Option<u64> {
        let young = |at: Instant| now.saturating_duration_since(at) < COUNTS_FOR;
        let known = self.latest.filter(|(of, at, _)| *of == id && young(*at));
        self.latest = known.or_else(|| Some((id, now, elements(id, path).ok()?)));
        self.latest.map(|(.., count)| count)
    }
}

/// Reads the number of elements of a database file in the sight of a process. A file is opened without waiting for anybody, and
/// its first 50 kB are read.
///
/// # Errors
///
/// The file is missing, unreadable, or no k2hash file of a known format.
fn elements(id: ProcessId, path: &Path) -> io::Result<u64> {
    let root = PathBuf::from(format!("/proc/{}/root", id.pid));
    elements_of(&root.join(path.strip_prefix("/").unwrap_or(path)))
}

fn elements_of(path: &Path) -> io::Result<u64> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut head = vec![0; HEAD];
    let unknown = || io::Error::from(io::ErrorKind::InvalidData);
    if !file.metadata()?.is_file() {
        return Err(unknown());
    }
    (&file).read_exact(&mut head)?;
    counted(&head).ok_or_else(unknown)
}

/// Counts the elements in use by the head of a file.
fn counted(head: &[u8]) -> Option<u64> {
    if head.get(..VERSION.len())? != VERSION {
        return None;
    }
    let mut length = 0_u64;
    for place in (0..AREAS.1).map(|area| AREAS.0 + area * AREA) {
        if number(head, place)? & ELEMENTS != 0 {
            length = length.checked_add(number(head, place + 16)?)?;
        }
    }
    (length / ELEMENT).checked_sub(number(head, FREE)?)
}

fn number(head: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(head.get(place..place + 8)?.try_into().ok()?))
}

/// Returns the head of a file with eleven elements, in two areas beside one of pages, of which so many are free.
#[cfg(test)]
pub(crate) fn head(free: u64) -> Vec<u8> {
    let mut head = vec![0; HEAD];
    head[..8].copy_from_slice(VERSION);
    for (area, (kind, length)) in [(8, 1120_u64), (16, 4096), (8, 112)].into_iter().enumerate() {
        let place = AREAS.0 + area * AREA;
        head[place..place + 8].copy_from_slice(&u64::to_ne_bytes(kind));
        head[place + 16..place + 24].copy_from_slice(&length.to_ne_bytes());
    }
    head[FREE..].copy_from_slice(&free.to_ne_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_in_use_are_those_of_all_element_areas_less_the_free_ones() {
        assert_eq!([0, 4, 11].map(|free| counted(&head(free))), [Some(11), Some(7), Some(0)]);
        assert_eq!(counted(&head(12)), None, "it was read in the middle of a write");
    }

    #[test]
    fn another_format_a_short_file_and_no_file_are_not_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k2hdkc.k2h");
        let mut other = head(4);
        other[6] = b'9';
        for content in [other, head(4)[..HEAD - 1].to_vec(), Vec::new()] {
            crate::file::store(&path, &content).unwrap();
            assert!(elements_of(&path).is_err());
        }
        assert!(elements_of(directory.path()).is_err() && elements_of(&directory.path().join("x")).is_err());
        crate::file::store(&path, &head(4)).unwrap();
        let own = ProcessId { pid: std::process::id(), start_ticks: 0 };
        assert_eq!(elements(own, &path).unwrap(), 7);
    }

    #[test]
    fn a_count_is_read_again_after_ten_seconds_and_for_another_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k2hdkc.k2h");
        let own = ProcessId { pid: std::process::id(), start_ticks: 0 };
        let (now, mut counted) = (Instant::now(), Elements::default());
        assert_eq!(counted.read(own, &path, now), None);
        crate::file::store(&path, &head(4)).unwrap();
        assert_eq!(counted.read(own, &path, now), Some(7), "a file that comes is counted at once");
        crate::file::store(&path, &head(1)).unwrap();
        assert_eq!(counted.read(own, &path, now + Duration::from_secs(9)), Some(7));
        assert_eq!(counted.read(own, &path, now + Duration::from_secs(10)), Some(10));
        crate::file::store(&path, &head(0)).unwrap();
        let next = ProcessId { start_ticks: 1, ..own };
        assert_eq!(counted.read(next, &path, now + Duration::from_secs(11)), Some(11));
    }
}
