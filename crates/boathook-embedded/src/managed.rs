//! What a plain write (not an apply) makes of `metadata.managedFields`.

use boathook_core::field_set::FieldSet;
pub(crate) use boathook_core::managed_fields::{Ownership, SERVER_FIELDS, read, strip, write};
use boathook_core::schema::Type;
use serde_json::Value;

/// Who writes, for the record.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    /// The field manager.
    pub(crate) manager: &'a str,
    /// `status`, or empty.
    pub(crate) subresource: &'a str,
    /// The version in which it writes.
    pub(crate) api_version: &'a str,
    /// Now.
    pub(crate) time: &'a str,
}

impl Writer<'_> {
    /// Its entry for these fields.
    pub(crate) fn entry(&self, applied: bool, fields: FieldSet) -> Ownership {
        Ownership {
            manager: self.manager.to_owned(),
            applied,
            subresource: self.subresource.to_owned(),
            api_version: self.api_version.to_owned(),
            time: self.time.to_owned(),
            fields,
        }
    }
}

/// Records a creation: the writer owns all that goes beyond what every new object of the kind has.
pub(crate) fn record_creation(zero: &Value, new: &mut Value, kind: &Type, writer: &Writer<'_>) {
    let mut fields = FieldSet::changed(Some(zero), new, kind);
    strip(&mut fields);
    fields.remove_path(&["status"]);
    write(new, vec![writer.entry(false, fields)]);
}

/// Records a plain write: the writer takes the fields that it changed, all lose those that are gone.
pub(crate) fn record_update(old: &Value, new: &mut Value, kind: &Type, writer: &Writer<'_>) {
    let mut entries = read(new);
    let mut changed = FieldSet::changed(Some(old), new, kind);
    strip(&mut changed);
    for entry in &mut entries {
        if !entry.is(writer.manager, false, writer.subresource) {
            entry.fields.subtract(&changed);
        }
        entry.fields.retain_existing(new, kind);
    }
    if !changed.is_empty() {
        match entries.iter_mut().find(|entry| entry.is(writer.manager, false, writer.subresource)) {
            Some(own) => {
                own.fields.union(&changed);
                own.time = writer.time.to_owned();
                own.api_version = writer.api_version.to_owned();
            }
            None => entries.push(writer.entry(false, changed)),
        }
    }
    write(new, entries);
}

/// Whether two states of an object differ in nothing but the times of the record: then no new revision is made.
pub(crate) fn same(old: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"] = Value::Null;
        }
        object
    };
    old == new || timeless(old) == timeless(new)
}
