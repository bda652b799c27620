//! The table that grows while the events are played: a head, and one row an event. Pure.

use std::time::Duration;

use super::record::{Outcome, Row};
use super::text::{cut, wrapped};

/// Characters of a row: it fits on the narrowest terminal that is common.
pub(super) const WIDTH: usize = 80;
/// Characters of a title.
const TITLE: usize = 30;
/// Lines that one fault may take on the screen; the report has all of it.
const LINES_A_FAULT: usize = 4;

/// Explains the columns.
pub(super) fn legend() -> Vec<String> {
    let lines = [
        "  file   seconds until the ini of every node followed",
        "  ring   seconds until every chmpx had loaded it and saw its servers in service",
        "  read   milliseconds of the slowest read of a program",
        "  lost   keys that no program can read any more",
    ];
    lines.map(str::to_owned).into()
}

/// The head of the table.
pub(super) fn head() -> [String; 2] {
    let names = line("at", "event", ["file", "ring", "restarted", "read", "lost"]);
    [names, "-".repeat(WIDTH)]
}

/// The row of an event, and its faults below it.
pub(super) fn rows(row: &Row) -> Vec<String> {
    let mut lines = vec![one(row)];
    for fault in &row.faults {
        let mut all = below(fault);
        if all.len() > LINES_A_FAULT {
            all.truncate(LINES_A_FAULT);
            all.push("         … more in the report".to_owned());
        }
        lines.extend(all);
    }
    lines
}

/// The lines of a text below a row.
pub(super) fn below(text: &str) -> Vec<String> {
    let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    wrapped("         ", &words, " ", Some(WIDTH))
}

fn one(row: &Row) -> String {
    let at = format!("{:.1} s", row.at.as_secs_f64());
    let Some((outcome, cost)) = &row.measured else {
        return line(&at, &row.title, ["FAILED", "", "", "", ""]);
    };
    let [file, ring] = [outcome.file(), outcome.ring()].map(seconds);
    let (slowest, lost) = (milliseconds(cost.counted.longest), cost.lost.len().to_string());
    let mark = if row.faults.is_empty() { "" } else { " FAILED" };
    line(&at, &row.title, [&file, &ring, &cost.restarts.short(), &slowest, &lost]) + mark
}

fn line(at: &str, title: &str, [file, ring, restarted, read, lost]: [&str; 5]) -> String {
    let title = cut(title, TITLE);
    let line = format!("{at:>7}  {title:<TITLE$}{file:>7}{ring:>7}  {restarted:<13}{read:>6}{lost:>6}");
    line.trim_end().to_owned()
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("-".to_owned(), |time| format!("{:.2}", time.as_secs_f64()))
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}

/// The lines of the report about an event: its row, each node's times, and the rest.
pub(super) fn details(row: &Row) -> Vec<String> {
    let mut lines = vec![one(row)];
    lines.extend(row.faults.iter().map(|fault| format!("         FAULT: {fault}")));
    if let Some((outcome, cost)) = &row.measured {
        lines.extend(node_times(outcome));
        lines.extend(outcome.text.lines().map(|line| format!("         {line}")));
        lines.push(format!("         {}; {}", cost.counted.line(), cost.lost_text()));
    }
    lines
}

fn node_times(outcome: &Outcome) -> Vec<String> {
    let line = |what: &str, times: &[super::record::Time]| {
        let mut times = times.to_vec();
        times.sort_by_key(|time| (time.node.starts_with("slave"), time.node.len(), time.node.clone()));
        let word = |time: &super::record::Time| {
            let mark = if time.booted { "*" } else { "" };
            format!("{}{mark} {}", time.node, time.took.as_millis())
        };
        let words: Vec<_> = times.iter().map(word).collect();
        (!words.is_empty()).then(|| format!("         {what} ms: {}", words.join(", ")))
    };
    [line("file", &outcome.files), line("ring", &outcome.rings)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Cost, Restarts};
    use crate::counters::Counted;
    use crate::record::Time;

    fn time(node: &str, ms: u64, booted: bool) -> Time {
        Time { node: node.into(), took: Duration::from_millis(ms), booted }
    }

    fn row() -> Row {
        let counted = Counted { reads: 2345, longest: Duration::from_micros(7120), ..Counted::default() };
        let outcome = Outcome {
            files: vec![
                time("slave-1", 290, false),
                time("server-4", 312, true),
                time("server-1", 210, false),
            ],
            rings: vec![time("server-1", 2210, false)],
            text: "server-1 was asked\nand answered".into(),
        };
        let cost = Cost { keys: 300, counted, ..Cost::default() };
        let at = Duration::from_millis(12_340);
        Row { at, title: "servers 3 -> 4".into(), measured: Some((outcome, cost)), faults: Vec::new() }
    }

    #[test]
    fn an_event_is_one_row_that_fits_on_eighty_columns() {
        let expected = " 12.3 s  servers 3 -> 4                   0.31   2.21  -                 7     0";
        assert_eq!(rows(&row()), [expected]);
        let mut busy = row();
        busy.title = "a title that is much longer than its column".into();
        let (_, cost) = busy.measured.as_mut().unwrap();
        cost.restarts = Restarts { chmpx: 1, k2hdkc: 1, agents: 0 };
        let line = rows(&busy).remove(0);
        assert!(line.chars().count() <= WIDTH && line.contains("chmpx k2hdkc"), "{line}");
        assert!(head().iter().all(|line| line.chars().count() <= WIDTH));
        assert!(legend().iter().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_fault_stands_below_its_row_and_a_long_one_is_cut() {
        let mut failed = row();
        failed.faults = vec!["server-1: it does not follow".into(), "so ".repeat(300)];
        let lines = rows(&failed);
        assert!(lines[0].ends_with(" FAILED"), "{lines:?}");
        assert_eq!(lines[1], "         server-1: it does not follow");
        assert_eq!((lines.len(), lines.last().unwrap().trim()), (7, "… more in the report"));
        failed.measured = None;
        assert_eq!(rows(&failed)[0], " 12.3 s  servers 3 -> 4                 FAILED");
    }

    #[test]
    fn the_report_has_the_time_of_each_node() {
        let lines = details(&row());
        assert_eq!(lines[1], "         file ms: server-1 210, server-4* 312, slave-1 290");
        assert_eq!(lines[3..5], ["         server-1 was asked", "         and answered"]);
    }
}
