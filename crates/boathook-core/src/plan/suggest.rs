//! The permissions that a plugin most likely needs, guessed from its declaration and its settings: the lines that are
//! printed when a hook grants nothing. It only writes text for a person; nothing is decided from it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::Gvk;
use crate::authorize::Hint;
use crate::permissions::{HttpRule, Network, Permissions, PolicyRule};
use crate::plugin::{Capability, DeclaredCapability};

/// The YAML lines to add for one declared capability: rules for the objects and URLs that stand in the settings, with the
/// verbs or methods that the plugin declares.
pub(super) fn missing(declared: &DeclaredCapability, config: &Map<String, Value>, namespace: &str) -> String {
    let mut found = Found::default();
    found.walk(&Value::Object(config.clone()));
    let permissions = match declared.capability {
        Capability::Kubernetes => {
            Permissions { kubernetes: found.rules(declared, namespace), http: Vec::new() }
        }
        Capability::Http => Permissions { kubernetes: Vec::new(), http: found.http_rules(declared) },
        Capability::Context | Capability::Log | Capability::Outputs => Permissions::default(),
    };
    Hint::Grant(permissions).to_string()
}

/// What in a plugin's settings looks like something to touch.
#[derive(Default)]
struct Found {
    /// (group, resource, namespace, name)
    objects: BTreeSet<(String, String, String, String)>,
    urls: BTreeSet<String>,
}

impl Found {
    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                self.note_object(map);
                map.values().for_each(|value| self.walk(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::String(text) => self.note_url(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn note_object(&mut self, map: &Map<String, Value>) {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else { return };
        let metadata = |key: &str| {
            let nested = map.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Value::as_str);
            nested.or_else(|| text(key)).unwrap_or_default().to_owned()
        };
        let group = Gvk::new(api_version, kind).group;
        self.objects.insert((group, guess_plural(kind), metadata("namespace"), metadata("name")));
    }

    fn note_url(&mut self, text: &str) {
        let Ok(url) = url::Url::parse(text) else { return };
        if matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none() {
            // The last segment may well be the secret part of a webhook's URL.
            if let Ok(folder) = url.join(".") {
                self.urls.insert(folder.to_string());
            }
        }
    }

    fn rules(&self, declared: &DeclaredCapability, release_namespace: &str) -> Vec<PolicyRule> {
        let verbs = or_placeholder(&declared.uses, "VERB");
        let rule = |group: &str, resource: &str, namespace: &str, name: &str| PolicyRule {
            api_groups: vec![group.to_owned()],
            resources: vec![resource.to_owned()],
            verbs: verbs.clone(),
            resource_names: if name.is_empty() { Vec::new() } else { vec![name.to_owned()] },
            namespaces: if namespace.is_empty() || namespace == release_namespace {
                Vec::new()
            } else {
                vec![namespace.to_owned()]
            },
        };
        if self.objects.is_empty() {
            return vec![rule("", "RESOURCE", "", "NAME")];
        }
        self.objects
            .iter()
            .map(|(group, resource, namespace, name)| rule(group, resource, namespace, name))
            .collect()
    }

    fn http_rules(&self, declared: &DeclaredCapability) -> Vec<HttpRule> {
        let methods = or_placeholder(&declared.uses, "GET");
        let urls = if self.urls.is_empty() {
            BTreeSet::from(["https://HOST/PATH/".to_owned()])
        } else {
            self.urls.clone()
        };
        urls.into_iter()
            .map(|url| HttpRule { network: guess_network(&url), url, methods: methods.clone() })
            .collect()
    }
}

fn or_placeholder(words: &[String], placeholder: &str) -> Vec<String> {
    if words.is_empty() { vec![placeholder.to_owned()] } else { words.to_vec() }
}

fn guess_network(url: &str) -> Network {
    let host =
        url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    match host.as_str() {
        "localhost" | "127.0.0.1" | "[::1]" => Network::Loopback,
        host if host.ends_with(".svc") || host.ends_with(".cluster.local") => Network::Cluster,
        _ => Network::Public,
    }
}

/// The plural that a kind most likely has: apimachinery's `UnsafeGuessKindToResource`.
fn guess_plural(kind: &str) -> String {
    let singular = kind.to_lowercase();
    match singular.as_str() {
        "endpoints" => singular,
        _ if singular.ends_with('s') => format!("{singular}es"),
        _ => match singular.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{singular}s"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn suggested(capability: Capability, uses: &[&str], config: Value) -> String {
        let declared = DeclaredCapability {
            capability,
            why: String::new(),
            uses: uses.iter().map(|word| (*word).to_owned()).collect(),
        };
        missing(&declared, config.as_object().unwrap(), "prod")
    }

    #[test]
    fn names_the_objects_in_the_settings() {
        let config = json!({"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}});
        assert_eq!(
            suggested(Capability::Kubernetes, &["get", "create"], config),
            "permissions:\n  kubernetes:\n  - {apiGroups: [\"\"], resources: [configmaps], verbs: [get, create], \
             resourceNames: [c]}"
        );
        let config = json!({"objects": [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "deny", "namespace": "other"}}]});
        assert_eq!(
            suggested(Capability::Kubernetes, &["get"], config),
            "permissions:\n  kubernetes:\n  - {apiGroups: [networking.k8s.io], resources: [networkpolicies], \
             verbs: [get], resourceNames: [deny], namespaces: [other]}"
        );
    }

    #[test]
    fn keeps_the_last_segment_of_a_url_out_of_the_lines() {
        let config = json!({"url": "https://hooks.example.com/services/T0/SECRET"});
        let lines = suggested(Capability::Http, &["POST"], config);
        assert_eq!(
            lines,
            "permissions:\n  http:\n  - {url: \"https://hooks.example.com/services/T0/\", methods: [POST]}"
        );
    }

    #[test]
    fn says_what_to_fill_in_where_the_settings_name_nothing() {
        let lines = suggested(Capability::Http, &["POST"], json!({"urlFrom": "webhook"}));
        assert!(lines.contains("https://HOST/PATH/"), "{lines}");
    }

    #[test]
    fn guesses_plurals_as_apimachinery_does() {
        for (kind, plural) in [
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Endpoints", "endpoints"),
            ("Pod", "pods"),
        ] {
            assert_eq!(guess_plural(kind), plural);
        }
    }
}
