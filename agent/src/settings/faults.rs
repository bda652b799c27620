//! All faults of the configuration at once, each with its file and line.
//!
//! serde ends at the first fault. So the faulty key is taken out of the merged table, and the rest is read again.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::layers::Layers;
use super::{Settings, check, renamed};

/// A fault, with its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Place of the fault; `None` where no file has the key.
    pub place: Option<Place>,
    /// The key, the fault and the remedy in one line.
    pub text: String,
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; `None` where it is the whole file.
    pub line: Option<usize>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { file, line }) = &self.place {
            write!(f, "{}:", file.display())?;
            line.map_or(Ok(()), |line| write!(f, "{line}:"))?;
            f.write_str(" ")?;
        }
        f.write_str(&self.text)
    }
}

/// All faults of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// In the order of the files and lines.
    pub list: Vec<Fault>,
    /// True where one of them may pass without another configuration: a file cannot be read now.
    pub may_pass: bool,
}

/// Merges the layers, and makes settings of the good keys.
pub(super) fn examine(layers: &Layers) -> (Settings, Faults) {
    let mut found = Found::default();
    let mut table = DeTable::new();
    for layer in &layers.files {
        match layer.parse() {
            Ok(more) => merge(&mut table, more),
            Err(error) => found.add(error.span(), error.message().replace('\n', " ")),
        }
    }
    renamed::take(&mut table, |span, text| found.add(Some(span), text));
    let settings = good(&mut table, &mut found);
    for (key, text) in check::check(&settings, |key| span_of(&table, key).is_some()) {
        found.add(span_of(&table, key), format!("{key}: {text}"));
    }
    let list = layers.unread.iter().cloned().chain(found.in_order(layers)).collect();
    (settings, Faults { list, may_pass: layers.may_pass })
}

/// Faults with their spans.
#[derive(Default)]
struct Found(Vec<(Option<Range<usize>>, String)>);

impl Found {
    fn add(&mut self, span: Option<Range<usize>>, text: String) {
        self.0.push((span, text));
    }

    fn in_order(mut self, layers: &Layers) -> impl Iterator<Item = Fault> {
        self.0.sort_by_key(|(span, _)| span.as_ref().map(|span| span.start));
        self.0
            .into_iter()
            .map(|(span, text)| Fault { place: span.and_then(|span| layers.place(&span)), text })
    }
}

/// Lays one table over another, key by key.
fn merge<'a>(into: &mut DeTable<'a>, layer: DeTable<'a>) {
    for (key, mut value) in layer {
        if let (Some(old), DeValue::Table(new)) = (into.get_mut(&key), value.get_mut())
            && let DeValue::Table(old) = old.get_mut()
        {
            merge(old, std::mem::take(new));
            continue;
        }
        // A map keeps its old key, and that has the old place.
        into.remove(&key);
        into.insert(key, value);
    }
}

/// Deserialises the table, and takes each faulty key out of it.
fn good(table: &mut DeTable<'_>, found: &mut Found) -> Settings {
    loop {
        let whole = Spanned::new(0..0, table.clone());
        let error = match Settings::deserialize(Deserializer::from(whole)) {
            Ok(settings) => return settings,
            Err(error) => error,
        };
        let text = error.message().replace('\n', " ");
        let span = error.span().unwrap_or_default();
        let Some(key) = take_out(table, &span) else {
            found.add(None, text);
            return Settings::default();
        };
        found.add(Some(span), format!("{key}: {text}"));
    }
}

/// Takes the entry with that span out of the table, and returns its dotted key.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let is_it = |key: &Spanned<_>, value: &Spanned<DeValue<'_>>| match value.get_ref() {
        _ if key.span() == *span || value.span() == *span => true,
        DeValue::Table(_) => false,
        _ => value.span().start <= span.start && span.end <= value.span().end,
    };
    let hit = table.iter().find(|(key, value)| is_it(key, value)).map(|(key, _)| key.clone());
    if let Some(key) = hit {
        table.remove(&key);
        return Some(key.into_inner().into_owned());
    }
    table.iter_mut().find_map(|(key, value)| match value.get_mut() {
        DeValue::Table(inner) => take_out(inner, span).map(|rest| format!("{}.{rest}", key.get_ref())),
        _ => None,
    })
}

/// Returns the span of a dotted key.
fn span_of(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match (rest, value.get_ref()) {
        (None, _) => Some(key.span()),
        (Some(rest), DeValue::Table(inner)) => span_of(inner, rest),
        (Some(_), _) => None,
    }
}
