//! The two tables and the verdict, as text.

use super::record::{Endured, Record, Scale, spread};
use super::text::{cut, wrapped};

/// Everything that is printed at the end; lines of at most `width` characters, if it is given.
pub(super) fn report(record: &Record, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    if !record.scales.is_empty() {
        lines.extend(heading(
            "Scale events: from the change of the role to the file of each node that shows it, in ms",
        ));
        lines.extend(scale_table(&record.scales, width));
    }
    if !record.answers.is_empty() {
        lines.extend(heading(
            "Sick answers: nodes that kept their file and said why; below it, server-1's status",
        ));
        lines.push(format!("{:<36}{:>8}{:>23}", "", "held by", "next good one applied"));
        lines.extend(record.answers.iter().flat_map(|answer| answer_lines(answer, width)));
    }
    if !record.others.is_empty() {
        lines.extend(heading("And besides"));
        lines.extend(record.others.iter().flat_map(|(title, text)| other_lines(title, text, width)));
    }
    lines.push(String::new());
    let words: Vec<_> = record.verdict().split(' ').map(str::to_owned).collect();
    lines.extend(wrapped("verdict: ", &words, " ", width));
    lines
}

fn heading(text: &str) -> [String; 3] {
    [String::new(), text.to_owned(), "-".repeat(text.chars().count())]
}

fn scale_table(scales: &[Scale], width: Option<usize>) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<32}{:>7}{:>8}{:>7}   by node: s server, c slave, * started by the event",
        "", "min", "median", "max"
    )];
    for scale in scales {
        let Some(spread) = spread(scale.times.iter().map(|time| time.took)) else { continue };
        let [least, middle, most] = spread.map(|time| time.as_millis());
        let start = format!("{:<32}{least:>7}{middle:>8}{most:>7}   ", cut(&scale.title, 31));
        let mut times = scale.times.clone();
        times.sort_by_key(|time| (time.node.starts_with("slave"), time.node.len(), time.node.clone()));
        let nodes: Vec<_> = times
            .iter()
            .map(|time| {
                let mark = if time.booted { "*" } else { "" };
                format!("{}{mark} {}", short(&time.node), time.took.as_millis())
            })
            .collect();
        lines.extend(wrapped(&start, &nodes, "  ", width));
    }
    lines
}

/// `server-1` as `s1`, `slave-2` as `c2`, which is a client of the ring.
fn short(name: &str) -> String {
    name.replace("server-", "s").replace("slave-", "c")
}

fn answer_lines(answer: &Endured, width: Option<usize>) -> [String; 2] {
    let Endured { title, held, of, reason, recovered } = answer;
    let again = recovered.map_or("NEVER".to_owned(), |time| format!("{} ms", time.as_millis()));
    let mark = if held == of { "" } else { "  NOT HELD" };
    let row = format!("{:<36}{:>8}{again:>23}{mark}", cut(title, 35), format!("{held} of {of}"));
    [row, format!("    {reason}")].map(|line| width.map_or(line.clone(), |width| cut(&line, width)))
}

fn other_lines(title: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![title.to_owned()];
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        lines.extend(wrapped("    ", &words, " ", width));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::record::Time;
    use std::time::Duration;

    #[test]
    fn a_run_is_told_in_two_tables_and_a_verdict_within_the_width() {
        let time =
            |node: &str, ms| Time { node: node.into(), took: Duration::from_millis(ms), booted: ms > 300 };
        let scales = vec![Scale {
            title: "servers 3 -> 4".into(),
            times: vec![time("server-1", 210), time("server-4", 312), time("slave-1", 290)],
        }];
        let answers = vec![Endured {
            title: "empty body".into(),
            held: 3,
            of: 3,
            reason: "nothing changed, no answer to go by: it is empty, and that is a very long story".into(),
            recovered: Some(Duration::from_millis(400)),
        }];
        let record = Record { scales, answers, ..Record::default() };
        let lines = report(&record, Some(76));
        let text = lines.join("\n");
        assert!(text.contains("servers 3 -> 4                      210     290    312   s1 210"), "{text}");
        assert!(
            text.contains("empty body                            3 of 3                 400 ms"),
            "{text}"
        );
        assert!(text.contains("it is empty, and that is a very lo…"), "{text}");
        assert!(text.ends_with("held\n         and explained"), "{text}");
    }
}
