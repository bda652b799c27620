//! Holds the K2HR3 simulator against exchanges recorded on the real server.
//!
//! `k2hr3_replay/exchanges.json` has the facts: who sent what, and which status, header lines (in their order) and
//! body came back. Tokens and tags are names in « », bound when they first appear; `«_»` is anything. An
//! expanded template is compared line by line without comments and blanks, since the recorded one is not
//! ours to copy. Entries called "between" were not recorded: they bring about the state the next one needs.
//!
//! The real server was `k2hr3_api` 2.0.3 with k2hdkc 1.0.19, chmpx 1.0.113 and the dummy user backend.
//!
//! Recordings that are not replayed from the table, and why:
//!
//! - `m01`, `m03`, `m11`: not one request and one answer; tests of their own below.
//! - `e23`: the list of tokens has dates; a test of its own below.
//! - `b27`, `b28`, `m04`, `h02`: only their statuses were kept; tests of their own below.
//! - bodies of `h01`, `h05`, `h07`, `h10`: scripts of the real server; heads are compared, our script is looked
//!   at below.
//! - `big-0010-resource`, `-resource-by-ip`: recorded only in part; their heads are compared.
//! - `big-0100-*`, `big-1000-*`: the calls of `big-0010-*` again, recorded for their times.
//! - `down-*`: the sick server; see the suite `k2hr3_sickness`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a suite fails by panicking, in its helpers too")]

mod stage;

use k2hdkc_simulators::k2hr3::HostRecord;
use k2hdkc_simulators::raw_http::{connect, receive};
use serde_json::Value;
use stage::{LOCALHOST, SERVER_ROLE, Stage, host};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_cluster_is_created_as_by_the_dbaas_tools() {
    let mut stage = Stage::empty().await;
    let template = Value::from("{{#!k2hr3template }}\n{{= %chmpx-mode% }}\n").to_string();
    stage.names.insert("template".to_owned(), template.trim_matches('"').to_owned());
    stage.play("setup").await;
}

#[tokio::test]
async fn the_transport_behaves_like_express() {
    Stage::empty().await.play("transport").await;
}

#[tokio::test]
async fn hosts_register_with_every_kind_of_token_and_parameter() {
    let mut stage = Stage::with_cluster(&[], &[]).await;
    stage.play("register").await;
    let shown: Vec<_> =
        stage.lab.members(SERVER_ROLE).into_iter().map(|host| (host.host, host.tag)).collect();
    assert!(shown.contains(&("198.51.100.7".into(), Some("viaproxy".into()))), "{shown:?}");
    assert!(shown.contains(&("10.9.9.9".into(), None)), "{shown:?}");
}

#[tokio::test]
async fn resources_are_read_by_token_and_by_address() {
    let mut stage = Stage::with_cluster(&[4, 5, 6], &[20]).await;
    let stranger = HostRecord { extra: Some("my-own".into()), tag: Some("x".into()), ..host(9) };
    stage.lab.register(SERVER_ROLE, stranger);
    stage.bind_unscoped().await;
    stage.play("resource").await;
}

#[tokio::test]
async fn roles_show_their_hosts_to_users_and_their_membership_to_members() {
    let mut stage = Stage::with_cluster(&[4, 5, 6], &[20]).await;
    let stranger = HostRecord { extra: Some("my-own".into()), tag: Some("x".into()), ..host(9) };
    stage.lab.register(SERVER_ROLE, stranger);
    stage.play("role").await;
}

#[tokio::test]
async fn role_tokens_live_and_die_by_the_rules() {
    Stage::with_cluster(&[4, 5, 6], &[20]).await.play("tokens").await;
}

#[tokio::test]
async fn hosts_leave_and_tokens_are_deleted() {
    let mut stage = Stage::with_cluster(&[4, 5, 6], &[]).await;
    let admins = "yrn:yahoo:::tenant0:role:admins";
    stage.lab.register(admins, host(200));
    stage.lab.set_delete_host_role(admins);
    stage.play("leave").await;
    assert_eq!(stage.lab.members(SERVER_ROLE), []);
}

#[tokio::test]
async fn user_data_goes_to_the_right_agents_only() {
    let mut stage = Stage::with_cluster(&[], &[]).await;
    stage.bind_register_path().await;
    stage.play("userdata").await;
}

#[tokio::test]
async fn templates_expand_like_those_of_the_real_engine() {
    Stage::with_cluster(&[4, 5, 30], &[]).await.play("templates").await;
}

#[tokio::test]
async fn traps_of_the_real_server_are_there() {
    Stage::with_cluster(&[4, 5, 30], &[]).await.play("traps").await;
}

#[tokio::test]
async fn malformed_requests_are_refused_alike() {
    Stage::with_cluster(&[4, 5, 30], &[]).await.play("malformed").await;
}

