//! The comparison of the installed file with the answer of K2HR3, in one line: nodes of one ring may hold and not hold the same removal.

use std::collections::BTreeSet;

use super::words::Differs;
use crate::ring::{Mode, Node, NodeKey, Ring};

/// Names the nodes that only one of the two has; `None` where both say the same.
pub fn differs(file: &Ring, answer: &Ring) -> Option<String> {
    if file == answer {
        return None;
    }
    Some(Differs { has: only_in(file, answer), lacks: only_in(answer, file) }.to_string())
}

/// Nodes that only the first ring has, by name and control port.
fn only_in(ring: &Ring, other: &Ring) -> Vec<String> {
    let nodes = |ring: &Ring| -> BTreeSet<NodeKey> {
        let all = [Mode::Server, Mode::Slave].into_iter().flat_map(|mode| ring.nodes(mode));
        all.filter(|node| !node.is_placeholder()).map(Node::key).collect()
    };
    nodes(ring).difference(&nodes(other)).map(|node| format!("{}:{}", node.name, node.ctlport)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::ring;

    #[test]
    fn what_only_one_of_both_has_is_named() {
        let file = ring(&[1, 2, 3], &[1]);
        assert_eq!(differs(&file, &file), None);
        let told = |answer: &Ring| differs(&file, answer).unwrap();
        let begin = "the file is not what K2HR3 says: it";
        assert_eq!(told(&ring(&[1, 2], &[1])), format!("{begin} has 192.0.2.3:8021"));
        assert_eq!(
            told(&ring(&[1, 2, 4], &[1, 2])),
            format!("{begin} has 192.0.2.3:8021, and lacks 192.0.2.4:8021, 198.51.100.2:8031")
        );
        let many: Vec<usize> = (1..=9).collect();
        assert!(
            told(&ring(&many, &[1])).ends_with("192.0.2.7:8021 and 2 more"),
            "{}",
            told(&ring(&many, &[1]))
        );
        let mut other = file.clone();
        other.profile.global.insert("RWTIMEOUT".into(), "1".into());
        assert_eq!(told(&other), format!("{begin} has other values"));
    }
}
