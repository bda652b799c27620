//! The text of `--keep`: how to play with what runs.

use std::path::Path;

use k2hdkc_agent::ring::Mode;

use super::cluster::Cluster;
use super::news::{News, Teller};

/// Tells them, line by line.
pub(super) fn instructions(cluster: &Cluster, agent: &Path, home: &Path, news: &Teller) {
    text(cluster, agent, home).lines().for_each(|line| news.tell(News::Whole(line.to_owned())));
    news.tell(News::Playing);
}

/// Commands that can be copied as they are once the variables are set.
fn text(cluster: &Cluster, agent: &Path, home: &Path) -> String {
    let roles = &cluster.roles;
    let nodes: Vec<_> = cluster.members.iter().map(|member| member.name.as_str()).collect();
    let first = cluster.members.first().map(|member| member.node.plan().address.clone()).unwrap_or_default();
    format!(
        r#"
Everything runs on until Ctrl-C. To play, set these in another terminal:

  K2HR3={uri}
  AGENT={agent}
  NODES={home}
  ROLE={role}

The nodes: {nodes}.
Each has in $NODES a directory with agent.log, etc/antpickax/k2hdkc.ini,
etc/antpickax/k2hr3-role-token and etc/k2hdkc-agent/agent.toml. Then:

  how a node is      $AGENT --root $NODES/server-1 status
  what would change  $AGENT --root $NODES/server-1 diff
  release a loss     $AGENT --root $NODES/server-1 confirm
  what K2HR3 says    TOKEN=$(cat $NODES/server-1/etc/antpickax/k2hr3-role-token)
                     curl -s --interface {first} -H "x-auth-token: R=$TOKEN" \
                       $K2HR3/v1/resource/${{ROLE/role/resource}}
  members of a role  curl -s "$K2HR3/_lab/members?role=$ROLE"
  a server joins     curl -X PUT \
                       "$K2HR3/_lab/members?role=$ROLE&host={next}&cuk=n&tag=n"
  it leaves          curl -X DELETE "$K2HR3/_lab/members?role=$ROLE&cuk=n"
  K2HR3 falls ill    curl -X PUT "$K2HR3/_lab/sickness?name=half-of-servers"
  and is well again  curl -X DELETE $K2HR3/_lab/sickness
  other illnesses    cargo run -p k2hdkc-simulators --bin k2hr3-simulator -- --help
{programs}"#,
        uri = cluster.uri(),
        agent = agent.display(),
        home = home.display(),
        role = roles.server_role,
        nodes = nodes.join(", "),
        next = cluster.ground.address(Mode::Server, 99),
        programs = cluster.ground.instructions(),
    )
}
