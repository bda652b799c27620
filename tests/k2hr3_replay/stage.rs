//! Plays scenes of the table against a simulator.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use k2hdkc_simulators::k2hr3::{HostRecord, Lab, Options, Server};
use k2hdkc_simulators::raw_http::{self, Response};
use serde::Deserialize;
use serde_json::Value;

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const SERVER_ROLE: &str = "yrn:yahoo:::tenant0:role:mycluster/server";

/// A line of the table.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Exchange(Exchange),
    AdvanceClock { advance_clock: u64 },
    Register { register: [String; 4] },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    name: String,
    from: IpAddr,
    request: String,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    status: u16,
    /// Header lines, without those that every answer has.
    head: Option<Vec<String>>,
    /// Text, or JSON whose `resource` is a list of lines.
    answer: Option<Value>,
}

/// A simulator with what the recorded one held, and the names bound so far.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) lab: Lab,
    pub(crate) names: BTreeMap<String, String>,
}

impl Stage {
    pub(crate) async fn empty() -> Self {
        let server = Server::start((LOCALHOST, 0).into(), Options::default()).await.unwrap();
        let lab = server.lab();
        Self { server, lab, names: BTreeMap::new() }
    }

    pub(crate) async fn with_cluster(hosts: &[u8], slaves: &[u8]) -> Self {
        let mut stage = Self::empty().await;
        let cluster = stage.lab.create_cluster("tenant0", "mycluster");
        for (role, numbers) in [(&cluster.server_role, hosts), (&cluster.slave_role, slaves)] {
            for number in numbers {
                stage.lab.register(role, host(*number));
            }
        }
        let user = stage.lab.make_user_token("tenant0");
        for (name, token) in
            [("server", cluster.server_token), ("slave", cluster.slave_token), ("user", user)]
        {
            stage.names.insert(name.to_owned(), token);
        }
        stage
    }

    pub(crate) async fn send(&self, from: IpAddr, request: &str) -> Response {
        raw_http::exchange(self.server.address(), from, request.as_bytes()).await.unwrap()
    }

    pub(crate) async fn play(&mut self, scene: &str) {
        let table = include_str!("exchanges.json");
        let mut scenes: BTreeMap<String, Vec<Step>> = serde_json::from_str(table).unwrap();
        for step in scenes.remove(scene).unwrap() {
            match step {
                Step::Exchange(exchange) => self.replay(&exchange).await,
                Step::AdvanceClock { advance_clock } => {
                    self.lab.advance_clock(Duration::from_secs(advance_clock));
                }
                Step::Register { register: [role, ip, cuk, tag] } => {
                    let role = format!("yrn:yahoo:::tenant0:role:{role}");
                    self.lab.register(&role, HostRecord::openstack(ip, cuk, tag));
                }
            }
        }
    }

    async fn replay(&mut self, exchange: &Exchange) {
        let name = &exchange.name;
        let mut lines = vec![self.filled(&exchange.request), "Host: 127.0.0.1:28080".to_owned()];
        lines.extend(exchange.headers.iter().map(|line| self.filled(line)));
        let body = exchange.body.as_deref().map(|body| self.filled(body)).unwrap_or_default();
        if !body.is_empty() {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        let response = self.send(exchange.from, &(lines.join("\r\n") + "\r\n\r\n" + &body)).await;
        assert_eq!(response.status, exchange.status, "{name}: {}", response.text());
        if let Some(head) = &exchange.head {
            let special = special_lines(&response, exchange);
            self.expect(&head.join("\n"), &special.join("\n"), name);
        }
        match &exchange.answer {
            None => {}
            Some(Value::String(text)) => self.expect(text, &response.text(), name),
            Some(value) => assert_eq!(&in_lines(&response), value, "{name}"),
        }
    }

    pub(crate) async fn bind_unscoped(&mut self) {
        let body = r#"{"auth":{"passwordCredentials":{"username":"dummyuser","password":"pw"}}}"#;
        let length = body.len();
        let request = format!(
            "POST /v1/user/tokens HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = self.send(LOCALHOST, &request).await.text();
        self.expect(
            "{\"result\":true,\"message\":\"succeed\",\"scoped\":false,\"token\":\"«unscoped»\"}",
            &answer,
            "",
        );
    }

    pub(crate) async fn bind_register_path(&mut self) {
        let request =
            format!("GET /v1/role/token/{SERVER_ROLE} HTTP/1.1\r\nHost: x\r\nx-auth-token: U=«user»\r\n\r\n");
        let answer = self.send(LOCALHOST, &self.filled(&request)).await.text();
        self.expect(
            "{\"result\":true,\"message\":null,\"token\":\"«in script»\",\"registerpath\":\"«path»\"}",
            &answer,
            "",
        );
    }

    pub(crate) fn filled(&self, text: &str) -> String {
        let mut parts = text.split(['«', '»']);
        let mut filled = parts.next().unwrap().to_owned();
        while let (Some(name), Some(literal)) = (parts.next(), parts.next()) {
            filled += self.names.get(name).unwrap_or_else(|| panic!("nothing is called {name}"));
            filled += literal;
        }
        filled
    }

    /// Compares, binding names that are free.
    pub(crate) fn expect(&mut self, expected: &str, actual: &str, context: &str) {
        let mut parts = expected.split(['«', '»']);
        let mut rest = actual.strip_prefix(parts.next().unwrap());
        while let (Some(name), Some(literal)) = (parts.next(), parts.next()) {
            rest = rest.and_then(|rest| {
                let value = match self.names.get(name) {
                    Some(known) => rest.strip_prefix(known.as_str()).map(|_| known.clone())?,
                    None if literal.is_empty() => rest.to_owned(),
                    None => rest.split_once(literal)?.0.to_owned(),
                };
                let behind = rest[value.len()..].strip_prefix(literal);
                if name != "_" {
                    self.names.insert(name.to_owned(), value);
                }
                behind
            });
        }
        assert_eq!(rest, Some(""), "{context}\nexpected: {expected}\n  actual: {actual}");
    }
}

pub(crate) fn host(number: u8) -> HostRecord {
    let tag = format!("vm{number}.example.com");
    HostRecord::openstack(format!("127.0.0.{number}"), format!("11111111-aaaa-4bbb-8ccc-{number:012}"), tag)
}

/// The header lines but for those of every answer, whose presence is checked.
fn special_lines(response: &Response, exchange: &Exchange) -> Vec<String> {
    let is_common = |line: &str| {
        line.starts_with("Date: ")
            || ["X-Powered-By: Express", "Connection: keep-alive", "Keep-Alive: timeout=5"].contains(&line)
    };
    let common = response.lines.iter().filter(|line| is_common(line)).count();
    assert_eq!(common, if exchange.request.ends_with("HTTP/1.0") { 2 } else { 4 }, "{}", exchange.name);
    response.lines.iter().filter(|line| !is_common(line)).cloned().collect()
}

/// The body, with the text of the resource as a list of the lines that count.
fn in_lines(response: &Response) -> Value {
    let mut body: Value = serde_json::from_slice(&response.body).unwrap();
    let resource = &mut body["resource"];
    let text = if resource.is_object() { &mut resource["string"] } else { resource };
    let lines =
        text.as_str().unwrap().lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    *text = lines.collect();
    body
}
