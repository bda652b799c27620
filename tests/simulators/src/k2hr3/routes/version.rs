//! `/` and `/v1`. Neither touches the backend, so neither is a health check (down-k2hdkc-version).

use serde_json::json;

use crate::k2hr3::answer::Answer;

pub(super) fn root() -> Answer {
    Answer::json(200, &json!({"version": ["v1"]}))
}

/// The table of the real server, with its faults: `/v1/host` does not exist, other paths are missing (a02).
pub(super) fn endpoints() -> Answer {
    let all = ["HEAD", "GET", "PUT", "POST", "DELETE"];
    Answer::json(
        200,
        &json!({
            "version": {"/": ["GET"], "/v1": ["GET"]},
            "user token": {"/v1/user/tokens": ["HEAD", "GET", "POST"]},
            "host": {
                "/v1/host": ["GET", "PUT", "POST", "DELETE"],
                "/v1/host/{port}": ["PUT", "POST", "DELETE"],
                "/v1/host/FQDN": ["DELETE"],
                "/v1/host/FQDN:{port}": ["DELETE"],
                "/v1/host/IP": ["DELETE"],
                "/v1/host/IP:{port}": ["DELETE"],
            },
            "service": {
                "/v1/service": ["PUT", "POST"],
                "/v1/service/{service}": ["GET", "HEAD", "PUT", "POST", "DELETE"],
            },
            "role": {"/v1/role": ["PUT", "POST"], "/v1/role/{role}": all, "/v1/role/token/{role}": ["GET"]},
            "resource": {"/v1/resource": ["PUT", "POST"], "/v1/resource/{resource}": ["HEAD", "GET", "DELETE"]},
            "policy": {"/v1/policy": ["PUT", "POST"], "/v1/policy/{policy}": ["HEAD", "GET", "DELETE"]},
            "list": {"/v1/list": ["HEAD", "GET"], "/v1/list/{role, resource, policy}/{path}": ["HEAD", "GET"]},
            "acr": {"/v1/acr/{service}": ["GET", "PUT", "POST", "DELETE"]},
        }),
    )
}
