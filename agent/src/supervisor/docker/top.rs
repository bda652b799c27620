//! The processes in a container as the daemon's `top` lists them. Pure.

use crate::supervisor::Program;

/// Arguments of ps. The daemon runs the ps of its host; busybox knows these columns, too.
pub(super) const PS_ARGUMENTS: &str = "-eo pid,comm";

/// A process of one of the two programs, as the daemon sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopEntry {
    pub(super) program: Program,
    /// Process number outside of the container.
    pub(super) pid: u32,
}

/// A row of that output, where it is of one of the two programs.
pub(super) fn read(row: &[String]) -> Option<TopEntry> {
    let [pid, name] = row else { return None };
    let program = [Program::Chmpx, Program::K2hdkc].into_iter().find(|program| program.name() == name)?;
    Some(TopEntry { program, pid: pid.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_top_tells_the_program_and_its_number() {
        let row = |words: [&str; 2]| read(&words.map(str::to_owned));
        assert_eq!(row(["7", "chmpx"]), Some(TopEntry { program: Program::Chmpx, pid: 7 }));
        assert_eq!(row(["7", "sh"]), None);
        assert_eq!(row(["PID", "chmpx"]), None);
    }
}
