//! Placeholders of templates: the reader's CUK, and what a tool replaces before it gives the
//! template to K2HR3. A value that still is one was filled in by nobody.

use super::tls::Values;
use super::words::Wrong;
use crate::ini::{Document, Kind};
use crate::problem::{Fault as _, Problem};

/// Placeholders for the reader's own CUK: in the DBaaS and Trove templates, and in those of the k8s tools.
pub const OF_CUK: [&str; 2] = ["__SELF_INSTANCE_ID__", "%%SELF_CONTAINER_CUK%%"];

/// The line that `k2hdkc_helm_chart` and `k2hdkc_dbaas_k8s_cli` replace by their TLS settings, behind the `SSL = no` of
/// their template.
pub const OF_TLS: &str = "%%CHMPX_SSL_SETTING%%";

/// The first placeholder in a text: one of [`OF_CUK`], or a word in capitals between two `%%`.
pub(super) fn within(text: &str) -> Option<&str> {
    let cuk = OF_CUK.into_iter().find_map(|hole| {
        let at = text.find(hole)?;
        text.get(at..at + hole.len())
    });
    cuk.or_else(|| in_percents(text))
}

fn in_percents(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find("%%") {
        let inner = &rest[at + 2..];
        let word = inner.split("%%").next().unwrap_or_default();
        let is_word = word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if is_word && inner.len() > word.len() {
            return rest.get(at..at + 4 + word.len());
        }
        rest = inner;
    }
    None
}

/// Every value of `[GLOBAL]` that is still a placeholder. DATE is for people, and may be.
pub(super) fn in_global(global: &Values<'_>) -> Vec<Problem> {
    let values = global.iter().filter(|(key, _)| **key != "DATE");
    let left = values.filter_map(|(key, (value, line))| Some((key, within(value)?, *line)));
    left.map(|(key, hole, line)| Wrong::PlaceholderValue { key, hole, forbids: true }.at(line)).collect()
}

/// The same of the other sections that chmpx and k2hdkc read. What a node's section says is what one member chose, and
/// stops nobody else: that is a note.
pub(super) fn elsewhere(document: &Document<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for section in &document.sections {
        let forbids = match section.kind {
            Kind::K2hdkc => true,
            Kind::Server | Kind::Slave => false,
            Kind::Global | Kind::Other => continue,
        };
        for entry in &section.entries {
            let wrong =
                within(&entry.value).map(|hole| Wrong::PlaceholderValue { key: &entry.key, hole, forbids });
            problems.extend(wrong.map(|wrong| wrong.at(entry.line)));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_a_word_in_capitals_between_percents() {
        for (text, hole) in [
            ("%%K2HDKC_DBAAS_CLUSTER_NAME%%", Some("%%K2HDKC_DBAAS_CLUSTER_NAME%%")),
            ("a%%B2%%c", Some("%%B2%%")),
            ("100%%x%%CHMPX_MODE%%", Some("%%CHMPX_MODE%%")),
            ("cuk-__SELF_INSTANCE_ID__", Some("__SELF_INSTANCE_ID__")),
            ("%%", None),
            ("%%%%", None),
            ("%%ABC", None),
            ("%%a%%", None),
            ("50%% A %%", None),
            ("__FILE__", None),
        ] {
            assert_eq!(within(text), hole, "{text}");
        }
    }
}
