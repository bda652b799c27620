//! Resources, and what a reader gets of them: text and keys of the path above, then the template run.

use serde_json::{Map, Value, json};

use super::{Kind, State};
use crate::k2hr3::template::{Broken, Template};
use crate::k2hr3::yrn::{self, Yrn};

/// A resource as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::k2hr3) struct Resource {
    /// `string` or `object`; a resource created with `data: null` has none, and breaks everything below it.
    pub(in crate::k2hr3) kind: Option<String>,
    pub(in crate::k2hr3) text: String,
    pub(in crate::k2hr3) object: Value,
    pub(in crate::k2hr3) keys: Option<Map<String, Value>>,
    pub(in crate::k2hr3) aliases: Vec<String>,
}

/// The questions about a resource by role token or by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::k2hr3) enum Element<'a> {
    Text,
    Object,
    Key(&'a str),
}

impl Element<'_> {
    /// As messages name it.
    pub(in crate::k2hr3) fn name(&self) -> String {
        match self {
            Self::Text => "string".to_owned(),
            Self::Object => "object".to_owned(),
            Self::Key(name) => format!("keys[{name}]"),
        }
    }
}

/// Returns everything of a resource at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::k2hr3) struct Expanded {
    pub(in crate::k2hr3) text: Option<String>,
    pub(in crate::k2hr3) object: Value,
    pub(in crate::k2hr3) keys: Option<Map<String, Value>>,
}

impl Expanded {
    /// An element, or nothing where the resource has none of that kind.
    pub(in crate::k2hr3) fn element(&self, element: Element<'_>) -> Option<Value> {
        match element {
            Element::Text => self.text.clone().map(Value::from),
            Element::Object => Some(self.object.clone()),
            Element::Key(name) => self.keys.as_ref()?.get(name).cloned(),
        }
        .filter(|value| !value.is_null())
    }
}

impl State {
    /// Reads a resource as K2HR3 does for every GET, even for one constant key: gather, find the host lists
    /// the template mentions, run it (dkc:9390-9657). The error is the message of the 404.
    pub(in crate::k2hr3) fn expand(&self, resource: &str) -> Result<Expanded, String> {
        let mut gathered = Expanded::default();
        if !self.gather(resource, &mut gathered, &mut Vec::new(), true) {
            return Err(format!("Could not get resource data for resource yrn: {resource}"));
        }
        let Some(text) = gathered.text.take_if(|text| !text.is_empty()) else { return Ok(gathered) };
        let quoted = Value::from(text.as_str());
        let failed = |_: Broken| {
            let resource = Value::from(resource);
            format!(
                "failed to expand {resource} and to execute template engine. there is something wrong in template string : {quoted}"
            )
        };
        let template = Template::parse(&text)
            .map_err(|_| format!("Could not load resource for template engine: {quoted}"))?;
        self.add_host_lists(&template, resource, &mut gathered.keys);
        let keys = gathered.keys.as_mut().ok_or(Broken::Execution).map_err(failed)?;
        gathered.text = Some(template.expand(keys).map_err(failed)?);
        Ok(gathered)
    }

    /// Text of the path above first, then of the aliases, then the own; keys alike, where the later wins.
    fn gather(
        &self,
        resource: &str,
        gathered: &mut Expanded,
        seen: &mut Vec<String>,
        with_parent: bool,
    ) -> bool {
        if seen.iter().any(|name| name == resource) {
            return true;
        }
        seen.push(resource.to_owned());
        let parent = yrn::parent(resource).filter(|_| with_parent);
        if parent.is_some_and(|parent| !self.gather(parent, gathered, seen, true)) {
            return false;
        }
        let Some(entry) = self.resources.get(resource) else { return false };
        if !entry.aliases.iter().all(|alias| self.gather(alias, gathered, seen, false)) {
            return false;
        }
        entry.add_keys(resource, gathered);
        match entry.kind.as_deref() {
            Some("string") => gathered.text.get_or_insert_default().push_str(&entry.text),
            Some("object") => entry.add_object(gathered),
            _ => return false,
        }
        true
    }

