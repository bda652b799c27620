//! The `agent.toml` of the sandbox's nodes: the real rules with shorter times, each beside its default.

use std::time::Duration;

use super::options::MergesBy;

/// The times and numbers that nodes of the sandbox are given.
///
/// Polls are fifty times faster than by default, the guard's times ten and sixty times shorter, so that a run shows in
/// seconds what a cluster does in minutes. What counts in polls counts more of them than by default. The times of
/// chmpx and k2hdkc are the default ones: they were measured, and shorter ones lose reloads, merges or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// `poll.interval`
    pub interval: Duration,
    /// `guard.removal-for`
    pub removal_for: Duration,
    /// `guard.confirm-for`
    pub confirm_for: Duration,
    /// Longest time for anything that a node must do.
    pub patience: Duration,
    /// Longest time for a read or a write: the real ones may fail twice, after some nine seconds each.
    pub read_within: Duration,
    /// `merge.by`
    pub merges_by: MergesBy,
}

/// Time that the simulator and the nodes need on two cores for one poll, with room to spare.
const SHARE_OF_A_NODE: Duration = Duration::from_millis(10);

impl Pace {
    /// For that many nodes: the usual times up to 10, longer ones for more, since they share this machine. The real
    /// programs have three times as much: they take more of it, and a merge of theirs that sticks is only known by its
    /// doing nothing for 100 s.
    pub(super) fn of(nodes: usize, is_real: bool, merges_by: MergesBy) -> Self {
        let needed = SHARE_OF_A_NODE * u32::try_from(nodes).unwrap_or(u32::MAX);
        let (slow, patience, read) = if is_real { (3, 270, 60) } else { (1, 30, 30) };
        let interval = needed.max(Duration::from_millis(100)) * slow;
        let patience = Duration::from_secs(patience) + interval * 100;
        Self {
            interval,
            removal_for: interval * 15,
            confirm_for: interval * 40,
            patience,
            read_within: Duration::from_secs(read),
            merges_by,
        }
    }

    /// The whole file of the node at `address`, with what its `[supervisor]` begins with.
    pub(super) fn file(&self, address: &str, supervisor: &str) -> String {
        format!(
            r#"[k2hr3]
source-address  = "{address}" # K2HR3 knows a node by it
connect-timeout = "1s"        # default "3s"
timeout         = "3200ms"    # default "30s"

[poll]
interval        = {interval:<11} # default "5s"
backoff         = {interval:<11} # default "1s"
max-backoff     = {backoff:<11} # default "60s"
load            = 8.0         # default 0.5: one machine plays the whole cluster
# the defaults: settle "250ms", max-settle "800ms"

[guard]
removal-polls   = 12          # default 3
removal-for     = {removal:<11} # default "15s"
confirm-polls   = 30          # default 5
confirm-for     = {confirm:<11} # default "5m"
window          = "100ms"     # default "5m": there is no data here that must be merged first
# the defaults: max-lost-servers 1, max-lost-share 0.4

[merge]
by              = {by:<11} # default "chmpx"

[supervisor]
{supervisor}timing.resync-interval = "2s"     # default "15s"
# the defaults: quiet-after-write "500ms", min-query-interval "1s", start-gap "1s", stop-gap "500ms"
"#,
            by = format!("{:?}", self.merges_by.word()),
            interval = quoted(self.interval),
            backoff = quoted(self.interval * 3 / 2),
            removal = quoted(self.removal_for),
            confirm = quoted(self.confirm_for),
        )
    }
}

fn quoted(time: Duration) -> String {
    format!("\"{}ms\"", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_keep_their_proportions_however_many_nodes_there_are() {
        let [small, large] = [5, 80].map(|nodes| Pace::of(nodes, false, MergesBy::Chmpx));
        assert_eq!(small.interval, Duration::from_millis(100));
        assert_eq!(large.interval, Duration::from_millis(800));
        assert_eq!(large.confirm_for, small.confirm_for * 8);
    }

    #[test]
    fn the_file_is_toml_with_the_address_of_the_node() {
        let file: toml::Table =
            toml::from_str(&Pace::of(5, false, MergesBy::Agents).file("127.0.1.1", "kind = \"process\"\n"))
                .unwrap();
        assert_eq!(file["k2hr3"]["source-address"].as_str(), Some("127.0.1.1"));
        assert_eq!(file["poll"]["interval"].as_str(), Some("100ms"));
        assert_eq!(file["supervisor"]["kind"].as_str(), Some("process"));
        assert_eq!(file["merge"]["by"].as_str(), Some("agents"));
    }
}
