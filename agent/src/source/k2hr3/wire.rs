//! K2HR3's JSON to plain values. Tolerant of fields it does not know, strict about `result` and the kind of
//! `resource`. Nothing of serde leaves this file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::words::{SHOWN, Trouble};
use crate::answer::HostRecord;
use crate::names::{Token, without_tokens};
use crate::problem::printable;

/// The outer object. Its values stay text until it is known which kind of value is wanted: the resource of a
/// thousand hosts would be large as a tree.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    resource: Option<&'a RawValue>,
    token: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Member {
    host: String,
    cuk: Option<String>,
    tag: Option<String>,
    inboundip: Option<String>,
    outboundip: Option<String>,
}

/// The body of such an answer must be JSON with `"result": true`.
fn envelope(status: u16, body: &[u8]) -> Result<Envelope<'_>, Trouble> {
    if body.is_empty() {
        return Err(Trouble::NoBody(status));
    }
    let envelope: Envelope<'_> =
        serde_json::from_slice(body).map_err(|error| Trouble::NoJson(status, error))?;
    if envelope.result.map(RawValue::get) != Some("true") {
        let message = envelope.message.and_then(as_text).filter(|message| !message.is_empty());
        let quoted = message.map(|message| format!(" ({})", shown(&message))).unwrap_or_default();
        return Err(Trouble::NoResult(status, quoted));
    }
    Ok(envelope)
}

fn as_text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Explains a value of the right kind that cannot be read: half of a surrogate pair is well-formed JSON, and no text.
fn damage<'a, T: Deserialize<'a>>(value: &'a RawValue, what: &'static str) -> Result<(), Trouble> {
    serde_json::from_str::<T>(value.get()).map(|_| ()).map_err(|error| Trouble::Damaged(what, error))
}

fn shown(text: &str) -> String {
    printable(&without_tokens(text), SHOWN)
}

/// A 201.
pub(super) fn taken(body: &[u8]) -> Result<(), Trouble> {
    envelope(201, body).map(|_| ())
}

/// The expanded text of a resource.
pub(super) fn text(body: &[u8]) -> Result<String, Trouble> {
    let resource = envelope(200, body)?.resource;
    if let Some(text) = resource.filter(|value| value.get().starts_with('"')) {
        damage::<String>(text, "a resource")?;
    }
    let wrong = || Trouble::Instead(kind(resource), "the resource's text");
    let text = resource.and_then(as_text).ok_or_else(wrong)?;
    if text.trim().is_empty() { Err(Trouble::NoText) } else { Ok(text) }
}

/// The value of a key: a text, or a number in words.
pub(super) fn value(body: &[u8]) -> Result<String, Trouble> {
    let resource = envelope(200, body)?.resource;
    let value = resource.filter(|value| !value.get().starts_with(['{', '[', 'n']));
    let value = value.ok_or_else(|| Trouble::Instead(kind(resource), "a key's value"))?;
    if value.get().starts_with('"') {
        damage::<String>(value, "a key's value")?;
    }
    Ok(as_text(value).unwrap_or_else(|| value.get().to_owned()))
}

/// Returns true where a refusal means that there is no such key; every other 404 is a fault of K2HR3 (k2hr3_api
/// 2.0.3).
pub(super) fn is_no_key(said: &str) -> bool {
    said.contains("does not have value for type(keys[")
}

/// A host list out of a resource's keys: a map of records, of which only the records count.
pub(super) fn members(body: &[u8]) -> Result<Vec<HostRecord>, Trouble> {
    let resource = envelope(200, body)?.resource;
    if let Some(list) = resource.filter(|value| value.get().starts_with('{')) {
        damage::<BTreeMap<String, &RawValue>>(list, "a host list")?;
    }
    let records: Option<BTreeMap<String, &RawValue>> =
        resource.and_then(|value| serde_json::from_str(value.get()).ok());
    let records = records.ok_or_else(|| Trouble::Instead(kind(resource), "a host list"))?;
    records.into_iter().map(|(key, value)| member(key, value)).collect()
}

fn member(key: String, value: &RawValue) -> Result<HostRecord, Trouble> {
    let member: Member = serde_json::from_str(value.get()).map_err(|error| Trouble::Record(key, error))?;
    Ok(HostRecord {
        host: member.host,
        cuk: member.cuk,
        tag: member.tag,
        inbound: member.inboundip,
        outbound: member.outboundip,
    })
}

/// A role token that was just made.
pub(super) fn token(body: &[u8]) -> Result<Token, Trouble> {
    let text = envelope(200, body)?.token.and_then(as_text).unwrap_or_default();
    Token::try_from(text.as_str()).map_err(Trouble::Token)
}

fn kind(value: Option<&RawValue>) -> &'static str {
    match value.and_then(|value| value.get().bytes().next()) {
        // serde makes no difference between a null and a key that is not there.
        None | Some(b'n') => "null",
        Some(b't' | b'f') => "a truth value",
        Some(b'"') => "a text",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        Some(_) => "a number",
    }
}

