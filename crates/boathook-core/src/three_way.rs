//! The patch of a client-side update: from what was applied last (original), what is wanted (modified) and what is there
//! (live) to what is to be sent, as `helm upgrade --server-side=false` and Helm 3 do it. Fields that others set stay, what
//! a former manifest set and the new one lacks goes, drift from the new manifest is repaired.
//!
//! Built-in kinds get a strategic merge patch, as `strategicpatch.CreateThreeWayMergePatch` of k8s.io/apimachinery makes
//! it; custom kinds a JSON merge patch, for they have no merge keys.

mod difference;
mod json_merge;
mod order;
mod union;

use serde_json::{Map, Value};

use crate::Object;
use crate::schema::Type;

/// What to send.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Nothing: the object is as it should be.
    Nothing,
    /// A strategic merge patch.
    StrategicMerge(Value),
    /// A JSON merge patch (RFC 7386).
    JsonMerge(Value),
}

/// How objects of custom kinds are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomKinds {
    /// The two manifests with each other: what others changed in the live object stays. Helm's way.
    TwoWay,
    /// With the live object too, as built-in kinds are: Helm's way for `--take-ownership`, where no manifest tells what
    /// the object was.
    ThreeWay,
}

/// Objects from which no patch can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct Unmergeable {
    /// The field, from the object down: `.spec.template.spec.containers`. Empty for the object.
    pub path: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Why no patch can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A map or a list changed of which it is not known how it merges: a field of a newer Kubernetes, a misspelt one, or
    /// one whose content is free.
    #[error("client-side updates cannot merge a change of this field; server-side apply can")]
    UnknownField,
    /// An item of a list that merges by a key does not have it.
    #[error("an item has no {0}, by which items of this list are merged")]
    MissingKey(String),
    /// A list holds lists, nulls, or values of several types.
    #[error("items of this list must all be maps, or all be scalars of one type")]
    MixedItems,
    /// A manifest that holds instructions of a patch.
    #[error("the name of this field is an instruction of strategic merge patch, not a field")]
    Directive,
    /// The objects are not one.
    #[error("apiVersion, kind and name of an object cannot be changed")]
    OtherObject,
}

impl Unmergeable {
    fn new(fault: Fault) -> Self {
        Self { path: String::new(), fault }
    }

    /// The same fault, told from one level further up: the map that has the field.
    fn below(mut self, field: &str) -> Self {
        self.path.insert_str(0, &format!(".{field}"));
        self
    }

    /// The same fault, told from the list that has the item.
    fn of_item(mut self, key: &str, value: &str) -> Self {
        self.path.insert_str(0, &format!("[{key}={value}]"));
        self
    }
}

/// Makes the patch that brings the live object to what is wanted. Where nothing is known of a former manifest, `original`
/// is the live object itself, as Helm has it.
///
/// # Errors
/// [`Unmergeable`] with the field, where the patch would be a guess. Helm fails in these cases too.
pub fn three_way(
    original: &Object,
    modified: &Object,
    live: &Object,
    custom_kinds: CustomKinds,
) -> Result<Update, Unmergeable> {
    match Type::built_in(&modified.reference().gvk()) {
        Some(kind) => {
            refuse_directives(&modified.0)?;
            // Deletions are what the new manifest lacks of the old one; everything else is told by the live object.
            let mut patch = difference::maps(&original.0, &modified.0, &kind, Part::Deletions, false)?;
            let changes = difference::maps(&live.0, &modified.0, &kind, Part::Changes, false)?;
            union::maps(&mut patch, changes, &kind);
            Ok(if patch.is_empty() { Update::Nothing } else { Update::StrategicMerge(Value::Object(patch)) })
        }
        None => {
            let patch = match custom_kinds {
                CustomKinds::TwoWay => json_merge::difference(&original.0, &modified.0),
                CustomKinds::ThreeWay => json_merge::three_way(&original.0, &modified.0, &live.0)?,
            };
            Ok(if patch.is_empty() { Update::Nothing } else { Update::JsonMerge(Value::Object(patch)) })
        }
    }
}

/// Which part of a difference is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// What was added or has another value.
    Changes,
    /// What is gone.
    Deletions,
}

/// The directive that deletes or replaces.
const PATCH: &str = "$patch";
/// The directive that lists the fields that stay.
const RETAIN_KEYS: &str = "$retainKeys";
/// Begins the directive that gives the order of a list.
const ELEMENT_ORDER: &str = "$setElementOrder/";
/// Begins the directive that takes scalars out of a list.
const DELETE_SCALARS: &str = "$deleteFromPrimitiveList/";

/// An instruction in a manifest would act on the server as if it were ours.
fn refuse_directives(map: &Map<String, Value>) -> Result<(), Unmergeable> {
    map.iter().try_for_each(|(key, value)| {
        let directive = key == PATCH
            || key == RETAIN_KEYS
            || key.starts_with(ELEMENT_ORDER)
            || key.starts_with(DELETE_SCALARS);
        let below = match value {
            _ if directive => Err(Unmergeable::new(Fault::Directive)),
            Value::Object(map) => refuse_directives(map),
            Value::Array(list) => list.iter().filter_map(Value::as_object).try_for_each(refuse_directives),
            _ => Ok(()),
        };
        below.map_err(|fault| fault.below(key))
    })
}

#[cfg(test)]
mod tests;
