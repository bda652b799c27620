//! Keys of the cluster, set and read by `k2hdkclinetool` in a container: `key0` on, with values `value0` on.

use std::io;
use std::time::Duration;

use super::container::Container;
use super::say;
use k2hdkc_simulators::node::wait_for;

/// Sets that many keys; an error names how many were not taken, and the first complaint.
pub fn write(container: &Container, ini: &str, keys: usize) -> io::Result<()> {
    let lines: String = (0..keys).map(|key| format!("set key{key} value{key}\n")).collect();
    let told = container.feed(&["k2hdkclinetool", "-conf", ini], &lines)?;
    let complaints: Vec<_> = told.lines().filter(|line| line.starts_with("[ERR]")).collect();
    let Some(first) = complaints.first() else { return Ok(()) };
    Err(io::Error::other(format!("{} of {keys} keys were not taken: {first}", complaints.len())))
}

/// The same, as an application does it: what the ring does not take in this moment is set again.
pub fn write_at_last(container: &Container, ini: &str, keys: usize, patience: Duration) -> io::Result<()> {
    let mut last = Ok(());
    let all = wait_for(patience, || {
        last = write(container, ini, keys);
        last.as_ref().inspect_err(|error| say(&format!("{error}"))).is_ok()
    });
    if all { Ok(()) } else { last }
}

/// Counts those that are readable.
pub fn readable(container: &Container, ini: &str, keys: usize) -> io::Result<usize> {
    let lines: String = (0..keys).map(|key| format!("print key{key}\n")).collect();
    let told = container.feed(&["k2hdkclinetool", "-conf", ini], &lines)?;
    let is_there = |key: &usize| {
        let line = format!("\"key{key}\" => \"value{key}\"");
        told.lines().any(|said| said == line)
    };
    Ok((0..keys).filter(is_there).count())
}
