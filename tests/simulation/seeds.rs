//! Seeds that once failed, with the reason. They are run each time. A seed is worth as much as the plan that is made of it: where
//! [`crate::plan::Plan::of`] changes, the ones here show something else, and go.

/// A seed, and what it had shown.
pub(crate) const OLD: &[(u64, &str)] = &[
    (36, "servers that merge did not mind that others listed them as down"),
    (61, "a host that was cut after 3.4 s lived on, and served old values when it was back"),
    (67, "a newcomer that not all listed let every status end at it"),
    (84, "a slave that had just gone on did not stop for the next change"),
    (101, "a copy stuck behind data for a host that was gone"),
    (187, "a slave stopped late, since control ports were silent"),
    (257, "one side of a connection was closed, and the other sent on"),
];