#[tokio::test]
async fn a_role_of_ten_hosts_answers_byte_for_byte() {
    let mut stage = Stage::with_cluster(&[], &[]).await;
    let cluster = stage.lab.create_cluster("tenant0", "big10");
    for number in 0..10 {
        let tag = format!("node-{number:05}.cluster.internal.example.com");
        let cuk = format!("11111111-aaaa-4bbb-8ccc-{number:012}");
        stage.lab.register(
            &cluster.server_role,
            HostRecord::openstack(format!("10.1.0.{}", number + 1), cuk, tag),
        );
    }
    stage.names.insert("big".to_owned(), cluster.server_token);
    stage.play("ten hosts").await;
}

#[tokio::test]
async fn the_list_of_tokens_tells_dates_and_makers() {
    let stage = Stage::with_cluster(&[4], &[]).await;
    let by_address = format!("GET /v1/role/token/{SERVER_ROLE} HTTP/1.1\r\nHost: x\r\n\r\n");
    stage.send("127.0.0.4".parse().unwrap(), &by_address).await;
    let list = format!(
        "GET /v1/role/token/list/{SERVER_ROLE} HTTP/1.1\r\nHost: x\r\nx-auth-token: U=«user»\r\n\r\n"
    );
    let answer: Value =
        serde_json::from_slice(&stage.send(LOCALHOST, &stage.filled(&list)).await.body).unwrap();
    let tokens: Vec<&Value> = answer["tokens"].as_object().unwrap().values().collect();
    let makers: Vec<_> = tokens.iter().map(|token| (token["user"].as_str(), token["ip"].as_str())).collect();
    assert!(
        makers.contains(&(Some("dummyuser"), None)) && makers.contains(&(None, Some("127.0.0.4"))),
        "{makers:?}"
    );
    assert!(tokens.iter().all(|token| token["expire"].as_str().unwrap().contains(".000Z")));
}

#[tokio::test]
async fn what_is_not_http_is_answered_by_node_itself_and_closed() {
    let stage = Stage::empty().await;
    let garbage = stage.send(LOCALHOST, "hello\r\n\r\n").await;
    assert_eq!((garbage.status, garbage.lines), (400, vec!["Connection: close".to_owned()]));
    let no_host = stage.send(LOCALHOST, "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!((no_host.status, no_host.header("connection")), (400, Some("close")));
    let long = format!("GET /?tag={} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(20_000));
    assert_eq!(stage.send(LOCALHOST, &long).await.status, 431);
}

#[tokio::test]
async fn a_tag_of_eight_kilobytes_is_taken() {
    let stage = Stage::with_cluster(&[], &[]).await;
    let tag = "x".repeat(8_192);
    let request = format!(
        "PUT /v1/role/{SERVER_ROLE}?cuk=c&tag={tag} HTTP/1.1\r\nHost: x\r\nx-auth-token: R=«server»\r\n\r\n"
    );
    assert_eq!(stage.send(LOCALHOST, &stage.filled(&request)).await.status, 201);
    assert_eq!(stage.lab.members(SERVER_ROLE)[0].tag.as_ref().unwrap().len(), 8_192);
}

#[tokio::test]
async fn a_body_over_the_limit_gives_413() {
    let stage = Stage::with_cluster(&[], &[]).await;
    let body = format!("{{\"host\":{{\"tag\":\"{}\"}}}}", "x".repeat(200_000));
    let length = body.len();
    let head =
        format!("POST /v1/role/{SERVER_ROLE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    let answer = stage.send(LOCALHOST, &format!("{head}Content-Length: {length}\r\n\r\n{body}")).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (413, r#"{"result":false,"message":"Internal server error"}"#)
    );
}

#[tokio::test]
async fn an_expected_continue_is_sent_and_requests_in_a_row_share_the_connection() {
    let stage = Stage::with_cluster(&[], &[]).await;
    let mut stream = connect(stage.server.address(), LOCALHOST).await.unwrap();
    let expecting = format!(
        "POST /v1/role/{SERVER_ROLE} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(expecting.as_bytes()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let first = receive(&mut stream, false).await.unwrap();
    assert_eq!(first.text(), r#"{"result":false,"message":"POST body does not have host data"}"#);
    assert_eq!(receive(&mut stream, false).await.unwrap().text(), r#"{"version":["v1"]}"#);
}

#[tokio::test]
async fn the_script_of_the_user_data_carries_role_and_token() {
    let mut stage = Stage::with_cluster(&[], &[]).await;
    stage.bind_register_path().await;
    let old = stage
        .filled("GET /v1/userdata/«path» HTTP/1.1\r\nHost: api:1\r\nUser-Agent: Cloud-Init/0.7.8\r\n\r\n");
    let text = stage.send(LOCALHOST, &old).await.text();
    let values = [
        SERVER_ROLE.to_owned(),
        stage.filled("«in script»"),
        "yrn:yahoo:::tenant0".into(),
        "http://api:1".into(),
    ];
    for value in values {
        assert!(text.lines().any(|line| line == value), "{value} is not in\n{text}");
    }
    let extra = stage.filled(
        "GET /v1/extdata/trove/«path» HTTP/1.1\r\nHost: x\r\nUser-Agent: extdata_k2hr3_trove\r\n\r\n",
    );
    assert!(stage.send(LOCALHOST, &extra).await.text().starts_with("#!/bin/sh\n"));
}