/// The message of an error answer, if it has K2HR3's form; nothing of a proxy's HTML.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).ok()?;
    let text = envelope.message.and_then(as_text).map(|text| shown(&text))?;
    (!text.is_empty()).then_some(text)
}

/// Percent-encodes a query value: everything but letters, digits and `-._~`.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        text(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn only_true_is_yes() {
        assert_eq!(text(br#"{"result":true,"message":null,"resource":"[GLOBAL]\n"}"#).unwrap(), "[GLOBAL]\n");
        for body in [
            r#"{"result":"true","resource":"x"}"#,
            r#"{"result":1,"resource":"x"}"#,
            r#"{"result":false,"message":"no","resource":"x"}"#,
            r#"{"resource":"x"}"#,
            "{}",
        ] {
            assert!(refused(body).starts_with("K2HR3 answered 200 without \"result\": true"), "{body}");
        }
    }

    #[test]
    fn a_key_s_value_is_a_text_or_a_number() {
        let read = |resource: &str| value(format!(r#"{{"result":true,"resource":{resource}}}"#).as_bytes());
        assert_eq!(read(r#""a,b""#).unwrap(), "a,b");
        assert_eq!((read(r#""""#).unwrap(), read("8020").unwrap()), (String::new(), "8020".into()));
        assert!(matches!(read("{}").unwrap_err(), Trouble::Instead("an object", "a key's value")));
        assert!(read("null").is_err() && value(b"").is_err());
    }

    #[test]
    fn what_is_not_the_resource_is_told_by_its_kind() {
        assert_eq!(refused(""), "K2HR3 answered 200 with an empty body");
        assert_eq!(refused(r#"{"result":true,"resource":""}"#), "K2HR3 answered 200 with an empty resource");
        assert_eq!(
            refused(r#"{"result":true,"resource":null}"#),
            "K2HR3 answered 200 with null instead of the resource's text"
        );
        assert_eq!(
            refused(r#"{"result":true,"resource":{}}"#),
            "K2HR3 answered 200 with an object instead of the resource's text"
        );
        assert!(refused("<html>result: true,</html>").contains("without readable JSON"));
        assert!(refused(r#"{"result":true,"resource":"[GLO"#).contains("without readable JSON"));
        assert!(refused(&"[".repeat(100_000)).contains("without readable JSON"));
    }

    #[test]
    fn a_host_list_is_read_whole_or_not_at_all() {
        let body = br#"{"result":true,"message":null,"resource":{
            "10.0.0.1,0,c1":{"host":"10.0.0.1","port":0,"extra":null,"cuk":"c1","tag":"t","inboundip":null,"outboundip":null},
            "10.0.0.2,0,":{"host":"10.0.0.2"}}}"#;
        let members = members(body).unwrap();
        assert_eq!(members.len(), 2);
        assert_eq!(members[0].cuk.as_deref(), Some("c1"));
        assert_eq!(members[1], HostRecord { host: "10.0.0.2".into(), ..HostRecord::default() });
        let broken = br#"{"result":true,"resource":{"a":{"host":"10.0.0.1","cuk":"c1"},"b":{"cuk":"c2"}}}"#;
        let trouble = super::members(broken).unwrap_err();
        assert!(matches!(&trouble, Trouble::Record(host, _) if host == "b"), "{trouble}");
    }

    #[test]
    fn half_of_a_surrogate_pair_is_told_as_what_it_is() {
        let body = |resource: &str| format!(r#"{{"result":true,"resource":{resource}}}"#).into_bytes();
        let half = r#""a\ud800b""#;
        let told = [
            text(&body(half)).unwrap_err(),
            value(&body(half)).unwrap_err(),
            members(&body(&format!("{{{half}:{{}}}}"))).unwrap_err(),
            members(&body(&format!(r#"{{"a":{{"host":"10.0.0.1","tag":{half}}}}}"#))).unwrap_err(),
        ];
        assert!(
            told.iter().all(|trouble| trouble.to_string().contains("half of a surrogate pair")),
            "{told:?}"
        );
        assert!(
            matches!(
                &told,
                [
                    Trouble::Damaged("a resource", _),
                    Trouble::Damaged("a key's value", _),
                    Trouble::Damaged("a host list", _),
                    Trouble::Record(host, _),
                ] if host == "a"
            ),
            "{told:?}"
        );
    }

    #[test]
    fn messages_lose_their_tokens_and_control_characters() {
        let digits = "81f0e7c67937adc0a0077613a78a8c919eee5e9dcb5db78e1f8a36cde1587f73";
        let body = format!(r#"{{"result":false,"message":"token({digits}) is\nnot existed"}}"#);
        assert_eq!(error_message(body.as_bytes()).unwrap(), "token(***) is\\nnot existed");
        assert_eq!(error_message(b"<html>"), None);
    }

    #[test]
    fn query_values_are_encoded() {
        assert_eq!(
            encoded("yrn:yahoo:::t:role:c/server/hosts/ip"),
            "yrn%3Ayahoo%3A%3A%3At%3Arole%3Ac%2Fserver%2Fhosts%2Fip"
        );
        assert_eq!(encoded("a-b.c_d~1"), "a-b.c_d~1");
    }
}