    /// Puts every host list that the template names into the keys, under its full name: which is what makes
    /// `keyname=<role yrn>/hosts/ip` readable. Names are not folded (t-upper-role), other tenants' lists are
    /// left out (t-role-othertenant-len).
    fn add_host_lists(&self, template: &Template, resource: &str, keys: &mut Option<Map<String, Value>>) {
        let tenant = Yrn::parse(resource, "resource").map(|yrn| yrn.tenant).unwrap_or_default();
        for name in template.variables() {
            let Some((role, kind)) = host_list_name(&name) else { continue };
            if Yrn::parse(role, "role").is_none_or(|yrn| yrn.tenant != tenant || !yrn.service.is_empty()) {
                continue;
            }
            let list = Value::Object(self.host_list(role, kind));
            keys.get_or_insert_default().entry(name.clone()).or_insert(list);
        }
    }
}

impl Resource {
    fn add_keys(&self, resource: &str, gathered: &mut Expanded) {
        let Some(keys) = &self.keys else { return };
        let merged = gathered.keys.get_or_insert_default();
        merged.extend(keys.clone());
        merged.extend(keys.iter().map(|(name, value)| (format!("{resource}/keys/{name}"), value.clone())));
    }

    fn add_object(&self, gathered: &mut Expanded) {
        match (&mut gathered.object, &self.object) {
            (Value::Object(merged), Value::Object(own)) => merged.extend(own.clone()),
            (merged, own) => *merged = own.clone(),
        }
    }

    /// Unexpanded, for `GET resource?expand=false` with a user token (c41).
    pub(in crate::k2hr3) fn plain(&self) -> Value {
        let text = (self.kind.as_deref() == Some("string")).then_some(&self.text);
        json!({"string": text, "object": self.object, "keys": self.keys, "expire": null, "aliases": self.aliases})
    }
}

fn host_list_name(variable: &str) -> Option<(&str, Kind)> {
    [("/hosts/ip", Kind::Ip), ("/hosts/name", Kind::Name), ("/hosts/all", Kind::All)]
        .into_iter()
        .find_map(|(suffix, kind)| variable.strip_suffix(suffix).map(|role| (role, kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "yrn:yahoo:::t:resource:c";
    const CHILD: &str = "yrn:yahoo:::t:resource:c/server";

    fn resource(text: &str, keys: &Value) -> Resource {
        let keys = keys.as_object().cloned();
        Resource { kind: Some("string".into()), text: text.into(), keys, ..Resource::default() }
    }

    #[test]
    fn text_and_keys_of_the_path_above_come_first_and_the_later_key_wins() {
        let mut state = State::default();
        state.resources.insert(PARENT.into(), resource("{{= %a% }}{{= %b% }}", &json!({"a": 1, "b": 2})));
        state.resources.insert(CHILD.into(), resource("{{= %a% }}", &json!({"b": 3})));
        assert_eq!(state.expand(CHILD).unwrap().text.unwrap(), "131");
    }

    #[test]
    fn a_resource_without_data_breaks_everything_below_it() {
        let mut state = State::default();
        state.resources.insert(PARENT.into(), Resource::default());
        state.resources.insert(CHILD.into(), resource("x", &json!({"a": 1})));
        assert_eq!(
            state.expand(CHILD).unwrap_err(),
            format!("Could not get resource data for resource yrn: {CHILD}")
        );
    }

    #[test]
    fn a_constant_key_fails_with_the_template() {
        let mut state = State::default();
        state.resources.insert(CHILD.into(), resource("{{ if }}", &json!({"a": 1})));
        state.resources.insert(PARENT.into(), resource("", &json!({})));
        assert!(state.expand(CHILD).unwrap_err().starts_with("Could not load resource for template engine"));
    }
}
