//! `/v1/userdata` and `/v1/extdata`: the script with which a VM enters its role, made of the template that an operator gives
//! K2HR3. No engine runs here: five placeholders are replaced wherever they stand (`lib/k2hr3userdata.ts`).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Refusal;
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::query::decode_component;
use crate::k2hr3::state::State;

const BOUNDARY: &str = "================K2HR3INIT0000000000000==";

/// For a path that stands for nothing.
const INVALID: &str = "#!/bin/sh\necho 'k2hr3-init: the path of this user data is invalid' >&2\nexit 1\n";

/// For cloud-init: a multipart text, packed from version 0.7.9 on. A path that leads nowhere still gives
/// 200, with a script that fails (h01-h05).
pub(super) fn cloud_init(state: &State, request: &Request, path: &str) -> Result<Answer, Refusal> {
    let agent = agent(request)?.to_lowercase();
    if !agent.contains("cloud-init") {
        return Err(not_allowed());
    }
    let parts = parts(state, request, path);
    let (body, count) = (multipart(&parts), parts.len());
    let kind = format!("multipart/mixed; boundary=\"{BOUNDARY}\"");
    if packs(&agent) || accepts_packed(request) {
        // Packed, it carries its head within (`lib/k2hr3userdata.ts`), or cloud-init would not know what it is.
        let head =
            format!("Content-Type: {kind}\r\nMIME-Version: 1.0\r\nNumber-Attachments: {count}\r\n\r\n");
        return packed(&(head + &body), "k2hr3-userdata.gz");
    }
    let mut answer = Answer::typed(200, &format!("{kind}; charset=utf-8"), body.into_bytes());
    answer.headers.extend([("MIME-Version", "1.0".to_owned()), ("Number-Attachments", count.to_string())]);
    Ok(answer)
}

/// For other clients: the bare script, and the User-Agent must be exactly the configured one (h07-h10).
pub(super) fn extra(state: &State, request: &Request, path: &str) -> Result<Answer, Refusal> {
    let agent = agent(request)?;
    let (name, path) = path.split_once('/').unwrap_or((path, ""));
    let known = state.user_data.iter().find(|known| known.name == name);
    let known =
        known.ok_or_else(|| Refusal::new(400, format!("GET request URL path({name}) does not exist")))?;
    if known.user_agent != agent {
        return Err(not_allowed());
    }
    let script = script(state, request, path);
    if accepts_packed(request) {
        return packed(&script, "k2hr3-extdata.gz");
    }
    Ok(Answer::typed(200, "text/x-shellscript; charset=utf-8", script.into_bytes()))
}

fn agent(request: &Request) -> Result<&str, Refusal> {
    request
        .header("user-agent")
        .ok_or_else(|| Refusal::new(400, "GET request does not have User-Agent header"))
}

fn not_allowed() -> Refusal {
    Refusal::new(400, "GET request is not allowed from your client")
}

/// Any of the three parts of the version being large enough is enough for the real server.
fn packs(agent: &str) -> bool {
    let version = agent.split("cloud-init/").nth(1).unwrap_or_default();
    let mut parts = version.split(['.', ' ', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let mut over = |least: u32| parts.next().is_some_and(|part| part > least);
    [over(0), over(7), over(8)].contains(&true)
}

fn accepts_packed(request: &Request) -> bool {
    request.header("accept-encoding").is_some_and(|value| value.contains("gzip") || value.contains("deflate"))
}

fn packed(text: &str, name: &str) -> Result<Answer, Refusal> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let bytes = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    let mut answer = Answer::typed(200, "application/zip", bytes.map_err(|_| Refusal::new(500, "gzip"))?);
    answer.headers.extend([
        ("Content-Encoding", "gzip".to_owned()),
        ("Content-Transfer-Encoding", "binary".to_owned()),
        ("Content-Disposition", format!("attachment; filename={name}")),
    ]);
    Ok(answer)
}

/// A part of the multipart text: its type, the name of its file, and what is in it.
type Part = (&'static str, &'static str, String);

/// A good path gives two parts, and a bad one gives one.
fn parts(state: &State, request: &Request, path: &str) -> Vec<Part> {
    let script = |name, text| ("text/x-shellscript", name, text);
    match filled(state, request, path) {
        Some(text) => vec![
            ("text/cloud-config", "k2hr3-cloud-config.txt", state.cloud_config.clone()),
            script("k2hr3-init.sh", text),
        ],
        None => vec![script("k2hr3-init-error.sh", INVALID.to_owned())],
    }
}

fn multipart(parts: &[Part]) -> String {
    let part = |(kind, name, text): &Part| {
        format!(
            "--{BOUNDARY}\r\nMIME-Version: 1.0\r\nContent-Type: {kind}; charset=\"us-ascii\"\r\n\
             Content-Transfer-Encoding: 7bit\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n{text}\r\n"
        )
    };
    parts.iter().map(part).collect::<String>() + &format!("--{BOUNDARY}--\r\n")
}

fn script(state: &State, request: &Request, path: &str) -> String {
    filled(state, request, path).unwrap_or_else(|| INVALID.to_owned())
}

/// The script for the role and the token that the path stands for, if it stands for any.
fn filled(state: &State, request: &Request, path: &str) -> Option<String> {
    let path = decode_component(path).unwrap_or_default();
    let is_asked = |register_path: &str| decode_component(register_path).is_some_and(|known| known == path);
    let mut tokens = state.role_tokens.iter();
    let (token, entry) = tokens.find(|(_, entry)| !path.is_empty() && is_asked(&entry.register_path))?;
    let api_uri = format!("http://{}", request.header("host").unwrap_or_default());
    let tenant = format!("yrn:yahoo:::{}", entry.tenant);
    let values = [
        ("ROLE_NAME", entry.role.as_str()),
        ("ROLE_TENANT", &tenant),
        ("ROLE_TOKEN", token),
        ("API_HOST_URI", &api_uri),
        ("ERROR_MSG", ""),
    ];
    Some(values.iter().fold(state.script.clone(), |script, (name, value)| {
        script.replace(&format!("{{{{= %K2HR3_{name}% }}}}"), value)
    }))
}
