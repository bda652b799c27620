//! YRNs, the names of K2HR3, taken apart as it does: by greedy patterns, so no name may hold a colon.

/// `yrn:yahoo:<service>:<region, always empty>:<tenant>:<kind>:<name>`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Yrn {
    pub(super) service: String,
    pub(super) tenant: String,
    pub(super) name: String,
}

impl Yrn {
    /// The parts of a full YRN of this kind (`role`, `resource`, `policy`), or nothing.
    pub(super) fn parse(text: &str, kind: &str) -> Option<Self> {
        let (left, name) = text.strip_prefix("yrn:yahoo:")?.rsplit_once(&format!(":{kind}:"))?;
        let (service, tenant) = left.rsplit_once("::")?;
        Some(Self { service: service.to_owned(), tenant: tenant.to_owned(), name: name.to_owned() })
    }
}

pub(super) fn role(tenant: &str, name: &str) -> String {
    format!("yrn:yahoo:::{tenant}:role:{name}")
}

pub(super) fn resource(tenant: &str, name: &str) -> String {
    format!("yrn:yahoo:::{tenant}:resource:{name}")
}

pub(super) fn policy(tenant: &str, name: &str) -> String {
    format!("yrn:yahoo:::{tenant}:policy:{name}")
}

/// The YRN one path element up, while there is one: `..:role:a/b` -> `..:role:a`.
pub(super) fn parent(yrn: &str) -> Option<&str> {
    let start = yrn.rfind(':')?;
    let slash = yrn[start..].rfind('/')?;
    Some(&yrn[..start + slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_yrn_comes_apart() {
        let parts = Yrn::parse("yrn:yahoo:::tenant0:role:mycluster/server", "role").unwrap();
        let expected =
            Yrn { service: String::new(), tenant: "tenant0".into(), name: "mycluster/server".into() };
        assert_eq!(parts, expected);
        assert_eq!(Yrn::parse("mycluster/server", "role"), None);
        assert_eq!(Yrn::parse("yrn:yahoo:::tenant0:resource:x", "role"), None);
    }

    #[test]
    fn the_parent_is_one_path_element_up() {
        assert_eq!(parent("yrn:yahoo:::t:role:a/b/c"), Some("yrn:yahoo:::t:role:a/b"));
        assert_eq!(parent("yrn:yahoo:::t:role:a"), None);
    }
}
