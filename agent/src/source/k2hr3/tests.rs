//! The client against a server that answers from a script, plain and with TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::answer::DoubtKind;
use crate::names::Cuk;
use crate::registration::{Verdict, Wish};
use crate::settings::Origin;

/// Answers each request by its path and whether it had a tag.
type Script = Arc<dyn Fn(&str, bool) -> (u16, String) + Send + Sync>;

/// Serves the script; the port.
async fn serve(script: Script, tls: Option<TlsAcceptor>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                None => answer(stream, &script).await,
                Some(tls) => {
                    // A client that does not trust us breaks off.
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, &script).await;
                    }
                }
            }
        }
    });
    port
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &Script) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let (status, body) = script(path, head.contains("if-none-match"));
    let text = format!(
        "HTTP/1.1 {status} X\r\nETag: W/\"1\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let body =
        if status == 304 { text.split("Content-Length").next().unwrap().to_owned() + "\r\n" } else { text };
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn source(root: &Path, config: &str) -> K2hr3 {
    let path = root.join("etc/k2hdkc-agent/agent.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    crate::file::store(&path, config.as_bytes()).unwrap();
    let settings = settings::load(&Origin { config: None, root: Some(root.to_owned()) }).unwrap();
    K2hr3::new(settings.k2hr3)
}

fn identity(uri: &str, cuk: &str) -> Identity {
    let role = Yrn::role("yrn:yahoo:::t:role:c/server").unwrap();
    let registry = Registry { api_uri: uri.to_owned(), role, token: None, token_note: None };
    Identity { cuk: Cuk::try_from(cuk).unwrap(), k2hr3: Some(registry) }
}

fn member(n: u32) -> String {
    format!(r#"{{"result":true,"resource":{{"k":{{"host":"192.0.2.{n}","cuk":"c{n}","tag":"t{n}"}}}}}}"#)
}

#[tokio::test]
async fn a_list_that_came_without_the_other_is_not_taken_for_known() {
    let sick = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = Arc::clone(&sick);
    let script: Script = Arc::new(move |path, tagged| match () {
        () if path.contains("slave") && switch.load(std::sync::atomic::Ordering::SeqCst) => {
            (500, String::new())
        }
        () if tagged => (304, String::new()),
        () => (200, member(1)),
    });
    let uri = format!("http://127.0.0.1:{}", serve(script, None).await);
    let root = tempfile::tempdir().unwrap();
    let mut source = source(root.path(), "[k2hr3]\nsource = \"membership\"\n");
    let identity = identity(&uri, "c1");
    assert_eq!(source.ask(&identity).await.result.unwrap_err().status, Some(500));
    sick.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(source.ask(&identity).await.result, Ok(Answer::Members { .. })));
    assert_eq!(source.ask(&identity).await.result, Ok(Answer::Unchanged));
}

#[tokio::test]
async fn another_identity_gets_a_whole_answer() {
    let body = r#"{"result":true,"resource":"[GLOBAL]"}"#;
    let script: Script =
        Arc::new(move |_, tagged| if tagged { (304, String::new()) } else { (200, body.to_owned()) });
    let uri = format!("http://127.0.0.1:{}", serve(script, None).await);
    let root = tempfile::tempdir().unwrap();
    let mut source = source(root.path(), "");
    for cuk in ["wrong", "right"] {
        let identity = identity(&uri, cuk);
        assert_eq!(source.ask(&identity).await.result, Ok(Answer::Ini("[GLOBAL]".into())), "{cuk}");
    }
}

#[tokio::test]
async fn a_refused_role_token_is_told_while_the_address_is_answered_and_until_another_one_is_there() {
    let dead = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = Arc::clone(&dead);
    let script: Script = Arc::new(move |path, _| {
        // Who asks by its address says its role; with a token it may not.
        if switch.load(std::sync::atomic::Ordering::SeqCst) && !path.contains("role=") {
            return (401, r#"{"result":false,"message":"it is expired"}"#.to_owned());
        }
        (200, r#"{"result":true,"resource":"[GLOBAL]"}"#.to_owned())
    });
    let uri = format!("http://127.0.0.1:{}", serve(script, None).await);
    let root = tempfile::tempdir().unwrap();
    let mut source = source(root.path(), "");
    let mut identity = identity(&uri, "c1");
    let token = |digit: &str| crate::names::Token::try_from(digit.repeat(64).as_str()).ok();
    identity.k2hr3.as_mut().unwrap().token = token("a");
    let refused = source.ask(&identity).await;
    assert_eq!(
        (refused.result.unwrap_err().status, refused.note),
        (Some(401), None),
        "a dead backend says the same"
    );
    for _ in 0..2 {
        let answered = source.ask(&identity).await;
        let note = answered.note.unwrap();
        assert!(
            answered.result.is_ok() && note.starts_with("K2HR3 refuses the role token, and answers by "),
            "{note}"
        );
        assert!(note.ends_with("etc/antpickax/k2hr3-role-token"), "{note}");
    }
    dead.store(false, std::sync::atomic::Ordering::SeqCst);
    identity.k2hr3.as_mut().unwrap().token = token("b");
    assert_eq!(source.ask(&identity).await.note, None);
}

/// A certificate of its own authority for 127.0.0.1, and the acceptor that shows it.
fn authority() -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn only_the_ca_file_is_believed_and_a_new_one_is_taken_at_once() {
    let script: Script = Arc::new(|_, _| (200, r#"{"result":true,"resource":"[GLOBAL]"}"#.to_owned()));
    let ((old, _), (new, tls)) = (authority(), authority());
    let uri = format!("https://127.0.0.1:{}", serve(script, Some(tls)).await);
    let root = tempfile::tempdir().unwrap();
    let ca = root.path().join("ca.crt");
    crate::file::store(&ca, old.as_bytes()).unwrap();
    let mut source = source(root.path(), "[k2hr3]\nca-file = \"/ca.crt\"\n");
    let identity = identity(&uri, "c1");
    let doubt = source.ask(&identity).await.result.unwrap_err();
    assert_eq!(doubt.kind, DoubtKind::Unreachable);
    assert!(doubt.text.contains("certificate"), "{}", doubt.text);
    crate::file::store(&ca, new.as_bytes()).unwrap();
    assert_eq!(source.ask(&identity).await.result, Ok(Answer::Ini("[GLOBAL]".into())));
    crate::file::store(&ca, b"no certificate").unwrap();
    let doubt = source.ask(&identity).await.result.unwrap_err();
    assert!(doubt.text.contains("ca.crt: no certificate in it"), "{}", doubt.text);
}

/// A certificate of X.509 version 1 for nothing but this test, and its key: what makes them elsewhere makes version 3.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBJTCBywIUbZzwts3/wIdlajJQl052hx3EdCAwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEzMDEyMDgwOFoYDzIxMjYxMTA2MTIwODA4
WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASXd9S5uYJVVQIdtjCWC6B8qSCFMqpOzV9wMWQ+ZKUVZtG6wwYN5LVJKhwKb3ou
aYbAorsMG+bq5LDZFzdQIJK9MAoGCCqGSM49BAMCA0kAMEYCIQCQEd8W6eEIA33E
OeJG/By/RrYoZSxIc8Lb8Un5z9ksZQIhALXjItlgnGo8CzYBDicqe0h6gNpWnZwm
KrT9Hg6V71NX
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3Udh2D/kplcrcp01
2U/Ao5ClK372jh9CJCTgIlGVN7ehRANCAASXd9S5uYJVVQIdtjCWC6B8qSCFMqpO
zV9wMWQ+ZKUVZtG6wwYN5LVJKhwKb3ouaYbAorsMG+bq5LDZFzdQIJK9
-----END PRIVATE KEY-----
";

/// Shows a certificate as it is, without the look that rustls has at a server's own.
fn showing(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: &rustls::pki_types::PrivateKeyDer<'_>,
) -> TlsAcceptor {
    let key = rustls::crypto::ring::sign::any_supported_type(key).unwrap();
    let shown = rustls::sign::CertifiedKey::new(vec![certificate], key);
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_certificate_that_only_curl_takes_is_told_with_what_makes_a_right_one() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let old = (
        VERSION_1.to_owned(),
        CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap(),
        PrivateKeyDer::from_pem_slice(VERSION_1.as_bytes()).unwrap(),
    );
    let made = |names: &[&str], is_ca| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.is_ca = is_ca;
        let key = rcgen::KeyPair::generate().unwrap();
        let made = parameters.self_signed(&key).unwrap();
        (made.pem(), made.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    };
    let of_a_ca = made(&["127.0.0.1"], rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let of_nobody = made(&[], rcgen::IsCa::ExplicitNoCa);
    for ((pem, certificate, key), word) in [
        (old, "X.509 version 1"),
        (of_a_ca, "that of an authority (CA:TRUE"),
        (of_nobody, "has no subjectAltName"),
    ] {
        let script: Script = Arc::new(|_, _| (200, r#"{"result":true,"resource":"[GLOBAL]"}"#.to_owned()));
        let uri = format!("https://127.0.0.1:{}", serve(script, Some(showing(certificate, &key))).await);
        let root = tempfile::tempdir().unwrap();
        crate::file::store(&root.path().join("ca.crt"), pem.as_bytes()).unwrap();
        let mut source = source(root.path(), "[k2hr3]\nca-file = \"/ca.crt\"\n");
        let doubt = source.ask(&identity(&uri, "c1")).await.result.unwrap_err();
        assert_eq!(doubt.kind, DoubtKind::Unreachable);
        assert!(doubt.text.contains(word) && doubt.text.contains("openssl req -x509"), "{}", doubt.text);
    }
}

#[tokio::test]
async fn what_is_no_address_is_not_an_answer_that_broke_off() {
    let root = tempfile::tempdir().unwrap();
    let mut source = source(root.path(), "");
    let doubt = source.ask(&identity("http://127.0.0.1:99999", "c1")).await.result.unwrap_err();
    assert_eq!(doubt.kind, DoubtKind::NotReady);
    assert!(
        doubt.text.starts_with("no request can be made of k2hr3.api-uri http://127.0.0.1:99999: "),
        "{}",
        doubt.text
    );
}

#[tokio::test]
async fn a_deadline_ends_a_question() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let root = tempfile::tempdir().unwrap();
    let mut source = source(root.path(), "[k2hr3]\ntimeout = \"50ms\"\n");
    let answered = source.ask(&identity(&uri, "c1")).await;
    assert_eq!(answered.result.unwrap_err().text, "no whole answer of K2HR3 within 50 ms");
    assert!(answered.took >= Some(Duration::from_millis(50)));
}

#[tokio::test]
async fn who_leaves_is_out_although_its_token_is_no_good_any_more() {
    let script: Script = Arc::new(|path, _| {
        if path.contains("/v1/role/") {
            return (403, String::new());
        }
        (401, r#"{"result":false,"message":"token is not existed, because it is expired"}"#.to_owned())
    });
    let uri = format!("http://127.0.0.1:{}", serve(script, None).await);
    let settings = settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap();
    let mut identity = identity(&uri, "c1");
    let token = crate::names::Token::try_from("a".repeat(64).as_str()).unwrap();
    identity.k2hr3.as_mut().unwrap().token = Some(token);
    let mut role = Role::new(settings.k2hr3);
    assert_eq!(role.attempt(Wish::Leave, &identity, None).await, Ok(Verdict::Absent));
    let joins = role.attempt(Wish::Join, &identity, None).await;
    assert_eq!(joins.unwrap_err().status, Some(401), "a dead backend says the same, so nobody is registered");
}

#[test]
fn a_slow_no_of_a_role_of_a_thousand_hosts_is_a_no_and_that_of_a_dead_backend_is_none() {
    // docs/facts.md K15 and K1.
    let honest = |seconds| exchange::is_honest_no(Duration::from_secs_f64(seconds));
    assert_eq!([0.01, 2.0, 4.0, 9.9].map(honest), [true; 4]);
    assert_eq!([10.0, 13.9, 18.5].map(honest), [false; 3]);
}
