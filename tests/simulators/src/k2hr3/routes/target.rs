//! Which role or resource a path names: a full YRN, or a bare path that the token's tenant completes.

use super::Refusal;
use super::caller::Caller;
use crate::k2hr3::yrn::{self, Yrn};

/// A role as a path named it, folded to lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleTarget {
    pub(super) tenant: String,
    pub(super) name: String,
}

impl RoleTarget {
    /// The role's YRN.
    pub(super) fn yrn(&self) -> String {
        yrn::role(&self.tenant, &self.name)
    }
}

/// The role of a call on `/v1/role/<path>` or `/v1/role/token/<path>`.
pub(super) fn role(path: &str, caller: &Caller) -> Result<RoleTarget, Refusal> {
    let path = path.to_lowercase();
    match (Yrn::parse(&path, "role"), caller.tenant()) {
        (Some(yrn), Some(tenant)) if yrn.tenant != tenant => Err(Refusal::new(
            400,
            format!(
                "GET request query has wrong tenant yrn full path(tenant={}) or not specify tenant.",
                yrn.tenant
            ),
        )),
        (Some(yrn), _) => Ok(RoleTarget { tenant: yrn.tenant, name: yrn.name }),
        (None, Some(tenant)) => Ok(RoleTarget { tenant: tenant.to_owned(), name: path }),
        (None, None) => Err(Refusal::new(
            400,
            "GET request role name which is not full yrn, and not token. role name must be full yrn, if token is not specified.",
        )),
    }
}

/// The resource YRN of a call on `/v1/resource/<path>` (`k2hr3_api` `routes/resource.ts`).
pub(super) fn resource(path: &str, caller: &Caller) -> Result<String, Refusal> {
    let path = path.to_lowercase();
    if path.is_empty() {
        return Err(Refusal::new(400, "Default resource name is not specified or wrong value : null"));
    }
    match (Yrn::parse(&path, "resource"), caller.tenant()) {
        (Some(yrn), Some(tenant)) if yrn.tenant != tenant => Err(Refusal::new(
            400,
            format!(
                "Request query has wrong yrn full path(tenant={}) to resource(tenant={tenant})",
                yrn.tenant
            ),
        )),
        (Some(_), _) => Ok(path),
        (None, Some(tenant)) => Ok(yrn::resource(tenant, &path)),
        (None, None) => Err(Refusal::new(400, "Request query does not have yrn full path to resource")),
    }
}
