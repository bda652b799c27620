//! A cluster as the tools of `DBaaS` create it: resources, policy, roles and a token for each.

use serde_json::{Map, json};

use super::{Lab, USER};
use crate::k2hr3::state::{Maker, Policy, REGISTERED_TOKEN_LIFE, Resource, State};
use crate::k2hr3::yrn;

/// The template `create_cluster` writes: ours, with the keys and values of the `DBaaS` CLI's. `@ROLE@` in it
/// stands for the YRN of the cluster's role.
pub const STOCK_TEMPLATE: &str = include_str!("../dbaas.template");

/// The names that `k2hr3 database create` makes, all YRNs in full, and one token as VMs get it (ten years,
/// good from any address).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `yrn:yahoo:::<tenant>:role:<cluster>/server`
    pub server_role: String,
    /// `yrn:yahoo:::<tenant>:role:<cluster>/slave`
    pub slave_role: String,
    /// `yrn:yahoo:::<tenant>:resource:<cluster>`: the template, and the keys that both kinds of nodes share.
    pub resource: String,
    /// `yrn:yahoo:::<tenant>:resource:<cluster>/server`
    pub server_resource: String,
    /// `yrn:yahoo:::<tenant>:resource:<cluster>/slave`
    pub slave_resource: String,
    /// Role token of the server role, without `R=`.
    pub server_token: String,
    /// Role token of the slave role, without `R=`.
    pub slave_token: String,
}

impl Lab {
    /// Makes what `k2hr3 database create <cluster>` makes, with our `DBaaS` template.
    pub fn create_cluster(&self, tenant: &str, cluster: &str) -> Cluster {
        self.create_cluster_with_template(tenant, cluster, STOCK_TEMPLATE)
    }

    /// The same with an own template, in which `@ROLE@` is replaced as in the stock one.
    pub fn create_cluster_with_template(&self, tenant: &str, cluster: &str, template: &str) -> Cluster {
        self.with(|state| {
            if !state.tenants.iter().any(|known| known == tenant) {
                state.tenants.push(tenant.to_owned());
            }
            let template = template.replace("@ROLE@", &yrn::role(tenant, cluster));
            create_resources(state, tenant, cluster, &template);
            create_roles(state, tenant, cluster)
        })
    }
}

fn create_resources(state: &mut State, tenant: &str, cluster: &str, template: &str) {
    let common = json!({
        "cluster-name": cluster, "chmpx-server-port": 8020, "chmpx-server-ctlport": 8021, "chmpx-slave-ctlport": 8031,
    });
    let server = json!({
        "chmpx-mode": "SERVER", "k2hr3-init-packages": "",
        "k2hr3-init-packagecloud-packages": "k2hdkc-dbaas-override-conf,k2hr3-get-resource,chmpx,k2hdkc",
        "k2hr3-init-systemd-packages": "chmpx.service,k2hdkc.service,k2hr3-get-resource.timer",
    });
    let slave = json!({
        "chmpx-mode": "SLAVE", "k2hr3-init-packages": "",
        "k2hr3-init-packagecloud-packages": "k2hdkc-dbaas-override-conf,k2hr3-get-resource,chmpx",
        "k2hr3-init-systemd-packages": "chmpx.service,k2hr3-get-resource.timer",
    });
    for (name, text, keys) in [
        (cluster.to_owned(), template, common),
        (format!("{cluster}/server"), "", server),
        (format!("{cluster}/slave"), "", slave),
    ] {
        let resource = Resource {
            kind: Some("string".to_owned()),
            text: text.to_owned(),
            keys: keys.as_object().cloned().or_else(|| Some(Map::new())),
            ..Resource::default()
        };
        state.resources.insert(yrn::resource(tenant, &name), resource);
    }
}

fn create_roles(state: &mut State, tenant: &str, cluster: &str) -> Cluster {
    let [server, slave] = ["server", "slave"].map(|end| format!("{cluster}/{end}"));
    let policy = yrn::policy(tenant, cluster);
    let resources = [&server, &slave].map(|name| yrn::resource(tenant, name));
    let actions = vec!["yrn:yahoo::::action:read".to_owned()];
    state.policies.insert(policy.clone(), Policy { allows: true, actions, resources: resources.to_vec() });
    state.put_role(&yrn::role(tenant, cluster), Some(vec![policy]), None);
    let roles = [&server, &slave].map(|name| yrn::role(tenant, name));
    let tokens = roles.each_ref().map(|role| {
        state.put_role(role, None, None);
        let maker = Maker::User(USER.to_owned());
        state
            .make_role_token(role, tenant, maker, REGISTERED_TOKEN_LIFE)
            .map(|made| made.0)
            .unwrap_or_default()
    });
    let ([server_role, slave_role], [server_resource, slave_resource]) = (roles, resources);
    let [server_token, slave_token] = tokens;
    let resource = yrn::resource(tenant, cluster);
    Cluster { server_role, slave_role, resource, server_resource, slave_resource, server_token, slave_token }
}
