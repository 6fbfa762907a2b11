//! YAML files that the command line names: settings and grants.

use std::path::Path;

use boathook_core::Source;
use boathook_core::manifest::read_yaml;
use boathook_core::permissions::Permissions;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{BAD_INPUT, CliError};

/// A grant: what stands under `permissions:` of a hook, with or without that word.
pub(crate) fn permissions(path: &Path, sources: &mut Vec<Source>) -> Result<Permissions, CliError> {
    let mut value = file(path, sources)?;
    if let Some(inner) = value.get_mut("permissions") {
        value = inner.take();
    }
    let value = if value.is_null() { Value::Object(Map::new()) } else { value };
    typed(value, &path.display().to_string())
}

/// Reads a file, which joins the sources that diagnostics point at.
pub(crate) fn file(path: &Path, sources: &mut Vec<Source>) -> Result<Value, CliError> {
    let shown = path.display().to_string();
    let content = std::fs::read_to_string(path)
        .map_err(|error| CliError::new(BAD_INPUT, format!("cannot read {shown}: {error}")))?;
    let value = text(&shown, &content, BAD_INPUT)?;
    sources.push(Source { path: shown, text: content });
    Ok(value)
}

/// Reads a text.
pub(crate) fn text(shown: &str, text: &str, exit_code: u8) -> Result<Value, CliError> {
    read_yaml(shown, text).map_err(|diagnostic| {
        let place = match (diagnostic.line, diagnostic.column) {
            (Some(line), Some(column)) => format!("{shown}:{line}:{column}"),
            _ => shown.to_owned(),
        };
        CliError { exit_code, message: format!("{place}: {}", diagnostic.message), hint: diagnostic.help }
    })
}

/// A value as a type of ours.
pub(crate) fn typed<T: DeserializeOwned>(value: Value, shown: &str) -> Result<T, CliError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        CliError::new(BAD_INPUT, format!("{shown}: {path}: {}", error.inner()))
    })
}
