//! Answers of one line, to a command (chmpx 1.0.113, lib/chmeventsock.cc:91-129).

/// True if chmpx accepted a command. The change itself comes later, and only a status shows it. A note behind the word says
/// that there was nothing to change, or no server to change it; a slave answers MERGE so.
pub fn is_accepted(text: &str) -> bool {
    text == "SUCCEED\n" || (text.starts_with("SUCCEED: ") && text.ends_with('\n'))
}

/// True if chmpx refused a command, or does not know it.
pub(super) fn is_refusal(text: &str) -> bool {
    ["ERROR: ", "INTERNAL ERROR: ", "Unknown command("].iter().any(|head| text.starts_with(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx_state::recorded::ONE_LINE_ANSWERS;

    #[test]
    fn every_recorded_answer_of_one_line_is_an_acceptance_a_refusal_or_a_version() {
        let mut kinds = [0; 3];
        for line in ONE_LINE_ANSWERS.lines() {
            let said = line.rsplit('\t').next().unwrap();
            let text = format!("{said}\n");
            let kind = [is_accepted(&text), is_refusal(&text), said.starts_with("Version ")];
            assert_eq!(kind.iter().filter(|is| **is).count(), 1, "{line}");
            kinds.iter_mut().zip(kind).for_each(|(count, is)| *count += usize::from(is));
        }
        assert_eq!(kinds, [16, 21, 11]);
    }

    #[test]
    fn a_cut_off_answer_or_another_text_is_no_acceptance() {
        for text in ["", "\n", "SUCCEED", "SUCC", "SUCCEED: There no", "SUCCEED \n", "SUCCEEDED\n"] {
            assert!(!is_accepted(text), "{text}");
        }
    }
}
