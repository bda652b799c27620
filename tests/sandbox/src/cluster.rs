//! K2HR3, its roles and the nodes: what can be done to them. It waits for nothing and judges nothing.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k2hdkc_agent::ring::Mode;

use super::census::Census;
use super::ground::{GROUP, Ground};
use super::member::Member;
use super::news::{News, Teller};
use super::settings::Pace;
use super::sightings::{Content, OPERATORS_KEY};
use super::traffic::Traffic;
use k2hdkc_simulators::k2hr3::{self, HostRecord, Lab, Server};
use k2hdkc_simulators::node::{Node, Plan};
use k2hdkc_simulators::raw_http;

const TENANT: &str = "tenant0";
const CLUSTER: &str = GROUP;
/// The simulator's template of the `DBaaS` tools, in which the operator's key comes from a key of the resource.
const TEMPLATE: &str = k2hdkc_simulators::k2hr3::STOCK_TEMPLATE;
/// The key itself.
const RESOURCE_KEY: &str = "chmpx-rwtimeout";
/// chmpx's default for it, in microseconds.
const FIRST_VALUE: u32 = 10_000;

/// The whole of it. Dropped, every process is killed and K2HR3 ends; the directories stay.
#[derive(Debug)]
pub(super) struct Cluster {
    /// The programs that read and write all the time.
    pub traffic: Traffic,
    /// Every node that is in a role, in the order in which they came.
    pub members: Vec<Member>,
    /// The processes of all nodes.
    pub census: Census,
    /// The place where the nodes live.
    pub ground: Ground,
    /// The control of the simulator.
    pub lab: Lab,
    /// The roles and tokens.
    pub roles: k2hr3::Cluster,
    /// The address of K2HR3.
    pub address: SocketAddr,
    /// Times of the nodes.
    pub pace: Pace,
    home: PathBuf,
    server: Option<Server>,
    /// The number of servers and slaves that there ever were: a new VM has a new address and CUK.
    ever: (u8, u8),
    operators_value: u32,
    news: Teller,
}

impl Cluster {
    /// Starts K2HR3 with empty roles, and with that REPLICA in the resource. Nodes will live below `home`, on that ground.
    pub(super) async fn open(
        home: &Path,
        ground: Ground,
        pace: Pace,
        copies: u8,
        news: Teller,
    ) -> io::Result<Self> {
        let lab = Lab::new();
        let roles = lab.create_cluster_with_template(TENANT, CLUSTER, &template(copies)?);
        let server = start(&lab, ground.k2hr3()).await?;
        let cluster = Self {
            traffic: Traffic::new(pace.read_within),
            members: Vec::new(),
            census: Census::start(home.to_owned()),
            ground,
            lab,
            roles,
            address: server.address(),
            pace,
            home: home.to_owned(),
            server: Some(server),
            ever: (0, 0),
            operators_value: FIRST_VALUE,
            news,
        };
        let (lives, meter) = (cluster.census.subscribe(), cluster.traffic.meter());
        cluster.news.tell(News::Counts { lives, meter });
        cluster.set_operators_key();
        Ok(cluster)
    }

    /// Registers new nodes and then starts their agents, as new VMs do.
    pub(super) fn join(&mut self, modes: &[Mode]) -> io::Result<()> {
        let first = self.members.len();
        for mode in modes {
            let member = self.lay_out(*mode)?;
            self.register(&member);
            self.members.push(member);
        }
        self.members[first..].iter_mut().try_for_each(|member| member.node.start())
    }

    fn lay_out(&mut self, mode: Mode) -> io::Result<Member> {
        let (kind, number) = self.next_place(mode);
        let name = format!("{kind}-{number}");
        let (root, address) = (self.home.join(&name), self.ground.address(mode, number));
        let (role, token) = self.role(mode);
        let (role, token) = (role.to_owned(), Some(token.to_owned()));
        std::fs::create_dir_all(root.join("etc/k2hdkc-agent/conf.d"))?;
        let seat = self.ground.seat(&root, mode, address)?;
        let config = self.pace.file(&address.to_string(), &self.ground.supervisor(&root));
        let (api_uri, cuk) = (self.uri(), name.clone());
        let plan = Plan { api_uri, role, token, address: address.to_string(), cuk, config };
        let mut node = Node::new(&root, plan)?;
        node.enter_by(seat.entry.clone());
        Member::new(name, mode, address, node, seat, self.news.clone())
    }

    fn register(&self, member: &Member) {
        let (role, _) = self.role(member.mode);
        let host = HostRecord::openstack(member.address.to_string(), &member.name, member.seed());
        self.lab.register(role, host);
    }

