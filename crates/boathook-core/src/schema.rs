//! Types of the fields of Kubernetes' built-in kinds, and of custom kinds by their OpenAPI schema: which fields exist,
//! how lists merge and which parts have one owner. Both patches rest on it, server-side apply and strategic merge.
//! The table is `schema/types.txt`. Unknown kinds have the deduced type: maps merge by key, lists are atomic.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use serde_json::Value;

use crate::Gvk;

/// The type of a value.
#[derive(Clone, Debug)]
pub enum Type {
    /// A scalar: text, number, flag, or anything that has one owner.
    Scalar(Scalar),
    /// A map whose keys are fields of a fixed set.
    Struct(Arc<Struct>),
    /// A map with free keys.
    Map(Box<Type>),
    /// A list.
    List(Box<Type>, ListKind),
    /// A map with free keys or a list that always has one owner as a whole.
    Atomic(Box<Type>),
    /// Not known: decided by the value.
    Deduced,
    /// A named type of the table.
    Named(&'static str),
}

/// What a scalar holds, for strict decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// Anything.
    Any,
}

/// How server-side apply merges a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// As a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Items are found by these keys.
    Keyed(Vec<String>),
}

/// A map whose keys are known.
#[derive(Debug)]
pub struct Struct {
    /// The fields.
    pub fields: HashMap<String, Type>,
    /// Whether fields outside the table may be there (`x-kubernetes-preserve-unknown-fields`).
    pub open: bool,
    /// Fields that strategic merge patch does not merge as their type says.
    exceptions: HashMap<&'static str, PatchStrategy>,
}

/// How strategic merge patch merges a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchStrategy {
    /// By what.
    pub merge: Merge,
    /// Whether a patch lists the fields that stay (`$retainKeys`): of the map, or of each item of the list.
    pub retain_keys: bool,
}

/// By what strategic merge patch merges a map or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Not at all: the new value takes the place of the old.
    Replace,
    /// A map by its fields, a list of scalars by its values.
    Parts,
    /// A list by this key of its items.
    Key(String),
}

/// One line of the table, read when it is first asked for.
struct Line {
    name: &'static str,
    text: &'static str,
    parsed: OnceLock<Type>,
}

static TABLE: LazyLock<HashMap<&'static str, Line>> =
    LazyLock::new(|| lines(include_str!("schema/types.txt")).map(|line| (line.name, line)).collect());

/// The groups of built-in kinds, and how the table names them.
const GROUPS: [(&str, &str); 22] = [
    ("", "core"),
    ("admissionregistration.k8s.io", "admissionregistration"),
    ("apiextensions.k8s.io", "apiextensions"),
    ("apps", "apps"),
    ("autoscaling", "autoscaling"),
    ("batch", "batch"),
    ("certificates.k8s.io", "certificates"),
    ("coordination.k8s.io", "coordination"),
    ("discovery.k8s.io", "discovery"),
    ("events.k8s.io", "events"),
    ("extensions", "extensions"),
    ("flowcontrol.apiserver.k8s.io", "flowcontrol"),
    ("imagepolicy.k8s.io", "imagepolicy"),
    ("internal.apiserver.k8s.io", "apiserverinternal"),
    ("networking.k8s.io", "networking"),
    ("node.k8s.io", "node"),
    ("policy", "policy"),
    ("rbac.authorization.k8s.io", "rbac"),
    ("resource.k8s.io", "resource"),
    ("scheduling.k8s.io", "scheduling"),
    ("storage.k8s.io", "storage"),
    ("storagemigration.k8s.io", "storagemigration"),
];

impl Type {
    /// The type of a built-in kind's objects.
    pub fn built_in(gvk: &Gvk) -> Option<Self> {
        let (_, package) = GROUPS.iter().find(|(group, _)| *group == gvk.group)?;
        let line = TABLE.get(format!("{package}.{}.{}", gvk.version, gvk.kind).as_str())?;
        let kind = Self::Named(line.name);
        // Every object has metadata, and no part of one has.
        kind.field("metadata").is_some().then_some(kind)
    }

