//! chmpx's "simple regex" in the NAME of a server node: `db[1-3,5]`, `db[a-c]`, and lists with commas. chmpx
//! expands it at load time, so that one section makes several nodes (chmpx 1.0.113, lib/chmregex.cc:48-283).

/// More names than this from one NAME are refused: chmpx has room for 32768 nodes in all.
const MOST: usize = 32768;

/// Characters that chmpx trims; a no-break space stays a part of the name.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// All names that `name` stands for, in chmpx's order; what is wrong with it where chmpx refuses it.
pub(super) fn expand(name: &str) -> Result<Vec<String>, &'static str> {
    let mut names = Vec::new();
    for part in outside_brackets(name) {
        expand_one(part.trim_matches(BLANKS), &mut names)?;
    }
    if names.is_empty() { Err("it is empty") } else { Ok(names) }
}

/// Tells whether a list has an empty name in it: chmpx makes a server of that too, and the ring never comes up.
pub(super) fn has_empty_part(name: &str) -> bool {
    let mut inside = false;
    let mut parts = name.split(move |c| {
        inside = (inside || c == '[') && c != ']';
        c == ',' && !inside
    });
    name.contains(',') && parts.any(|part| part.trim_matches(BLANKS).is_empty())
}

/// Tells whether a name needs no expansion: the fast path for addresses and plain names.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['[', ']', ','])
}

/// Splits at commas that are not inside brackets.
fn outside_brackets(name: &str) -> Vec<&str> {
    let mut inside = false;
    name.split(move |c| {
        inside = (inside || c == '[') && c != ']';
        c == ',' && !inside
    })
    .filter(|part| !part.is_empty())
    .collect()
}

fn expand_one(part: &str, names: &mut Vec<String>) -> Result<(), &'static str> {
    let Some(open) = part.find('[') else {
        if part.contains(']') {
            return Err("a ']' without '['");
        }
        names.push(part.to_owned());
        return if names.len() > MOST { Err("it stands for more than 32768 names") } else { Ok(()) };
    };
    let (before, rest) = (&part[..open], &part[open + 1..]);
    if before.contains(']') {
        return Err("a ']' without '['");
    }
    let (inside, after) = rest.split_once(']').ok_or("a '[' without ']'")?;
    if inside.trim().is_empty() {
        return Err("nothing between '[' and ']'");
    }
    if inside.contains('[') {
        return Err("a '[' inside '['");
    }
    for choice in inside.split(',').map(str::trim).filter(|choice| !choice.is_empty()) {
        for text in range(choice)? {
            expand_one(&format!("{before}{text}{after}"), names)?;
        }
    }
    Ok(())
}

fn range(choice: &str) -> Result<Vec<String>, &'static str> {
    let Some((from, to)) = choice.split_once('-') else { return Ok(vec![choice.to_owned()]) };
    let (from, to) = (from.trim(), to.trim());
    if let (Ok(from), Ok(to)) = (from.parse::<usize>(), to.parse::<usize>()) {
        return numbers(from, to);
    }
    let mut letters = (from.chars(), to.chars());
    match (letters.0.next(), letters.0.next(), letters.1.next(), letters.1.next()) {
        (Some(a), None, Some(b), None) if same_alphabet(a, b) && a <= b => {
            Ok((a..=b).map(String::from).collect())
        }
        _ => Err("a range that is neither of numbers nor of letters of one case, from low to high"),
    }
}

fn numbers(from: usize, to: usize) -> Result<Vec<String>, &'static str> {
    if to < from {
        return Err("a range that runs from high to low");
    }
    if to - from >= MOST {
        return Err("it stands for more than 32768 names");
    }
    Ok((from..=to).map(|n| n.to_string()).collect())
}

fn same_alphabet(a: char, b: char) -> bool {
    (a.is_ascii_lowercase() && b.is_ascii_lowercase()) || (a.is_ascii_uppercase() && b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lists_and_mixtures_are_expanded_in_order() {
        assert_eq!(expand("h").unwrap(), ["h"]);
        assert_eq!(expand("h[1-3,5]").unwrap(), ["h1", "h2", "h3", "h5"]);
        assert_eq!(expand("h[a-c].x").unwrap(), ["ha.x", "hb.x", "hc.x"]);
        assert_eq!(expand("s[A-B][0-1]").unwrap(), ["sA0", "sA1", "sB0", "sB1"]);
        assert_eq!(expand("a, b[1,2],c").unwrap(), ["a", "b1", "b2", "c"]);
        assert_eq!(expand("\u{a0}h").unwrap(), ["\u{a0}h"]);
    }

    #[test]
    fn what_chmpx_refuses_is_refused() {
        for name in ["", "h[", "h]", "h[]", "h[3-1]", "h[a-C]", "h[1-2-3]", "h[[1]]", "h[-1]", "h[0-99999]"] {
            assert!(expand(name).is_err(), "{name}");
        }
        assert!(expand("h[0-999][0-999]").is_err(), "a million names");
    }
}