    fn next_place(&mut self, mode: Mode) -> (&'static str, u8) {
        let (kind, count) = match mode {
            Mode::Server => ("server", &mut self.ever.0),
            Mode::Slave => ("slave", &mut self.ever.1),
        };
        *count += 1;
        (kind, *count)
    }

    /// The newest node of this kind.
    pub(super) fn newest(&self, mode: Mode) -> io::Result<usize> {
        let place = self.members.iter().rposition(|member| member.mode == mode);
        place.ok_or_else(|| io::Error::other("no such node is left"))
    }

    /// Takes a node out of its role; its processes run on.
    pub(super) fn deregister(&mut self, place: usize) -> Member {
        let member = self.members.remove(place);
        self.lab.deregister(self.role(member.mode).0, &member.name);
        member
    }

    /// The first node of this kind.
    pub(super) fn first(&self, mode: Mode) -> io::Result<usize> {
        let place = self.members.iter().position(|member| member.mode == mode);
        place.ok_or_else(|| io::Error::other("no such node is left"))
    }

    /// All slaves.
    pub(super) fn slaves(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.mode == Mode::Slave)
    }

    /// The name of the newest slave.
    pub(super) fn newest_slave(&self) -> io::Result<String> {
        Ok(self.members[self.newest(Mode::Slave)?].name.clone())
    }

    /// The operator writes a new value into the resource.
    pub(super) fn change_operators_key(&mut self) {
        self.operators_value += 1;
        self.set_operators_key();
    }

    fn set_operators_key(&self) {
        let value = self.operators_value.to_string();
        self.lab.set_key(&format!("yrn:yahoo:::{TENANT}:resource:{CLUSTER}"), RESOURCE_KEY, value);
    }

    /// Computes what every file must say now.
    pub(super) fn wanted(&self) -> Content {
        let cuks = |role: &str| {
            let mut cuks: Vec<_> = self.lab.members(role).into_iter().filter_map(|host| host.cuk).collect();
            cuks.sort();
            cuks
        };
        let (servers, slaves) = (cuks(&self.roles.server_role), cuks(&self.roles.slave_role));
        Content { servers, slaves, operators_value: self.operators_value.to_string() }
    }

    /// `http://address:port` of K2HR3.
    pub(super) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The API's process goes away: connections are refused, the data stays.
    pub(super) async fn stop_k2hr3(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Starts the API again at the same address, if it was gone.
    pub(super) async fn resume_k2hr3(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            self.server = Some(start(&self.lab, self.address).await?);
        }
        Ok(())
    }

    /// The first server registers itself again and again, until this is dropped.
    pub(super) async fn keep_registering_first(&self) -> io::Result<std::convert::Infallible> {
        let plan = self.members[self.first(Mode::Server)?].node.plan().clone();
        let source = plan.address.parse().map_err(io::Error::other)?;
        let (role, cuk, token) = (&plan.role, &plan.cuk, plan.token.unwrap_or_default());
        let request = format!(
            "PUT /v1/role/{role}?cuk={cuk}&tag={cuk}.sandbox&extra=openstack-auto-v1 HTTP/1.1\r\n\
             Host: k2hr3\r\nx-auth-token: R={token}\r\n\r\n"
        );
        loop {
            raw_http::exchange(self.address, source, request.as_bytes()).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn role(&self, mode: Mode) -> (&str, &str) {
        let roles = &self.roles;
        match mode {
            Mode::Server => (&roles.server_role, &roles.server_token),
            Mode::Slave => (&roles.slave_role, &roles.slave_token),
        }
    }
}

async fn start(lab: &Lab, address: SocketAddr) -> io::Result<Server> {
    Server::start(address, k2hr3::Options { lab: lab.clone() }).await
}

/// The template asks for that many copies of each key besides the first.
fn template(copies: u8) -> io::Result<String> {
    let role = format!("yrn:yahoo:::{TENANT}:role:{CLUSTER}");
    let text = TEMPLATE.replace("@ROLE@", &role);
    let text = with_line(&text, OPERATORS_KEY, &format!("{{{{= %{RESOURCE_KEY}% }}}}"))?;
    with_line(&text, "REPLICA", &copies.to_string())
}

/// The template with another value of a key.
fn with_line(text: &str, key: &str, value: &str) -> io::Result<String> {
    let line = text.lines().find(|line| line.starts_with(key));
    let line = line.ok_or_else(|| io::Error::other(format!("the template has no {key}")))?;
    Ok(text.replace(line, &format!("{key} = {value}")))
}