    /// The type of a custom kind's objects, by the `openAPIV3Schema` of its version.
    pub fn custom(openapi: &Value) -> Self {
        let mut fields = HashMap::new();
        let mut open = true;
        if let Self::Struct(own) = from_openapi(openapi) {
            open = own.open;
            fields.extend(own.fields.iter().map(|(name, kind)| (name.clone(), kind.clone())));
        }
        fields.insert("apiVersion".to_owned(), Self::Scalar(Scalar::Text));
        fields.insert("kind".to_owned(), Self::Scalar(Scalar::Text));
        fields.insert("metadata".to_owned(), Self::Named("meta.v1.ObjectMeta"));
        Self::Struct(Arc::new(Struct { fields, open, exceptions: HashMap::new() }))
    }

    /// The type itself, if it is the name of one.
    pub fn resolve(&self) -> &Self {
        match self {
            Self::Named(name) => match TABLE.get(name) {
                Some(line) => line.parsed.get_or_init(|| parse_line(line.text)).resolve(),
                None => &Self::Deduced,
            },
            other => other,
        }
    }

    /// The type of a field of a map, with whether it is one of the fixed fields.
    pub fn field(&self, name: &str) -> Option<(&Self, bool)> {
        match self.resolve() {
            Self::Struct(map) => match map.fields.get(name) {
                Some(field) => Some((field, true)),
                None => map.open.then_some((&Self::Deduced, false)),
            },
            Self::Map(element) => Some((element, false)),
            Self::Deduced => Some((&Self::Deduced, false)),
            Self::Atomic(inner) => inner.field(name),
            Self::Scalar(_) | Self::List(..) | Self::Named(_) => None,
        }
    }

    /// The type of a field of a struct and how strategic merge patch merges it. `None` where that patch cannot go: it
    /// knows the fields of structs only, not the values of maps with free keys.
    pub fn patch_field(&self, name: &str) -> Option<(&Self, PatchStrategy)> {
        let map = match self.resolve() {
            Self::Struct(map) => map,
            Self::Atomic(inner) => return inner.patch_field(name),
            _ => return None,
        };
        let field = map.fields.get(name)?;
        let usual = match field.resolve() {
            Self::List(_, ListKind::Keyed(keys)) => keys.first().cloned().map_or(Merge::Replace, Merge::Key),
            Self::List(_, ListKind::Atomic) => Merge::Replace,
            _ => Merge::Parts,
        };
        let exception = map.exceptions.get(name).cloned();
        let strategy = match exception {
            Some(PatchStrategy { merge: Merge::Parts, retain_keys }) => {
                PatchStrategy { merge: usual, retain_keys }
            }
            Some(other) => other,
            None => PatchStrategy { merge: usual, retain_keys: false },
        };
        Some((field, strategy))
    }

    /// The type of the items of a list and how the list merges; atomic if it is not known to be a list.
    pub fn list(&self) -> (&Self, &ListKind) {
        match self.resolve() {
            Self::List(element, kind) => (element, kind),
            Self::Atomic(inner) => (inner.list().0, &ListKind::Atomic),
            _ => (&Self::Deduced, &ListKind::Atomic),
        }
    }

    /// Whether it is known to be a list.
    pub fn is_list(&self) -> bool {
        match self.resolve() {
            Self::List(..) => true,
            Self::Atomic(inner) => inner.is_list(),
            _ => false,
        }
    }

    /// Whether it is known to be a map with free keys.
    pub fn is_map(&self) -> bool {
        match self.resolve() {
            Self::Map(_) => true,
            Self::Atomic(inner) => inner.is_map(),
            _ => false,
        }
    }

    /// Whether the whole value has one owner, whatever it holds.
    pub fn is_leaf(&self, value: &Value) -> bool {
        match (self.resolve(), value) {
            (Self::Scalar(_) | Self::Atomic(_), _) => true,
            (_, Value::Object(_)) => false,
            (kind, Value::Array(_)) => *kind.list().1 == ListKind::Atomic,
            _ => true,
        }
    }
}

/// The default of a list key that an item may leave out.
pub fn key_default(key: &str) -> Option<Value> {
    (key == "protocol").then(|| Value::String("TCP".to_owned()))
}

