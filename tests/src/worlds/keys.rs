//! Keys of the cluster, set and read by `k2hdkclinetool` in a container: `key0` on, with values `value0` on.

use std::io;

use super::container::Container;

/// Sets that many keys; how many were taken without a complaint.
pub fn write(container: &Container, ini: &str, keys: usize) -> io::Result<usize> {
    let lines: String = (0..keys).map(|key| format!("set key{key} value{key}\n")).collect();
    let told = container.feed(&["k2hdkclinetool", "-conf", ini], &lines)?;
    Ok(keys - told.lines().filter(|line| line.starts_with("[ERR]")).count())
}

/// How many of them are readable.
pub fn readable(container: &Container, ini: &str, keys: usize) -> io::Result<usize> {
    let lines: String = (0..keys).map(|key| format!("print key{key}\n")).collect();
    let told = container.feed(&["k2hdkclinetool", "-conf", ini], &lines)?;
    let is_there = |key: &usize| {
        let line = format!("\"key{key}\" => \"value{key}\"");
        told.lines().any(|said| said == line)
    };
    Ok((0..keys).filter(is_there).count())
}
