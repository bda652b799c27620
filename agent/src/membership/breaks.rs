//! Sections that stand where no template puts them: a line break in a member's tag made them (K10), and the text behind
//! them cannot be trusted. Templates differ in the order of servers, slaves and `[K2HDKC]`, and each of them writes the
//! servers in one run and the slaves in one run.

use super::member::{Member, Reader};
use super::sections::{member, mode};
use super::words::Unusable;
use crate::ini::{Document, Kind, Section};
use crate::problem::Problem;
use crate::ring::Mode;

/// Finds sections in an order that no template has, for which the whole answer is refused.
pub(super) fn broken_out(document: &Document<'_>, reader: &Reader<'_>) -> Option<Problem> {
    let sections = &document.sections;
    second_of_its_kind(sections, reader).or_else(|| second_run(sections, reader))
}

/// A `[GLOBAL]` or `[K2HDKC]` behind a member where there is another one.
fn second_of_its_kind(sections: &[Section<'_>], reader: &Reader<'_>) -> Option<Problem> {
    let first_node = sections.iter().position(Section::is_node)?;
    let again = |kind: Kind| {
        let mut all = sections.iter().enumerate().filter(move |(_, section)| section.kind == kind);
        let first = all.next()?.0;
        let second = all.next()?.0;
        // The one before the nodes is the template's own.
        [first, second].into_iter().find(|at| *at > first_node)
    };
    let at = [Kind::Global, Kind::K2hdkc].into_iter().find_map(again)?;
    let why = Unusable::SecondSection(sections[at].name).into();
    Some(reader.standstill(before(sections, at)?, &why))
}

/// A member that comes again after a section of another kind came behind its like. Either the record before that other
/// section or the one before the member itself has written too much; a slave is named first, for its record is what an
/// application's VM chose.
fn second_run(sections: &[Section<'_>], reader: &Reader<'_>) -> Option<Problem> {
    let ended = |at: usize| {
        let kind = sections[at].kind;
        let last = sections[..at].iter().rposition(|section| section.kind == kind)?;
        (sections[at].is_node() && last + 1 < at).then_some(last)
    };
    let (last, at) = (0..sections.len()).find_map(|at| Some((ended(at)?, at)))?;
    let (old, new) = (member(&sections[last])?, before(sections, at)?);
    let (first, other) = if new.mode == Mode::Slave { (new, old) } else { (old, new) };
    let why = Unusable::TwoRuns {
        section: sections[at].name,
        between: sections[last + 1].name,
        other: (first != other).then(|| reader.describe(other)),
    };
    Some(reader.standstill(first, &why.into()))
}

/// The member whose section is the last before that place.
fn before<'a>(sections: &'a [Section<'_>], at: usize) -> Option<Member<'a>> {
    sections[..at].iter().rev().find(|section| mode(section).is_some()).and_then(member)
}
