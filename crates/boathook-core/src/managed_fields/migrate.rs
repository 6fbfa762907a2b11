//! From client-side to server-side apply: what a manager set by updates becomes what it applies. Without this an applied
//! object that lacks a field would not remove it, because the same manager still owns it as an updater.

use serde_json::{Value, json};

use crate::Object;
use crate::field_set::FieldSet;

/// The JSON patch that makes a manager's updates its apply; nothing where it made none. As `csaupgrade` of k8s.io/client-go
/// does it: the updates of the same version are joined with what the manager applies already, its other ones are dropped.
/// An object that was changed meanwhile refuses the patch.
pub fn migrate(live: &Object, manager: &str) -> Option<Value> {
    let before = live.get(&["metadata", "managedFields"])?.as_array()?;
    let is = |entry: &Value, operation: &str| {
        entry["manager"] == manager
            && entry["operation"] == operation
            && entry["subresource"].as_str().is_none_or(str::is_empty)
    };
    let mut entries = before.clone();
    let update = entries.iter().position(|entry| is(entry, "Update"))?;
    let applied = entries.iter().position(|entry| is(entry, "Apply"));
    let target = applied.unwrap_or(update);
    let version = entries[target]["apiVersion"].clone();
    let mut fields = FieldSet::from_value(&entries[target]["fieldsV1"]);
    let same = entries.iter().find(|entry| is(entry, "Update") && entry["apiVersion"] == version);
    if let Some(same) = same {
        fields.union(&FieldSet::from_value(&same["fieldsV1"]));
    }
    entries[target]["operation"] = json!("Apply");
    entries[target]["fieldsV1"] = fields.to_value();
    entries.retain(|entry| !is(entry, "Update"));
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version()},
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, version: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": version, "fieldsV1": fields})
    }

    fn migrated(entries: &[Value]) -> Option<Value> {
        let object = json!({"metadata": {"managedFields": entries, "resourceVersion": "7"}});
        let patch = migrate(&Object::from_value(object).unwrap(), "helm")?;
        assert_eq!(patch[1], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}));
        Some(patch[0]["value"].clone())
    }

    #[test]
    fn updates_become_the_apply() {
        let (a, b) = (json!({"f:data": {"f:a": {}}}), json!({"f:data": {"f:b": {}}}));
        let other = entry("kubectl", "Update", "v1", a.clone());
        assert_eq!(
            migrated(&[entry("helm", "Update", "v1", a.clone()), other.clone()]),
            Some(json!([entry("helm", "Apply", "v1", a.clone()), other])),
            "of one that never applied"
        );
        assert_eq!(
            migrated(&[entry("helm", "Apply", "v1", a.clone()), entry("helm", "Update", "v1", b.clone())]),
            Some(json!([entry("helm", "Apply", "v1", json!({"f:data": {"f:a": {}, "f:b": {}}}))])),
            "joined with what it applied"
        );
        assert_eq!(
            migrated(&[entry("helm", "Apply", "v1", a.clone()), entry("helm", "Update", "v1beta1", b)]),
            Some(json!([entry("helm", "Apply", "v1", a)])),
            "of another version: dropped"
        );
    }

    #[test]
    fn nothing_to_do_is_no_patch() {
        let fields = json!({"f:data": {}});
        assert_eq!(migrated(&[entry("helm", "Apply", "v1", fields.clone())]), None);
        assert_eq!(migrated(&[entry("kubectl", "Update", "v1", fields.clone())]), None);
        let mut status = entry("helm", "Update", "v1", fields);
        status["subresource"] = json!("status");
        assert_eq!(migrated(&[status]), None, "another subresource is another affair");
    }
}
