//! Values of the required keys of an answer. Each kind of answer has a table of names, since chmpx spells a key in several
//! ways.

use std::str::FromStr;

use super::{NodeStatus, ViewError};
use crate::names::Port;
use crate::problem::printable;
use crate::ring::Mode;

/// Longest piece of a foreign text in an error.
const SHOWN: usize = 80;

/// Texts by the position of their keys in a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a, const N: usize> {
    answer: &'static str,
    keys: &'static [&'static str; N],
    texts: [Option<&'a str>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Starts without texts. An empty name in the table is a key that this kind of answer lacks.
    pub(super) fn new(answer: &'static str, keys: &'static [&'static str; N]) -> Self {
        Self { answer, keys, texts: [None; N] }
    }

    /// Keeps the text of a key in the table.
    pub(super) fn put(&mut self, key: &str, text: &'a str) {
        let found = self.keys.iter().position(|known| *known == key && !key.is_empty());
        if let Some(at) = found {
            self.texts[at] = Some(text);
        }
    }

    /// Forgets the texts.
    pub(super) fn clear(&mut self) {
        self.texts = [None; N];
    }

    /// Command of the answer.
    pub(super) fn answer(&self) -> &'static str {
        self.answer
    }

    /// Name of a key.
    pub(super) fn key(&self, at: usize) -> &'static str {
        self.keys[at]
    }

    /// Text of a required key.
    ///
    /// # Errors
    ///
    /// The key is missing; so for every method below, and if its text has another form.
    pub(super) fn text(&self, at: usize) -> Result<&'a str, ViewError> {
        self.texts[at].ok_or(ViewError::Missing { answer: self.answer, key: self.keys[at] })
    }

    /// Decimal number; a unit behind it (`0 (us)`) is ignored.
    pub(super) fn number<T: FromStr>(&self, at: usize) -> Result<T, ViewError> {
        let text = self.text(at)?;
        let number = text.split(' ').next().and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| self.unreadable(at, text))
    }

    /// `yes` or `no`.
    pub(super) fn truth(&self, at: usize) -> Result<bool, ViewError> {
        match self.text(at)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(self.unreadable(at, other)),
        }
    }

    /// Port, with the number of its socket or without (`30020(11)`). `None` for -1, the one of slaves, and for every other
    /// number that chmpx cannot listen on.
    pub(super) fn port(&self, at: usize) -> Result<Option<Port>, ViewError> {
        let text = self.text(at)?;
        let digits = text.split('(').next().unwrap_or_default();
        let number: i32 = digits.parse().map_err(|_| self.unreadable(at, text))?;
        Ok(u16::try_from(number).ok().and_then(|number| Port::try_from(number).ok()))
    }

    /// Hexadecimal number; chmpx prints a null pointer as `0`.
    pub(super) fn hex(&self, at: usize) -> Result<u64, ViewError> {
        let text = self.text(at)?;
        let digits = text.strip_prefix("0x").unwrap_or(text);
        u64::from_str_radix(digits, 16).map_err(|_| self.unreadable(at, text))
    }

    /// Slot of a server in the ring; `None` for the number that means outside.
    pub(super) fn hash(&self, at: usize) -> Result<Option<u64>, ViewError> {
        let hash = self.hex(at)?;
        Ok((hash != u64::MAX).then_some(hash))
    }

    /// Status in any of its forms.
    pub(super) fn status(&self, at: usize) -> Result<NodeStatus, ViewError> {
        let text = self.text(at)?;
        NodeStatus::read(text).ok_or_else(|| self.unreadable(at, text))
    }

    /// `server` or `slave`.
    pub(super) fn mode(&self, at: usize) -> Result<Mode, ViewError> {
        let text = self.text(at)?;
        Mode::read(text).ok_or_else(|| self.unreadable(at, text))
    }

    fn unreadable(&self, at: usize, value: &str) -> ViewError {
        ViewError::Unreadable { answer: self.answer, key: self.keys[at], value: shown(value) }
    }
}

/// Cuts a foreign text for an error, and makes it printable.
pub(super) fn shown(text: &str) -> String {
    printable(text, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields<'_, 2> {
        let mut fields = Fields::new("DUMP", &["key", ""]);
        fields.put("key", text);
        fields
    }

    #[test]
    fn a_key_that_is_missing_is_named() {
        let error = Fields::new("DUMP", &["pid"]).text(0).unwrap_err();
        assert_eq!(error.to_string(), "the answer to DUMP has no \"pid\"");
    }

    #[test]
    fn a_line_without_a_key_is_no_key() {
        let mut fields = fields("1");
        fields.put("", "====");
        assert!(fields.text(1).is_err());
    }

    #[test]
    fn units_and_sockets_behind_a_number_are_passed_over() {
        assert_eq!(fields("1795302000 (unix time)").number::<u64>(0), Ok(1_795_302_000));
        assert_eq!(fields("30020(11)").port(0).unwrap().map(Port::get), Some(30020));
        assert_eq!(fields("-1(n/a)").port(0), Ok(None));
        assert_eq!(fields("-25536").port(0), Ok(None));
        assert_eq!(fields("0").port(0), Ok(None));
    }

    #[test]
    fn all_ones_are_outside_the_ring_and_a_null_is_the_first_place() {
        assert_eq!(fields("0xffffffffffffffff").hash(0), Ok(None));
        assert_eq!(fields("0").hash(0), Ok(Some(0)));
        assert_eq!(fields("0x0000000000000001").hash(0), Ok(Some(1)));
    }

    #[test]
    fn a_value_of_another_kind_is_shown_printable() {
        let error = fields("maybe\u{1b}").truth(0).unwrap_err();
        assert_eq!(error.to_string(), "the answer to DUMP has an unreadable \"key\": \"maybe\\u{1b}\"");
        assert!(fields("x").number::<u32>(0).is_err());
        assert!(fields("").hex(0).is_err());
        assert!(fields("").port(0).is_err());
        assert!(fields("master").mode(0).is_err());
        assert!(fields("SAFE").status(0).is_err());
    }
}
