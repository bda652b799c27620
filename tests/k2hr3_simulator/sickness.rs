//! Every sickness of the K2HR3 simulator, looked at on the wire.
//!
//! What each corresponds to is said at `Sickness`. Delays are a few milliseconds here; nothing waits for a
//! time, only for what is to happen.

use std::io;
use std::time::{Duration, Instant};

use super::fixture::{Fixture, LOCALHOST, SHORT, resource_of};
use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::raw_http::{self, connect, receive};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn ill(sickness: Sickness) -> Fixture {
    let fixture = Fixture::open().await;
    fixture.lab.set_sickness(Some(sickness));
    fixture
}

fn names_in(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("NAME ")).filter_map(|line| line.split("= ").nth(1)).collect()
}

#[tokio::test]
async fn a_healthy_one_answers_text_and_members() {
    let fixture = Fixture::open().await;
    let text = resource_of(&fixture.poll().await.unwrap());
    let expected = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.20"];
    assert_eq!(names_in(text.as_str().unwrap()), expected);
    assert_eq!(fixture.poll_members().await.as_object().unwrap().len(), 4);
}

#[tokio::test]
async fn an_empty_body_comes_with_status_200() {
    let response = ill(Sickness::EmptyBody).await.poll().await.unwrap();
    assert_eq!(
        (response.status, response.header("content-length"), response.body.len()),
        (200, Some("0"), 0)
    );
}

#[tokio::test]
async fn the_resource_may_be_null_or_the_empty_text() {
    let fixture = ill(Sickness::NullResource).await;
    assert_eq!(resource_of(&fixture.poll().await.unwrap()), Value::Null);
    fixture.lab.set_sickness(Some(Sickness::EmptyString));
    assert_eq!(resource_of(&fixture.poll().await.unwrap()), Value::from(""));
}

#[tokio::test]
async fn a_web_page_comes_instead_of_json() {
    let response = ill(Sickness::Html).await.poll().await.unwrap();
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(response.text().starts_with("<html>"));
}