fn lines(text: &'static str) -> impl Iterator<Item = Line> {
    text.lines().filter(|line| !line.starts_with('#')).map(|text| {
        let name = text.split(' ').next().unwrap_or_default();
        Line { name: name.strip_suffix('*').unwrap_or(name), text, parsed: OnceLock::new() }
    })
}

fn parse_line(text: &'static str) -> Type {
    let mut words = text.split(' ');
    let atomic = words.next().is_some_and(|name| name.ends_with('*'));
    let mut map = Struct { fields: HashMap::new(), open: false, exceptions: HashMap::new() };
    let mut alias = None;
    for (field, expression) in words.filter_map(|word| word.split_once('=')) {
        let (expression, exception) = expression.split_once('%').unwrap_or((expression, ""));
        let kind = parse_type(expression);
        if field.is_empty() {
            alias = Some(kind);
            continue;
        }
        let exception = match exception.split_once(':') {
            Some((_, key)) => Some((Merge::Key(key.to_owned()), false)),
            None if exception == "replace" => Some((Merge::Replace, false)),
            None if exception == "retain" => Some((Merge::Parts, true)),
            None => None,
        };
        if let Some((merge, retain_keys)) = exception {
            map.exceptions.insert(field, PatchStrategy { merge, retain_keys });
        }
        map.fields.insert(field.to_owned(), kind);
    }
    let kind = alias.unwrap_or_else(|| Type::Struct(Arc::new(map)));
    if atomic { Type::Atomic(Box::new(kind)) } else { kind }
}

fn parse_type(text: &'static str) -> Type {
    match text.split_at_checked(1) {
        Some(("s", _)) => Type::Scalar(Scalar::Text),
        Some(("n", _)) => Type::Scalar(Scalar::Number),
        Some(("b", _)) => Type::Scalar(Scalar::Flag),
        Some(("?", "")) => Type::Deduced,
        Some(("?", _)) => Type::Scalar(Scalar::Any),
        Some(("*", rest)) => Type::Atomic(Box::new(parse_type(rest))),
        Some(("@", name)) => Type::Named(name),
        Some(("{", rest)) => match rest.strip_prefix('*') {
            Some(rest) => Type::Atomic(Box::new(Type::Map(Box::new(parse_type(rest))))),
            None => Type::Map(Box::new(parse_type(rest))),
        },
        Some(("[", rest)) => {
            if let Some(rest) = rest.strip_prefix('*') {
                return Type::List(Box::new(parse_type(rest)), ListKind::Atomic);
            }
            if let Some(rest) = rest.strip_prefix('=') {
                return Type::List(Box::new(parse_type(rest)), ListKind::Set);
            }
            let (keys, rest) = rest.split_once(';').unwrap_or(("", rest));
            Type::List(
                Box::new(parse_type(rest)),
                ListKind::Keyed(keys.split(',').map(str::to_owned).collect()),
            )
        }
        _ => Type::Deduced,
    }
}

