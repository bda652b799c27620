//! The string literals of Rust sources.

/// The literals of a source, continued lines joined, up to its tests.
pub(crate) fn of(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let start = &rest[at..];
        if start.starts_with("//") {
            rest = start.split_once('\n').map_or("", |(_, next)| next);
        } else if let Some(text) = start.strip_prefix('"') {
            let raw = rest[..at].ends_with("r#") || rest[..at].ends_with('r');
            let (literal, next) = if raw { raw_one(text, rest[..at].ends_with('#')) } else { one(text) };
            found.push(literal);
            rest = next;
        } else {
            rest = after_character(start);
        }
    }
    found
}

/// A literal up to its closing quote, and what comes after it.
fn one(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (literal, &text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => literal.push('\n'),
                Some((at, '\n')) => {
                    let next = text[at + 1..].trim_start();
                    let (rest, after) = one(next);
                    return (literal + &rest, after);
                }
                Some((_, other)) => literal.push(other),
                None => break,
            },
            other => literal.push(other),
        }
    }
    (literal, "")
}

fn raw_one(text: &str, has_hash: bool) -> (String, &str) {
    let end = if has_hash { "\"#" } else { "\"" };
    text.split_once(end).map_or((text.to_owned(), ""), |(literal, next)| (literal.to_owned(), next))
}

/// Skips a character literal, a lifetime or a slash.
fn after_character(start: &str) -> &str {
    let quote = ["'\"'", "'\\''", "'\\\"'", "'/'"].into_iter().find(|literal| start.starts_with(literal));
    &start[quote.map_or(1, str::len)..]
}

#[test]
fn literals_are_found_whole_and_comments_are_none() {
    let source = "// a \"comment\"\nlet c = '\"'; f(\"one \\\n      line {x}\", r#\"raw \"quoted\"\"#, \"a \\\"b\\\"\"); &'a str\n\
                  #[cfg(test)]\n\"not this\"";
    assert_eq!(of(source), ["one line {x}", "raw \"quoted\"", "a \"b\""]);
}
