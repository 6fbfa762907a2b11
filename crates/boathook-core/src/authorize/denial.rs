//! A refusal, for people: what was refused, why, and the exact lines that would allow it. It is made from the request
//! and the grant only: it must not reveal whether an object exists, nor the value of a credential.

use std::fmt;

use crate::permissions::{HttpRule, Network, Permissions, PolicyRule};
use crate::plugin::Capability;

/// A call that the grant does not allow. Nothing was sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("not allowed to {action}: {reason}")]
pub struct Denial {
    /// Which interface was called.
    pub capability: Capability,
    /// `create secrets/my-app in prod`, `POST https://example.com/hook`.
    pub action: String,
    /// Why, in a few words.
    pub reason: String,
    /// The way out.
    pub hint: Hint,
}

impl Denial {
    /// A refusal that no grant can lift.
    pub(super) fn never(capability: Capability, action: String, reason: String) -> Self {
        Self { capability, action, hint: Hint::Never(reason.clone()), reason }
    }
}

/// What would allow a denied request. [`fmt::Display`] gives the YAML lines for the hook's spec, or the reason why
/// there are none.
#[derive(Clone, Debug, PartialEq)]
pub enum Hint {
    /// The smallest rules that allow this request when they are added.
    Grant(Permissions),
    /// An entry of `credentials` is missing.
    Credential {
        /// Its name.
        name: String,
    },
    /// An HTTP rule for a URL that is a credential's value and so cannot be shown.
    UrlOfCredential {
        /// The credential.
        name: String,
        /// The method.
        method: String,
        /// Where the address lies, if that is why it was refused.
        network: Network,
    },
    /// Nothing allows it; the reason.
    Never(String),
}

impl Hint {
    /// The rules to add, where there are some that can be shown.
    pub fn permissions(&self) -> Option<&Permissions> {
        match self {
            Self::Grant(permissions) => Some(permissions),
            Self::Credential { .. } | Self::UrlOfCredential { .. } | Self::Never(_) => None,
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(permissions) => {
                f.write_str("permissions:")?;
                if !permissions.kubernetes.is_empty() {
                    f.write_str("\n  kubernetes:")?;
                }
                for rule in &permissions.kubernetes {
                    write!(f, "\n  - {}", policy_rule(rule))?;
                }
                if !permissions.http.is_empty() {
                    f.write_str("\n  http:")?;
                }
                for rule in &permissions.http {
                    write!(f, "\n  - {}", http_rule(rule))?;
                }
                Ok(())
            }
            Self::Credential { name } => {
                let name = scalar(name);
                write!(f, "credentials:\n- {{name: {name}, secretKeyRef: {{name: SECRET, key: KEY}}}}")
            }
            Self::UrlOfCredential { name, method, network } => {
                write!(
                    f,
                    "permissions:\n  http:  # the origin, and as much of the path as you like, of the URL in \
                     credential {}\n  - {{url: \"https://HOST/PATH\", methods: [{}]",
                    scalar(name),
                    scalar(method)
                )?;
                if *network != Network::default() {
                    write!(f, ", network: {network}")?;
                }
                f.write_str("}")
            }
            Self::Never(reason) => write!(f, "no permission allows this: {reason}"),
        }
    }
}

fn policy_rule(rule: &PolicyRule) -> String {
    let mut text = format!(
        "{{apiGroups: {}, resources: {}, verbs: {}",
        list(&rule.api_groups),
        list(&rule.resources),
        list(&rule.verbs)
    );
    if !rule.resource_names.is_empty() {
        text += &format!(", resourceNames: {}", list(&rule.resource_names));
    }
    if !rule.namespaces.is_empty() {
        text += &format!(", namespaces: {}", list(&rule.namespaces));
    }
    text + "}"
}

fn http_rule(rule: &HttpRule) -> String {
    let mut text = format!("{{url: {}, methods: {}", quoted(&rule.url), list(&rule.methods));
    if rule.network != Network::default() {
        text += &format!(", network: {}", rule.network);
    }
    text + "}"
}

fn list(items: &[String]) -> String {
    let items: Vec<_> = items.iter().map(|item| scalar(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A string as a YAML flow scalar: plain where every YAML 1.1 and 1.2 reader takes it for a string, quoted otherwise.
fn scalar(text: &str) -> String {
    const NOT_STRINGS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/' | b'_'))
        && !NOT_STRINGS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
