//! Walk over the lines of an answer, with the blocks around each. Both programs write `key = value` and blocks in braces, and a
//! value may contain anything.

use std::str::Lines;

/// One line with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A key and its value, both without surrounding blanks.
    Pair(&'a str, &'a str),
    /// A block begins, and is the last of the path now.
    Opened,
    /// The block of that name ends.
    Closed(&'a str),
}

/// A walk over an answer.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    lines: Lines<'a>,
    path: Vec<&'a str>,
    last_key: &'a str,
}

impl<'a> Walk<'a> {
    /// Starts before the first line.
    pub(super) fn over(text: &'a str) -> Self {
        Self { lines: text.lines(), path: Vec::new(), last_key: "" }
    }

    /// Names of the blocks around the present line, the outermost first.
    pub(super) fn path(&self) -> &[&'a str] {
        &self.path
    }

    /// Goes to the next line with a meaning.
    pub(super) fn step(&mut self) -> Option<Line<'a>> {
        loop {
            let line = self.lines.next()?;
            let text = line.trim();
            if text == "}" {
                let Some(name) = self.path.pop() else { continue };
                return Some(Line::Closed(name));
            }
            if let Some(name) = opened(line, text) {
                // DUMP writes `chmpx_servers = 0x87e8` and the brace on a line of its own.
                self.path.push(if name.is_empty() { self.last_key } else { name });
                return Some(Line::Opened);
            }
            if let Some((key, value)) = text.split_once('=') {
                self.last_key = key.trim_end();
                return Some(Line::Pair(self.last_key, value.trim_start()));
            }
        }
    }
}

/// Name of the block that a line begins. `cuk = {` begins none, since a value may be a brace; chmpx's own block names stand in
/// brackets or at the very left.
fn opened<'a>(line: &str, text: &'a str) -> Option<&'a str> {
    let head = text.strip_suffix('{')?.trim_end();
    match head.split_once('=') {
        None => Some(head),
        Some((name, "")) if name.starts_with('[') || !line.starts_with(' ') => Some(name.trim_end()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(text: &str) -> Vec<String> {
        let mut walk = Walk::over(text);
        let mut seen = Vec::new();
        while let Some(line) = walk.step() {
            seen.push(format!("{}: {line:?}", walk.path().join("/")));
        }
        seen
    }

    #[test]
    fn every_way_to_begin_a_block_is_known() {
        let text = "====\na{\n  list = 0x1\n  {\n    [0] = {\n      k = v\n    }\n  }\n  [2] {\n  }\n}\nx [ 2 ] = {\n}\n";
        assert_eq!(
            walked(text),
            [
                ": Pair(\"\", \"===\")",
                "a: Opened",
                "a: Pair(\"list\", \"0x1\")",
                "a/list: Opened",
                "a/list/[0]: Opened",
                "a/list/[0]: Pair(\"k\", \"v\")",
                "a/list: Closed(\"[0]\")",
                "a: Closed(\"list\")",
                "a/[2]: Opened",
                "a: Closed(\"[2]\")",
                ": Closed(\"a\")",
                "x [ 2 ]: Opened",
                ": Closed(\"x [ 2 ]\")",
            ]
        );
    }

    #[test]
    fn a_value_may_be_a_brace_or_hold_an_equals_sign() {
        assert_eq!(
            walked("  cuk = {\n  seed = }\n  cuk = a=b\n}\n"),
            [": Pair(\"cuk\", \"{\")", ": Pair(\"seed\", \"}\")", ": Pair(\"cuk\", \"a=b\")"]
        );
    }
}
