//! A simulator with one cluster, and the calls of an agent to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use k2hdkc_simulators::k2hr3::{Cluster, HostRecord, Lab, Options, Server};
use k2hdkc_simulators::raw_http::{self, Response};
use serde_json::Value;

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// A cluster of four servers and one slave.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) lab: Lab,
    pub(crate) cluster: Cluster,
}

impl Fixture {
    pub(crate) async fn open() -> Self {
        let server = Server::start((LOCALHOST, 0).into(), Options::default()).await.unwrap();
        let lab = server.lab();
        let cluster = lab.create_cluster("tenant0", "mycluster");
        for number in 1..=4 {
            lab.register(&cluster.server_role, host(number));
        }
        lab.register(&cluster.slave_role, host(20));
        Self { server, lab, cluster }
    }

    pub(crate) fn request(&self, method: &str, path: &str, more: &str) -> String {
        let token = &self.cluster.server_token;
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nx-auth-token: R={token}\r\n{more}\r\n")
    }

    pub(crate) fn resource(&self) -> String {
        format!("/v1/resource/{}", self.cluster.server_resource)
    }

    pub(crate) async fn send(&self, method: &str, path: &str) -> io::Result<Response> {
        let request = self.request(method, path, "");
        raw_http::exchange(self.server.address(), LOCALHOST, request.as_bytes()).await
    }

    /// The expanded text.
    pub(crate) async fn poll(&self) -> io::Result<Response> {
        self.send("GET", &self.resource()).await
    }

    /// The members as JSON.
    pub(crate) async fn poll_members(&self) -> Value {
        let path = format!("{}?type=keys&keyname={}/hosts/ip", self.resource(), self.cluster.server_role);
        resource_of(&self.send("GET", &path).await.unwrap())
    }

    pub(crate) async fn register(&self, number: u8) -> Response {
        let path = format!(
            "/v1/role/{}?cuk=cuk-{number}&tag=vm{number}&extra=openstack-auto-v1",
            self.cluster.server_role
        );
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, number));
        let request = self.request("PUT", &path, "");
        raw_http::exchange(self.server.address(), from, request.as_bytes()).await.unwrap()
    }
}

pub(crate) fn host(number: u8) -> HostRecord {
    HostRecord::openstack(format!("127.0.0.{number}"), format!("cuk-{number}"), format!("vm{number}"))
}

pub(crate) fn resource_of(response: &Response) -> Value {
    serde_json::from_slice::<Value>(&response.body).unwrap()["resource"].clone()
}
