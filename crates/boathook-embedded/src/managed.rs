//! What a plain write (not an apply) makes of `metadata.managedFields`.

use boathook_core::field_set::FieldSet;
pub(crate) use boathook_core::managed_fields::{Ownership, SERVER_FIELDS, read, strip, write};
use boathook_core::schema::Type;
use serde_json::Value;

/// Who writes, for the record.
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

/// Records a plain write: the writer takes the fields that it changed, all lose those that are gone.
pub(crate) fn record_update(old: Option<&Value>, new: &mut Value, kind: &Type, writer: &Writer<'_>) {
    let mut entries = read(new);
    let mut changed = FieldSet::changed(old, new, kind);
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
            None => entries.push(Ownership {
                manager: writer.manager.to_owned(),
                applied: false,
                subresource: writer.subresource.to_owned(),
                api_version: writer.api_version.to_owned(),
                time: writer.time.to_owned(),
                fields: changed,
            }),
        }
    }
    write(new, entries);
}
