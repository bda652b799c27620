//! Keys that have another name now.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Old and new names.
const RENAMED: &[(&str, &str)] = &[
    ("supervisor.answer-within", "supervisor.timing.answer-within"),
    ("supervisor.between-questions", "supervisor.timing.min-query-interval"),
    ("supervisor.calm", "supervisor.timing.settle-before-drain"),
    ("supervisor.chmpx", "supervisor.process.chmpx"),
    ("supervisor.chmpx-options", "supervisor.process.chmpx-options"),
    ("supervisor.chmpxstatus", "supervisor.process.chmpxstatus"),
    ("supervisor.deaf-after", "supervisor.timing.unresponsive-after"),
    ("supervisor.drain", "supervisor.timing.drain"),
    ("supervisor.environment", "supervisor.process.environment"),
    ("supervisor.idle-merge", "supervisor.timing.idle-merge"),
    ("supervisor.join-within", "supervisor.timing.join-within"),
    ("supervisor.k2hdkc", "supervisor.process.k2hdkc"),
    ("supervisor.k2hdkc-options", "supervisor.process.k2hdkc-options"),
    ("supervisor.look", "supervisor.timing.resync-interval"),
    ("supervisor.max-restart-backoff", "supervisor.timing.max-restart-backoff"),
    ("supervisor.merge-within", "supervisor.timing.merge-within"),
    ("supervisor.pair", "supervisor.restart-k2hdkc-with-chmpx"),
    ("supervisor.peers-within", "supervisor.timing.peers-within"),
    ("supervisor.quiet", "supervisor.timing.quiet-after-write"),
    ("supervisor.restart-backoff", "supervisor.timing.restart-backoff"),
    ("supervisor.roll-back-within", "supervisor.timing.roll-back-within"),
    ("supervisor.start-gap", "supervisor.timing.start-gap"),
    ("supervisor.stop-gap", "supervisor.timing.stop-gap"),
    ("supervisor.stop-within", "supervisor.timing.stop-within"),
    ("supervisor.turn", "supervisor.timing.restart-stagger"),
    ("supervisor.user", "supervisor.process.user"),
];

/// Old and new names of sections.
const RENAMED_SECTIONS: &[(&str, &str)] = &[("target", "supervisor")];

/// Takes old names out of the table, and reports each with its new one.
pub(super) fn take(table: &mut DeTable<'_>, mut report: impl FnMut(Range<usize>, String)) {
    for (old, new) in RENAMED_SECTIONS {
        let found = table.iter().find(|(name, _)| name.get_ref() == old).map(|(name, _)| name.clone());
        if let Some(name) = found {
            table.remove(&name);
            report(name.span(), format!("[{old}]: is called [{new}] now"));
        }
    }
    for (old, new) in RENAMED {
        let Some((section, key)) = old.split_once('.') else { continue };
        let Some(DeValue::Table(section)) = table.get_mut(section).map(toml::Spanned::get_mut) else {
            continue;
        };
        let found = section.iter().find(|(name, _)| name.get_ref() == key).map(|(name, _)| name.clone());
        if let Some(name) = found {
            section.remove(&name);
            report(name.span(), format!("{old}: is called {new} now"));
        }
    }
}
