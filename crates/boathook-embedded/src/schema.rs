//! The types of served kinds: built-in ones by their name, custom ones by the schema of their CRD.

pub(crate) use boathook_core::schema::{ListKind, Merge, Scalar, Type};
use serde_json::Value;

use crate::resource::ResourceType;

/// The type of a kind's objects.
pub(crate) fn type_of(kind: &ResourceType) -> Type {
    match kind.schema {
        Some(name) => Type::Named(name),
        None => Type::custom(kind.crd.as_deref().unwrap_or(&Value::Null)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Registry;

    #[test]
    fn every_built_in_kind_has_its_type() {
        for kind in Registry::built_in().iter() {
            if kind.schema.is_some() {
                assert!(matches!(type_of(kind).resolve(), Type::Struct(_)), "{}", kind.kind);
            }
        }
    }
}