#[tokio::test]
async fn an_error_status_may_say_true_and_a_good_one_false() {
    let fixture = ill(Sickness::ServerErrorSayingTrue).await;
    let response = fixture.poll().await.unwrap();
    assert!(response.status == 503 && response.text().starts_with(r#"{"result":true"#), "{response:?}");
    fixture.lab.set_sickness(Some(Sickness::ResultFalse200));
    let response = fixture.poll().await.unwrap();
    assert!(response.status == 200 && response.text().starts_with(r#"{"result":false"#), "{response:?}");
}

#[tokio::test]
async fn truncated_json_has_the_right_length_and_does_not_parse() {
    let response = ill(Sickness::TruncatedJson).await.poll().await.unwrap();
    assert!(response.is_complete && !response.body.is_empty());
    assert!(serde_json::from_slice::<Value>(&response.body).is_err());
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let response = ill(Sickness::TruncatedBody).await.poll().await.unwrap();
    assert!(!response.is_complete && !response.body.is_empty());
}

#[tokio::test]
async fn a_wrong_length_is_half_of_what_follows() {
    let fixture = ill(Sickness::WrongContentLength).await;
    let mut stream = connect(fixture.server.address(), LOCALHOST).await.unwrap();
    stream.write_all(fixture.request("GET", &fixture.resource(), "").as_bytes()).await.unwrap();
    let response = receive(&mut stream, false).await.unwrap();
    let mut surplus = Vec::new();
    stream.read_to_end(&mut surplus).await.unwrap();
    assert!(surplus.len().abs_diff(response.body.len()) <= 1 && !surplus.is_empty());
}

#[tokio::test]
async fn all_servers_may_be_missing_in_a_good_answer() {
    let fixture = ill(Sickness::NoServers).await;
    let text = resource_of(&fixture.poll().await.unwrap());
    assert_eq!(names_in(text.as_str().unwrap()), ["127.0.0.20"]);
    assert_eq!(fixture.poll_members().await, Value::Object(serde_json::Map::new()));
    assert_eq!(fixture.lab.members(&fixture.cluster.server_role).len(), 4);
}

#[tokio::test]
async fn without_slaves_no_section_of_theirs_is_left() {
    let text = resource_of(&ill(Sickness::NoSlaves).await.poll().await.unwrap());
    let text = text.as_str().unwrap();
    assert!(!text.contains("[SLVNODE]") && text.contains("[SVRNODE]") && text.contains("[K2HDKC]"), "{text}");
}

#[tokio::test]
async fn one_host_or_every_second_may_be_missing() {
    let fixture = ill(Sickness::WithoutHost { cuk: "cuk-2".to_owned() }).await;
    let members = fixture.poll_members().await;
    assert_eq!(
        members.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["127.0.0.1,0,cuk-1", "127.0.0.3,0,cuk-3", "127.0.0.4,0,cuk-4"]
    );
    fixture.lab.set_sickness(Some(Sickness::HalfOfServers));
    let members = fixture.poll_members().await;
    assert_eq!(
        members.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["127.0.0.1,0,cuk-1", "127.0.0.3,0,cuk-3"]
    );
}

#[tokio::test]
async fn a_tag_may_open_a_section_in_the_text_and_stays_a_text_in_json() {
    let fixture = ill(Sickness::NewlineInTag).await;
    let text = resource_of(&fixture.poll().await.unwrap());
    assert!(names_in(text.as_str().unwrap()).contains(&"evil.example"));
    let members = fixture.poll_members().await;
    assert_eq!(members.as_object().unwrap().len(), 4);
    assert_eq!(members["127.0.0.1,0,cuk-1"]["tag"], "x\nSSL = yes\n[SVRNODE]\nNAME = evil.example");
}

#[tokio::test]
async fn a_tag_may_hold_control_characters() {
    let members = ill(Sickness::ControlCharacters).await.poll_members().await;
    let tag = members["127.0.0.1,0,cuk-1"]["tag"].as_str().unwrap();
    assert!(tag.contains('\u{0}') && tag.contains('\u{1b}'));
}

#[tokio::test]
async fn a_huge_answer_is_well_formed() {
    let response = ill(Sickness::Huge { bytes: 3_000_000 }).await.poll().await.unwrap();
    assert_eq!((response.is_complete, response.body.len()), (true, 3_000_000));
    assert!(resource_of(&response).as_str().unwrap().starts_with("xxx"));
}

#[tokio::test]
async fn a_slow_answer_comes_byte_by_byte_and_is_right() {
    let fixture = Fixture::open().await;
    let path = format!("{}?type=keys&keyname=chmpx-mode", fixture.resource());
    let right = fixture.send("GET", &path).await.unwrap();
    let byte_every = Duration::from_millis(1);
    fixture.lab.set_sickness(Some(Sickness::SlowDrip { byte_every }));
    let started = Instant::now();
    assert_eq!(fixture.send("GET", &path).await.unwrap().body, right.body);
    assert!(started.elapsed() >= byte_every * 49);
}

#[tokio::test]
async fn a_reset_cuts_the_body() {
    let error = ill(Sickness::ResetInMidBody).await.poll().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_redirect_leads_to_another_host() {
    let fixture = ill(Sickness::Redirect).await;
    let response = fixture.poll().await.unwrap();
    let elsewhere = format!("http://192.0.2.1{}", fixture.resource());
    assert_eq!((response.status, response.header("location")), (302, Some(elsewhere.as_str())));
}

#[tokio::test]
async fn every_status_comes_with_its_recorded_body() {
    let fixture = Fixture::open().await;
    let token = fixture.cluster.server_token.clone();
    let gone = format!(
        "{{\"result\":false,\"message\":\"token({token}) is not existed, because it is expired or not set yet.\"}}"
    );
    let internal = r#"{"result":false,"message":"Internal server error"}"#.to_owned();
    for (status, body) in
        [(401, gone), (403, internal.clone()), (413, internal.clone()), (500, internal), (431, String::new())]
    {
        fixture.lab.set_sickness(Some(Sickness::Status(status)));
        let response = fixture.poll().await.unwrap();
        assert_eq!((response.status, response.text()), (status, body));
    }
    fixture.lab.set_sickness(Some(Sickness::Status(404)));
    assert!(fixture.poll().await.unwrap().text().contains("does not allow to read access"));
}

#[tokio::test]
async fn a_dead_backend_knows_no_token_and_no_member_but_serves_its_version() {
    let fixture = ill(Sickness::BackendDead { after: SHORT }).await;
    let started = Instant::now();
    let by_token = fixture.poll().await.unwrap();
    assert!(started.elapsed() >= SHORT);
    assert!(by_token.status == 401 && by_token.text().contains("is not existed"));
    assert_eq!(fixture.register(7).await.status, 401);
    let role = &fixture.cluster.server_role;
    let no_token = format!("HEAD /v1/role/{role} HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = raw_http::exchange(fixture.server.address(), LOCALHOST, no_token.as_bytes()).await.unwrap();
    assert_eq!(head.status, 403);
    let by_address = format!("GET {}?role={role} HTTP/1.1\r\nHost: x\r\n\r\n", fixture.resource());
    let get = raw_http::exchange(fixture.server.address(), LOCALHOST, by_address.as_bytes()).await.unwrap();
    assert_eq!(get.status, 404);
    assert_eq!(fixture.send("GET", "/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_stall_ends_with_the_right_answer_or_with_none() {
    let fixture = ill(Sickness::Stall(SHORT)).await;
    let started = Instant::now();
    assert_eq!(fixture.poll().await.unwrap().status, 200);
    assert!(started.elapsed() >= SHORT);
    fixture.lab.set_sickness(Some(Sickness::StallThenClose(SHORT)));
    assert_eq!(fixture.poll().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(fixture.lab.requests().last().unwrap().status, 0);
}

#[tokio::test]
async fn refused_connections_end_without_a_byte() {
    let fixture = ill(Sickness::Refuse).await;
    assert!(fixture.poll().await.is_err());
    assert_eq!(fixture.lab.requests(), []);
    fixture.lab.set_sickness(None);
    assert_eq!(fixture.poll().await.unwrap().status, 200);
}

#[tokio::test]
async fn refusing_reaches_connections_that_are_open_already() {
    let fixture = Fixture::open().await;
    let mut stream = connect(fixture.server.address(), LOCALHOST).await.unwrap();
    let request = fixture.request("GET", "/", "");
    stream.write_all(request.as_bytes()).await.unwrap();
    receive(&mut stream, false).await.unwrap();
    fixture.lab.set_sickness(Some(Sickness::Refuse));
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(receive(&mut stream, false).await.is_err());
}

#[tokio::test]
async fn an_answer_may_be_no_utf8_or_nested_beyond_reason() {
    let fixture = ill(Sickness::NotUtf8).await;
    assert!(std::str::from_utf8(&fixture.poll().await.unwrap().body).is_err());
    fixture.lab.set_sickness(Some(Sickness::DeepJson));
    let text = fixture.poll().await.unwrap().text();
    assert_eq!(text.matches('[').count(), 100_000);
    assert_eq!(text.matches(']').count(), 100_000);
}

#[tokio::test]
async fn lost_registrations_are_acknowledged_and_not_kept() {
    let fixture = ill(Sickness::LostRegistrations { share: 1.0 }).await;
    assert_eq!(fixture.register(9).await.status, 201);
    assert_eq!(fixture.lab.members(&fixture.cluster.server_role).len(), 4);
    fixture.lab.set_sickness(Some(Sickness::LostRegistrations { share: 0.0 }));
    assert_eq!(fixture.register(9).await.status, 201);
    assert_eq!(fixture.lab.members(&fixture.cluster.server_role).len(), 5);
}

#[tokio::test]
async fn a_host_that_registers_again_is_missed_by_the_next_reader_only() {
    let fixture = ill(Sickness::BlinkOnReregister).await;
    assert_eq!(fixture.register(2).await.status, 201);
    assert!(fixture.poll_members().await.get("127.0.0.2,0,cuk-2").is_none());
    assert!(fixture.poll_members().await.get("127.0.0.2,0,cuk-2").is_some());
}
