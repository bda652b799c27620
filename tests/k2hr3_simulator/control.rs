//! The control of the K2HR3 simulator: limits of an illness, changes, waiting, stop and restart, `/_lab`.

use std::time::Duration;

use super::fixture::{Fixture, LOCALHOST, SHORT, host};
use k2hdkc_simulators::k2hr3::{HostRecord, Illness, Lab, Options, Server, Sickness};
use k2hdkc_simulators::raw_http::{self, connect, receive};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_illness_can_be_limited_to_polls_and_to_a_number_of_answers() {
    let fixture = Fixture::open().await;
    let twice = Illness::from(Sickness::Status(500)).only_resources().for_answers(2);
    fixture.lab.set_illness(Some(twice));
    let role = format!("/v1/role/{}", fixture.cluster.server_role);
    let mut statuses = vec![fixture.send("HEAD", &role).await.unwrap().status];
    for _ in 0..3 {
        statuses.push(fixture.poll().await.unwrap().status);
    }
    assert_eq!(statuses, [204, 500, 500, 200]);
    assert!(!fixture.lab.is_ill());
}

#[tokio::test]
async fn a_known_tag_gives_304_until_a_member_changes() {
    let fixture = Fixture::open().await;
    let tag = fixture.poll().await.unwrap().header("etag").unwrap().to_owned();
    let request = fixture.request("GET", &fixture.resource(), &format!("If-None-Match: {tag}\r\n"));
    let ask = || raw_http::exchange(fixture.server.address(), LOCALHOST, request.as_bytes());
    assert_eq!(ask().await.unwrap().status, 304);
    fixture.register(1).await;
    assert_eq!(ask().await.unwrap().status, 304);
    fixture.lab.register(&fixture.cluster.server_role, host(5));
    assert_eq!(ask().await.unwrap().status, 200);
    fixture.lab.deregister(&fixture.cluster.server_role, "cuk-5");
    assert_eq!(ask().await.unwrap().status, 304);
}

#[tokio::test]
async fn every_change_of_members_is_numbered_and_repeats_are_none() {
    let fixture = Fixture::open().await;
    let before = fixture.lab.changes().len();
    fixture.register(1).await;
    fixture.register(6).await;
    fixture.lab.deregister(&fixture.cluster.server_role, "cuk-6");
    let new: Vec<_> = fixture
        .lab
        .changes()
        .split_off(before)
        .into_iter()
        .map(|change| (change.number, change.host, change.joined))
        .collect();
    let first = u64::try_from(before).unwrap() + 1;
    // The first registration changes the record of 127.0.0.1 in nothing.
    assert_eq!(new, [(first, "127.0.0.6".to_owned(), true), (first + 1, "127.0.0.6".to_owned(), false)]);
}

#[tokio::test]
async fn waiting_ends_with_the_request_that_was_waited_for() {
    let fixture = Fixture::open().await;
    let polled = |lab: &Lab| lab.requests().iter().any(|request| request.path.starts_with("/v1/resource/"));
    assert!(!fixture.lab.wait_for(polled, SHORT).await);
    let (seen, answered) = tokio::join!(fixture.lab.wait_for(polled, LONG), fixture.poll());
    assert!(seen && answered.unwrap().status == 200);
}

#[tokio::test]
async fn a_server_that_was_stopped_refuses_at_once_and_comes_back_with_its_data() {
    let Fixture { server, lab, cluster } = Fixture::open().await;
    let address = server.address();
    server.stop().await;
    assert!(connect(address, LOCALHOST).await.is_err());
    let again = Server::start(address, Options { lab }).await.unwrap();
    assert_eq!(again.lab().members(&cluster.server_role).len(), 4);
}

#[tokio::test]
async fn the_control_over_http_registers_sickens_and_tells_the_log() {
    let fixture = Fixture::open().await;
    let role = &fixture.cluster.server_role;
    let put = format!("/_lab/members?role={role}&host=127.0.0.8&cuk=cuk-8&tag=vm8");
    assert_eq!(fixture.send("PUT", &put).await.unwrap().status, 201);
    assert_eq!(fixture.lab.members(role).len(), 5);
    assert_eq!(
        fixture.send("DELETE", &format!("/_lab/members?role={role}&cuk=cuk-8")).await.unwrap().status,
        200
    );
    fixture.send("PUT", "/_lab/sickness?name=status&status=403&answers=1").await.unwrap();
    assert_eq!(fixture.poll().await.unwrap().status, 403);
    for refused in ["cold", "refuse", "without-host"] {
        let path = format!("/_lab/sickness?name={refused}");
        assert_eq!(fixture.send("PUT", &path).await.unwrap().status, 400);
    }
    let log: Value =
        serde_json::from_slice(&fixture.send("GET", "/_lab/requests").await.unwrap().body).unwrap();
    assert_eq!((log.as_array().unwrap().len(), &log[0]["status"]), (1, &Value::from(403)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_six_seconds() {
    let fixture = Fixture::open().await;
    let mut stream = connect(fixture.server.address(), LOCALHOST).await.unwrap();
    stream.write_all(fixture.request("GET", "/", "").as_bytes()).await.unwrap();
    receive(&mut stream, false).await.unwrap();
    let idle_since = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(idle_since.elapsed().as_secs(), 6);
}

#[tokio::test]
async fn a_thousand_hosts_are_read_whole() {
    let fixture = Fixture::open().await;
    for number in 0..1_000_u16 {
        let [high, low] = number.to_be_bytes();
        let record = HostRecord::openstack(
            format!("10.0.{high}.{low}"),
            format!("many-{number}"),
            format!("many{number}"),
        );
        fixture.lab.register(&fixture.cluster.server_role, record);
    }
    assert_eq!(fixture.poll_members().await.as_object().unwrap().len(), 1_004);
    assert_eq!(fixture.poll().await.unwrap().text().matches("[SVRNODE]").count(), 1_004);
}
