//! Names as types: what a guest or a manifest gives is parsed once, and everything behind this point (decisions,
//! URLs) holds only values that cannot be read as a path, a query or another object.

use std::fmt;

/// A name that breaks its rule. `what` says which rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no valid {what}")]
pub struct InvalidName {
    /// The value, as given.
    pub value: String,
    /// What it should have been, with the rule in words.
    pub what: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks the rule.
            ///
            /// # Errors
            /// [`InvalidName`] with the rule in words.
            pub fn new(value: &str) -> Result<Self, InvalidName> {
                let rule: fn(&str) -> bool = $rule;
                if rule(value) {
                    Ok(Self(value.to_owned()))
                } else {
                    Err(InvalidName { value: value.to_owned(), what: $what })
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A namespace: a DNS label (RFC 1123).
    Namespace,
    "namespace (a DNS label: at most 63 of a-z, 0-9 and '-', not starting or ending with '-')",
    is_dns_label
);
name_type!(
    /// A name of any kind of object. Kinds differ (RBAC names hold `:`), so this is the widest rule that is still one
    /// path segment; the API server applies the kind's own. `*` alone would mean any name in a rule.
    Name,
    "object name (one path segment of at most 253 visible ASCII characters, no '/', '%', '?', '#' or '\\', not '*')",
    is_path_segment
);
name_type!(
    /// A plural resource name as discovery gives it.
    Plural,
    "resource name (lower-case letters, digits and '-')",
    |value| !value.is_empty()
        && value.len() <= 63
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

/// A DNS label (RFC 1123): the rule of namespaces and of release names' parts.
pub fn is_dns_label(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 63
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-')
}

/// A DNS subdomain (RFC 1123): labels joined by dots, at most 253 characters; the rule of most object names.
pub fn is_dns_subdomain(value: &str) -> bool {
    value.len() <= 253 && value.split('.').all(is_dns_label)
}

fn is_path_segment(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 253
        && value != "."
        && value != ".."
        && value != "*"
        && value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'%' | b'?' | b'#' | b'\\'))
}

/// A kind as the API serves it: what discovery answers for a [`crate::Gvk`]. Whether it is namespaced comes from
/// there, never from a guest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Group, version and kind.
    pub gvk: crate::Gvk,
    /// `configmaps`.
    pub plural: Plural,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// One object on a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Its kind.
    pub resource: Resource,
    /// `Some` exactly if the resource is namespaced.
    pub namespace: Option<Namespace>,
    /// Its name.
    pub name: Name,
}

impl Target {
    /// What names it, as data.
    pub fn reference(&self) -> crate::ObjectRef {
        crate::ObjectRef {
            api_version: self.resource.gvk.api_version(),
            kind: self.resource.gvk.kind.clone(),
            namespace: self.namespace.as_ref().map(ToString::to_string),
            name: self.name.to_string(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference().fmt(f)
    }
}

/// All objects of a kind: in one namespace, in all (`None` on a namespaced resource), or of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collection {
    /// Their kind.
    pub resource: Resource,
    /// Where to look.
    pub namespace: Option<Namespace>,
}