/// The type that a CRD's `openAPIV3Schema` describes.
fn from_openapi(schema: &Value) -> Type {
    let preserve = schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
    let atomic_map = schema["x-kubernetes-map-type"] == "atomic";
    let kind = match schema["type"].as_str() {
        _ if schema["x-kubernetes-int-or-string"] == Value::Bool(true) => Type::Scalar(Scalar::Any),
        Some("string") => Type::Scalar(Scalar::Text),
        Some("integer" | "number") => Type::Scalar(Scalar::Number),
        Some("boolean") => Type::Scalar(Scalar::Flag),
        Some("array") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let list = match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => ListKind::Keyed(
                    keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect(),
                ),
                Some("set") => ListKind::Set,
                _ => ListKind::Atomic,
            };
            Type::List(Box::new(from_openapi(&schema["items"])), list)
        }
        Some("object") => {
            if let Some(properties) = schema["properties"].as_object() {
                let fields =
                    properties.iter().map(|(name, field)| (name.clone(), from_openapi(field))).collect();
                Type::Struct(Arc::new(Struct { fields, open: preserve, exceptions: HashMap::new() }))
            } else if schema["additionalProperties"].is_object() {
                Type::Map(Box::new(from_openapi(&schema["additionalProperties"])))
            } else {
                Type::Deduced
            }
        }
        _ => Type::Deduced,
    };
    if atomic_map { Type::Atomic(Box::new(kind)) } else { kind }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn every_named_type_is_in_the_table() {
        let text = include_str!("schema/types.txt");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            for reference in line.split('@').skip(1) {
                let name = reference.split([' ', '%']).next().unwrap();
                assert!(TABLE.contains_key(name), "{name}");
            }
        }
        assert!(TABLE.len() > 800);
    }

    #[test_case("v1", "Pod" => true)]
    #[test_case("apps/v1", "Deployment" => true)]
    #[test_case("rbac.authorization.k8s.io/v1", "ClusterRole" => true)]
    #[test_case("storage.k8s.io/v1", "StorageClass" => true)]
    #[test_case("storagemigration.k8s.io/v1beta1", "StorageVersionMigration" => true)]
    #[test_case("policy/v1", "PodDisruptionBudget" => true)]
    #[test_case("apps.example.com/v1", "Deployment" => false; "a group that begins like a built-in one")]
    #[test_case("v1", "PodSpec" => false; "a part of an object")]
    #[test_case("apiextensions.k8s.io/v1", "CustomResourceDefinition" => true)]
    #[test_case("apiregistration.k8s.io/v1", "APIService" => false; "not one of client-go's")]
    #[test_case("core/v1", "Pod" => false; "the package is not the group")]
    fn built_in_kinds(api_version: &str, kind: &str) -> bool {
        Type::built_in(&Gvk::new(api_version, kind)).is_some()
    }

    fn at(path: &[&str]) -> Type {
        let mut kind = Type::Named("core.v1.Pod");
        for name in path {
            kind = kind.field(name).unwrap().0.clone();
            if let Type::List(element, _) = kind.resolve()
                && path.last() != Some(name)
            {
                kind = (**element).clone();
            }
        }
        kind
    }

    #[test]
    fn lists_have_the_keys_of_the_real_schema() {
        let keys = |path: &[&str]| at(path).list().1.clone();
        assert_eq!(keys(&["spec", "containers"]), ListKind::Keyed(vec!["name".to_owned()]));
        let ports = ListKind::Keyed(vec!["containerPort".to_owned(), "protocol".to_owned()]);
        assert_eq!(keys(&["spec", "containers", "ports"]), ports);
        assert_eq!(keys(&["spec", "containers", "command"]), ListKind::Atomic);
        assert_eq!(keys(&["metadata", "finalizers"]), ListKind::Set);
    }

    #[test_case("core.v1.PodSpec", "containers" => Some((Merge::Key("name".into()), false)))]
    #[test_case("core.v1.PodSpec", "volumes" => Some((Merge::Key("name".into()), true)); "volumes keep only what a patch lists")]
    #[test_case("core.v1.Container", "ports" => Some((Merge::Key("containerPort".into()), false)); "the first key alone")]
    #[test_case("core.v1.Container", "envFrom" => Some((Merge::Replace, false)); "a list that is replaced")]
    #[test_case("core.v1.PodStatus", "hostIPs" => Some((Merge::Key("ip".into()), false)); "merged although apply replaces it")]
    #[test_case("core.v1.ResourceRequirements", "claims" => Some((Merge::Replace, false)); "replaced although apply merges it")]
    #[test_case("meta.v1.ObjectMeta", "finalizers" => Some((Merge::Parts, false)))]
    #[test_case("meta.v1.ObjectMeta", "labels" => Some((Merge::Parts, false)))]
    #[test_case("meta.v1.LabelSelector", "matchLabels" => Some((Merge::Parts, false)); "one owner does not mean replaced")]
    #[test_case("apps.v1.DeploymentSpec", "strategy" => Some((Merge::Parts, true)))]
    #[test_case("policy.v1.PodDisruptionBudgetSpec", "selector" => Some((Merge::Replace, false)))]
    #[test_case("core.v1.Container", "imagee" => None; "unknown field")]
    fn strategies_of_strategic_merge_patch(name: &'static str, field: &str) -> Option<(Merge, bool)> {
        let kind = Type::Named(name);
        kind.patch_field(field).map(|(_, strategy)| (strategy.merge, strategy.retain_keys))
    }
}
