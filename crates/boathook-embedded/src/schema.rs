//! Types of the fields of known kinds: what decides which fields exist, how lists merge and which parts have one owner.
//! The table is `schema/types.txt`; the types of a CRD come from its own OpenAPI schema. Unknown kinds have the deduced
//! type: maps merge by key, lists are atomic.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use serde_json::Value;

use crate::resource::ResourceType;

/// The type of a value.
#[derive(Clone, Debug)]
pub(crate) enum Type {
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
pub(crate) enum Scalar {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// Anything.
    Any,
}

/// How a list merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// As a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Items are found by these keys.
    Keyed(Vec<String>),
}

/// A map whose keys are known.
#[derive(Debug)]
pub(crate) struct Struct {
    /// The fields.
    pub(crate) fields: HashMap<String, Type>,
    /// Whether fields outside the table may be there (`x-kubernetes-preserve-unknown-fields`).
    pub(crate) open: bool,
}

/// A line of the table. It is read when it is first asked for: a hook's cluster needs a dozen of hundreds.
struct Line {
    name: &'static str,
    text: &'static str,
    kind: OnceLock<Type>,
}

/// The table, sorted by name.
static TABLE: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let lines = include_str!("schema/types.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|text| {
            let name = text.split([' ', '*']).next().filter(|name| !name.is_empty())?;
            Some(Line { name, text, kind: OnceLock::new() })
        })
        .collect()
});

/// A type of the table.
fn named(name: &str) -> Option<&'static Type> {
    let at = TABLE.binary_search_by(|line| line.name.cmp(name)).ok()?;
    let line = &TABLE[at];
    Some(line.kind.get_or_init(|| parse_line(line.text)))
}

impl Type {
    /// The type of a kind's objects.
    pub(crate) fn of(kind: &ResourceType) -> Type {
        if let Some(name) = kind.schema {
            return Type::Named(name);
        }
        let mut fields = HashMap::new();
        let mut open = true;
        if let Some(schema) = &kind.crd
            && let Type::Struct(own) = from_openapi(schema)
        {
            open = own.open;
            fields.extend(own.fields.iter().map(|(name, kind)| (name.clone(), kind.clone())));
        }
        fields.insert("apiVersion".to_owned(), Type::Scalar(Scalar::Text));
        fields.insert("kind".to_owned(), Type::Scalar(Scalar::Text));
        fields.insert("metadata".to_owned(), Type::Named("meta.v1.ObjectMeta"));
        Type::Struct(Arc::new(Struct { fields, open }))
    }

    /// The type itself, if it is the name of one.
    pub(crate) fn resolve(&self) -> &Type {
        match self {
            Type::Named(name) => named(name).unwrap_or(&Type::Deduced).resolve(),
            other => other,
        }
    }

    /// The type of a field of a map, with whether it is one of the fixed fields.
    pub(crate) fn field(&self, name: &str) -> Option<(&Type, bool)> {
        match self.resolve() {
            Type::Struct(map) => match map.fields.get(name) {
                Some(field) => Some((field, true)),
                None => map.open.then_some((&Type::Deduced, false)),
            },
            Type::Map(element) => Some((element, false)),
            Type::Deduced => Some((&Type::Deduced, false)),
            Type::Atomic(inner) => inner.field(name),
            Type::Scalar(_) | Type::List(..) | Type::Named(_) => None,
        }
    }

    /// The type of the items of a list and how the list merges; atomic if it is not known to be a list.
    pub(crate) fn list(&self) -> (&Type, &ListKind) {
        match self.resolve() {
            Type::List(element, kind) => (element, kind),
            Type::Atomic(inner) => (inner.list().0, &ListKind::Atomic),
            _ => (&Type::Deduced, &ListKind::Atomic),
        }
    }

    /// Whether the whole value has one owner, whatever it holds.
    pub(crate) fn is_leaf(&self, value: &Value) -> bool {
        match (self.resolve(), value) {
            (Type::Scalar(_) | Type::Atomic(_), _) => true,
            (_, Value::Object(_)) => false,
            (kind, Value::Array(_)) => *kind.list().1 == ListKind::Atomic,
            _ => true,
        }
    }
}

/// The default of a list key that an item may leave out.
pub(crate) fn key_default(key: &str) -> Option<Value> {
    (key == "protocol").then(|| Value::String("TCP".to_owned()))
}

fn parse_line(line: &'static str) -> Type {
    let mut words = line.split(' ');
    let atomic = words.next().is_some_and(|name| name.ends_with('*'));
    let mut fields = HashMap::new();
    let mut alias = None;
    for word in words {
        match word.split_once('=') {
            Some(("", expression)) => alias = Some(parse_type(expression)),
            Some((field, expression)) => {
                fields.insert(field.to_owned(), parse_type(expression));
            }
            None => {}
        }
    }
    let kind = alias.unwrap_or_else(|| Type::Struct(Arc::new(Struct { fields, open: false })));
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
                Type::Struct(Arc::new(Struct { fields, open: preserve }))
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
    use super::*;
    use crate::resource::Registry;

    #[test]
    fn every_named_type_is_in_the_table() {
        let text = include_str!("schema/types.txt");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            for reference in line.split('@').skip(1) {
                let name = reference.split(' ').next().unwrap();
                assert!(named(name).is_some(), "{name}");
            }
        }
        assert!(TABLE.len() > 300 && TABLE.is_sorted_by_key(|line| line.name));
        for kind in Registry::built_in().iter() {
            if let Some(name) = kind.schema {
                assert!(matches!(named(name), Some(Type::Struct(_))), "{name}");
            }
        }
    }

    #[test]
    fn lists_have_the_keys_of_the_real_schema() {
        let keys = |path: &[&str]| {
            let mut kind = Type::Named("core.v1.Pod");
            for name in path {
                kind = kind.field(name).unwrap().0.clone();
                if let Type::List(element, _) = kind.resolve()
                    && path.last() != Some(name)
                {
                    kind = (**element).clone();
                }
            }
            kind.list().1.clone()
        };
        assert_eq!(keys(&["spec", "containers"]), ListKind::Keyed(vec!["name".to_owned()]));
        let ports = ListKind::Keyed(vec!["containerPort".to_owned(), "protocol".to_owned()]);
        assert_eq!(keys(&["spec", "containers", "ports"]), ports);
        assert_eq!(keys(&["spec", "containers", "command"]), ListKind::Atomic);
        assert_eq!(keys(&["metadata", "finalizers"]), ListKind::Set);
    }
}
