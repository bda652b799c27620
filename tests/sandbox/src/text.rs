//! Lines for a terminal of a certain width.

/// The first `width` characters, the last of them `…` where something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// `start` and then the words, on as many lines as the width needs; those after the first are indented alike.
pub(super) fn wrapped(start: &str, words: &[String], gap: &str, width: Option<usize>) -> Vec<String> {
    let indent = start.chars().count();
    let width = width.unwrap_or(usize::MAX);
    let mut lines = vec![start.to_owned()];
    let mut used = indent;
    for word in words {
        let length = word.chars().count();
        let is_first = used == indent;
        if !is_first && used + gap.len() + length > width {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        let gap = if used == indent { "" } else { gap };
        if let Some(line) = lines.last_mut() {
            line.push_str(gap);
            line.push_str(word);
        }
        used += gap.len() + length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_ends_in_a_sign() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn words_go_on_in_the_same_column() {
        let words = ["s1 1", "s2 2", "s3 3"].map(str::to_owned);
        assert_eq!(wrapped("ab ", &words, "  ", Some(14)), ["ab s1 1  s2 2", "   s3 3"]);
        assert_eq!(wrapped("ab ", &words, "  ", None), ["ab s1 1  s2 2  s3 3"]);
    }
}
