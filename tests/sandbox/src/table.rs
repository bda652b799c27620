//! The two tables and the verdict, as text.

use super::record::{Endured, Record, Scale, Time, spread};
use super::text::{cut, wrapped};
use super::toll::{Restarts, Toll};

/// Everything that is printed at the end; lines of at most `width` characters, if it is given.
pub(super) fn report(record: &Record, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    if !record.scales.is_empty() {
        lines.extend(heading(
            "Scale events: ms from the change of the role to each node's file, and to its chmpx with a whole ring",
        ));
        lines.extend(scale_table(&record.scales));
        lines.push(String::new());
        lines.push("by node: s server, c slave, * started by the event".to_owned());
        lines.extend(record.scales.iter().flat_map(|scale| node_lines(scale, width)));
    }
    if !record.answers.is_empty() {
        lines.extend(heading(
            "Sick answers: nodes that kept their file and said why; below it, server-1's status",
        ));
        lines.push(format!("{:<36}{:>8}{:>23}", "", "held by", "next good one applied"));
        lines.extend(record.answers.iter().flat_map(|answer| answer_lines(answer, width)));
        let toll = &record.answers_toll;
        let cost = format!("every ring stayed; {}; restarts: {}", toll.line(), toll.restarts.text());
        lines.push(width.map_or(cost.clone(), |width| cut(&cost, width)));
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

fn scale_table(scales: &[Scale]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{:<29}{:^22}{:^25}{:^22}{:^6}{:^9}{:^9}",
            "", "file", "ring", "restarts", "keys", "reads", "longest"
        ),
        format!(
            "{:<29}{:>6}{:>7}{:>7}{:>9}{:>7}{:>7}{:>9}{:>8}{:>7}{:>7}{:>9}{:>9}",
            "",
            "min",
            "median",
            "max",
            "min",
            "median",
            "max",
            "chmpx",
            "k2hdkc",
            "agents",
            "lost",
            "served",
            "read ms"
        ),
    ];
    for scale in scales {
        let three = |times: &[Time]| {
            let spread = spread(times.iter().map(|time| time.took)).unwrap_or_default();
            spread.map(|time| time.as_millis())
        };
        let ([least, middle, most], rings) = (three(&scale.files), three(&scale.rings));
        let Toll { restarts: Restarts { chmpx, k2hdkc, agents }, lost, counted, .. } = &scale.toll;
        let longest = format!("{:.1}", counted.longest.as_secs_f64() * 1000.0);
        lines.push(format!(
            "{:<29}{least:>6}{middle:>7}{most:>7}{:>9}{:>7}{:>7}{chmpx:>9}{k2hdkc:>8}{agents:>7}{:>7}{:>9}{longest:>9}",
            cut(&scale.title, 28),
            rings[0],
            rings[1],
            rings[2],
            lost.len(),
            counted.reads,
        ));
    }
    lines
}

fn node_lines(scale: &Scale, width: Option<usize>) -> Vec<String> {
    let line = |what: &str, title: &str, times: &[Time]| {
        let mut times = times.to_vec();
        times.sort_by_key(|time| (time.node.starts_with("slave"), time.node.len(), time.node.clone()));
        let words: Vec<_> = times
            .iter()
            .map(|time| {
                let mark = if time.booted { "*" } else { "" };
                format!("{}{mark} {}", short(&time.node), time.took.as_millis())
            })
            .collect();
        wrapped(&format!("{:<29}{what:<7}", cut(title, 28)), &words, "  ", width)
    };
    [line("file", &scale.title, &scale.files), line("ring", "", &scale.rings)].concat()
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
    use crate::traffic::Counted;
    use std::time::Duration;

    fn time(node: &str, ms: u64, booted: bool) -> Time {
        Time { node: node.into(), took: Duration::from_millis(ms), booted }
    }

    fn scale() -> Scale {
        let counted = Counted { reads: 2345, longest: Duration::from_micros(7120), ..Counted::default() };
        Scale {
            title: "servers 3 -> 4".into(),
            files: vec![
                time("slave-1", 290, false),
                time("server-1", 210, false),
                time("server-4", 312, true),
            ],
            rings: vec![
                time("slave-1", 2290, false),
                time("server-1", 2210, false),
                time("server-4", 2312, true),
            ],
            toll: Toll { keys: 300, counted, ..Toll::default() },
        }
    }

    #[test]
    fn a_run_is_told_in_tables_and_a_verdict_within_the_width() {
        let answers = vec![Endured {
            title: "empty body".into(),
            held: 3,
            of: 3,
            reason: "nothing changed, no answer to go by: it is empty, and that is a very long story".into(),
            recovered: Some(Duration::from_millis(400)),
        }];
        let record = Record { scales: vec![scale()], answers, ..Record::default() };
        let lines = report(&record, Some(76));
        let text = lines.join("\n");
        let row = "servers 3 -> 4                  210    290    312     2210   2290   2312        0       0      0      0     2345      7.1";
        assert!(lines.contains(&row.to_owned()), "{text}");
        let nodes = "servers 3 -> 4               file   s1 210  s4* 312  c1 290";
        assert!(lines.contains(&nodes.to_owned()), "{text}");
        assert!(text.contains("ring   s1 2210  s4* 2312  c1 2290"), "{text}");
        assert!(
            text.contains("empty body                            3 of 3                 400 ms"),
            "{text}"
        );
        assert!(text.contains("it is empty, and that is a very lo…"), "{text}");
        assert!(text.ends_with("explained"), "{text}");
    }

    #[test]
    fn a_loss_and_a_restart_stand_in_their_columns() {
        let mut scale = scale();
        scale.toll.restarts.chmpx = 2;
        scale.toll.lost = (0..30).map(|key| (key.to_string(), String::new())).collect();
        let table = scale_table(&[scale]);
        assert!(table[2].contains("        2       0      0     30     2345"), "{}", table[2]);
    }
}
