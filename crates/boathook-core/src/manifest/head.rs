//! The head of a document: what Helm's `SortManifests` reads of it before it knows whether it is a hook. Helm reads
//! it into a Go struct, so field names match in any case and scalars become text.

use std::collections::BTreeMap;

use super::tree::{Entry, Walk, quoted};
use super::yaml::{Place, YamlError};

/// Helm's `SimpleHead`. Absent fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations`, scalars coerced to text as `sigs.k8s.io/yaml` does it.
    pub annotations: BTreeMap<String, String>,
}

/// Why a document has no head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    /// The document cannot be read at all.
    #[error("{0}")]
    Yaml(#[from] YamlError),
    /// A field of another type.
    #[error("{field} must be {wanted}")]
    Type {
        /// Its name.
        field: String,
        /// What it should be.
        wanted: &'static str,
        /// Where it stands.
        place: Place,
    },
}

/// Reads the head at the root of a tape.
pub(crate) fn read(walk: &mut Walk<'_, '_>, root: Place) -> Result<Head, HeadError> {
    let mut head = Head::default();
    if !walk.is_map(0) {
        return match walk.scalar(0)? {
            Some(super::scalar::Scalar::Null) => Ok(head),
            _ => Err(HeadError::Type { field: "a document".to_owned(), wanted: "a map", place: root }),
        };
    }
    for entry in sorted(walk, 0)? {
        if same_field(&entry.key, "apiVersion") {
            text(walk, &entry, &mut head.api_version)?;
        } else if same_field(&entry.key, "kind") {
            text(walk, &entry, &mut head.kind)?;
        } else if same_field(&entry.key, "metadata") {
            metadata(walk, &entry, &mut head)?;
        }
    }
    Ok(head)
}

fn metadata(walk: &mut Walk<'_, '_>, metadata: &Entry<'_>, head: &mut Head) -> Result<(), HeadError> {
    if !walk.is_map(metadata.value) {
        head.name.clear();
        head.annotations.clear();
        return null_or(walk, metadata, "a map");
    }
    for entry in sorted(walk, metadata.value)? {
        if same_field(&entry.key, "name") {
            text(walk, &entry, &mut head.name)?;
        } else if same_field(&entry.key, "annotations") {
            if !walk.is_map(entry.value) {
                head.annotations.clear();
                null_or(walk, &entry, "a map")?;
            }
            for annotation in sorted(walk, entry.value)? {
                let Some(scalar) = walk.scalar(annotation.value)? else {
                    return Err(HeadError::Type {
                        field: format!("annotation {}", annotation.key),
                        wanted: "a quoted string",
                        place: walk.place(annotation.key_node),
                    });
                };
                head.annotations.insert(annotation.key.into_owned(), scalar.into_text().unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// Go reads the fields from JSON with sorted keys: of `Kind` and `kind` the second wins, and two spellings of
/// `metadata` are merged.
fn sorted<'a>(walk: &mut Walk<'a, '_>, index: usize) -> Result<Vec<Entry<'a>>, YamlError> {
    let mut entries = walk.entries(index)?;
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

fn text(walk: &mut Walk<'_, '_>, entry: &Entry<'_>, field: &mut String) -> Result<(), HeadError> {
    match walk.scalar(entry.value)? {
        Some(scalar) => {
            if let Some(text) = scalar.into_text() {
                *field = text;
            }
            Ok(())
        }
        None => null_or(walk, entry, "text"),
    }
}

fn null_or(walk: &mut Walk<'_, '_>, entry: &Entry<'_>, wanted: &'static str) -> Result<(), HeadError> {
    match walk.scalar(entry.value)? {
        Some(super::scalar::Scalar::Null) => Ok(()),
        _ => Err(HeadError::Type { field: quoted(&entry.key), wanted, place: walk.place(entry.key_node) }),
    }
}

/// Go's `encoding/json` matches field names in any case, by simple folding: of the letters in these names only
/// `k` (the Kelvin sign) and `s` (the long s) have a third form.
fn same_field(key: &str, field: &str) -> bool {
    key == field || (key.len() >= field.len() && key.chars().map(fold).eq(field.chars().map(fold)))
}

fn fold(c: char) -> char {
    match c {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        c => c.to_ascii_lowercase(),
    }
}
