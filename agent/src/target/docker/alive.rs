//! The processes in a container as the daemon's `top` lists them. Pure.

use std::time::Duration;

use crate::target::Program;

/// What ps is asked for. The daemon runs the one of its host; busybox has these columns too.
pub(super) const ASKED: &str = "-eo pid,time,comm";

/// A process of one of the two programs, as the daemon sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alive {
    pub(super) program: Program,
    /// Its number outside of the container.
    pub(super) pid: u32,
    /// How much processor time it has used, in whole seconds.
    pub(super) worked: Duration,
}

/// A row of that output, where it is of one of the two programs.
pub(super) fn read(row: &[String]) -> Option<Alive> {
    let [pid, time, name] = row else { return None };
    let program = [Program::Chmpx, Program::K2hdkc].into_iter().find(|program| program.name() == name)?;
    Some(Alive { program, pid: pid.parse().ok()?, worked: worked(time) })
}

/// `[days-]hours:minutes:seconds`, as ps writes it; nothing where it has another form.
fn worked(time: &str) -> Duration {
    let (days, rest) = time.split_once('-').unwrap_or(("0", time));
    let mut units = [24, 60, 60].into_iter().rev().take(rest.split(':').count()).rev();
    let seconds = rest.split(':').try_fold(days.parse::<u64>().unwrap_or_default(), |sum, part| {
        Some(sum * units.next()? + part.parse::<u64>().ok()?)
    });
    Duration::from_secs(seconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_top_tells_the_program_and_what_it_has_worked() {
        let row = |words: [&str; 3]| read(&words.map(str::to_owned));
        let chmpx =
            |seconds| Some(Alive { program: Program::Chmpx, pid: 7, worked: Duration::from_secs(seconds) });
        assert_eq!(row(["7", "00:01:05", "chmpx"]), chmpx(65));
        assert_eq!(row(["7", "1-02:00:01", "chmpx"]), chmpx(93_601));
        assert_eq!(row(["7", "1:05", "chmpx"]), chmpx(65), "busybox");
        assert_eq!(row(["7", "1h02", "chmpx"]), chmpx(0), "busybox, after an hour");
        assert_eq!(row(["7", "00:01:05", "sh"]), None);
        assert_eq!(row(["PID", "TIME", "chmpx"]), None);
    }
}
