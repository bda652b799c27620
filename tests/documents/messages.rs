//! Every message that docs/troubleshooting.md lists is one that the agent prints.

use std::fs;

use super::{files, literals, quoted, text};

/// The fixed parts of the messages in the first column, with the message that each is of.
fn parts(document: &str) -> Vec<(String, String)> {
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|line| line.split(" | ").next());
    let messages = cells.flat_map(quoted);
    messages
        .flat_map(|message| fixed(message).map(move |part| (part.to_owned(), message.to_owned())))
        .collect()
}

/// The parts between `<placeholders>` and `…`, as far as they are longer than a word.
fn fixed(message: &str) -> impl Iterator<Item = &str> {
    let parts = message.split('…').flat_map(|part| part.split('<'));
    let parts = parts.map(|part| part.split_once('>').map_or(part, |(_, after)| after));
    let parts = parts.map(|part| part.trim_matches([' ', ',', ':']));
    parts.filter(|part| part.split_whitespace().count() > 1 || part.len() > 6)
}

#[test]
fn every_message_in_troubleshooting_is_in_the_sources() {
    let literals: Vec<String> = files("agent/src", ".rs")
        .iter()
        .filter(|path| !path.to_string_lossy().contains("/tests"))
        .flat_map(|path| literals::of(&fs::read_to_string(path).unwrap()))
        .collect();
    let parts = parts(&text("docs/troubleshooting.md"));
    let missing: Vec<_> =
        parts.iter().filter(|(part, _)| !literals.iter().any(|literal| literal.contains(part))).collect();
    assert!(parts.len() > 50, "the table was not read: {parts:?}");
    assert!(missing.is_empty(), "no string of the agent has these: {missing:#?}");
}

#[test]
fn the_fixed_parts_of_a_message_are_what_stands_between_its_placeholders() {
    let parts: Vec<_> = fixed("chmpx reports generation <n>, not <m>: …").collect();
    assert_eq!(parts, ["chmpx reports generation"]);
    let parts: Vec<_> = fixed("k2hdkc waits a while for <names>").collect();
    assert_eq!(parts, ["k2hdkc waits a while for"]);
}
