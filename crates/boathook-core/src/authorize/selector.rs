//! Selectors of lists: read to a structure and printed again, so that what reaches the query string is only what was
//! understood.

use std::fmt;

use super::RequestError;
use crate::names::is_dns_subdomain;

/// More requirements than anybody writes, fewer than hurt.
const MAX_REQUIREMENTS: usize = 64;

/// Kubernetes' label selector: all requirements must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector(Vec<LabelRequirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelRequirement {
    Exists(String),
    Absent(String),
    Equals(String, String),
    Differs(String, String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

/// Kubernetes' field selector: all requirements must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, bool, String)>);

fn invalid(what: &str, text: &str) -> RequestError {
    RequestError::Invalid(format!("{text:?} is no {what} selector"))
}

/// `[prefix/]name`, as label keys are.
fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_dns_subdomain) && !name.is_empty() && is_label_value(name)
}

/// At most 63 letters, digits, `-`, `_` and `.`, starting and ending with a letter or digit; may be empty.
fn is_label_value(value: &str) -> bool {
    let inner = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let ends = value.bytes().next().is_none_or(|b| b.is_ascii_alphanumeric())
        && value.bytes().next_back().is_none_or(|b| b.is_ascii_alphanumeric());
    value.len() <= 63 && inner && ends
}

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`; empty selects everything.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] for anything that is not exactly that.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let bad = || invalid("label", text);
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        let requirements: Vec<_> = split_outside_parentheses(text)
            .into_iter()
            .map(|part| label_requirement(part.trim()).ok_or_else(bad))
            .collect::<Result<_, _>>()?;
        if requirements.len() > MAX_REQUIREMENTS { Err(bad()) } else { Ok(Self(requirements)) }
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn label_requirement(text: &str) -> Option<LabelRequirement> {
    let key = |text: &str| is_label_key(text.trim()).then(|| text.trim().to_owned());
    let value = |text: &str| is_label_value(text.trim()).then(|| text.trim().to_owned());
    if let Some((name, set)) = text.split_once('(') {
        let values: Option<Vec<_>> = set.strip_suffix(')')?.split(',').map(value).collect();
        let name = name.trim_end();
        return if let Some(name) = name.strip_suffix(" notin") {
            Some(LabelRequirement::NotIn(key(name)?, values?))
        } else {
            Some(LabelRequirement::In(key(name.strip_suffix(" in")?)?, values?))
        };
    }
    if let Some((name, text)) = text.split_once("!=") {
        return Some(LabelRequirement::Differs(key(name)?, value(text)?));
    }
    if let Some((name, text)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(LabelRequirement::Equals(key(name)?, value(text)?));
    }
    match text.strip_prefix('!') {
        Some(name) => key(name).map(LabelRequirement::Absent),
        None => key(text).map(LabelRequirement::Exists),
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match requirement {
                LabelRequirement::Exists(key) => f.write_str(key)?,
                LabelRequirement::Absent(key) => write!(f, "!{key}")?,
                LabelRequirement::Equals(key, value) => write!(f, "{key}={value}")?,
                LabelRequirement::Differs(key, value) => write!(f, "{key}!={value}")?,
                LabelRequirement::In(key, values) => write!(f, "{key} in ({})", values.join(","))?,
                LabelRequirement::NotIn(key, values) => write!(f, "{key} notin ({})", values.join(","))?,
            }
        }
        Ok(())
    }
}

impl FieldSelector {
    /// Reads `metadata.name=a,status.phase!=Failed`; empty selects everything. Values are names and words: no escapes.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] for anything that is not exactly that.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let bad = || invalid("field", text);
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        let requirements: Vec<_> = text
            .split(',')
            .map(|part| field_requirement(part.trim()).ok_or_else(bad))
            .collect::<Result<_, _>>()?;
        if requirements.len() > MAX_REQUIREMENTS { Err(bad()) } else { Ok(Self(requirements)) }
    }
}

fn field_requirement(text: &str) -> Option<(String, bool, String)> {
    let (path, equal, value) = match text.split_once("!=") {
        Some((path, value)) => (path, false, value),
        None => {
            let (path, value) = text.split_once("==").or_else(|| text.split_once('='))?;
            (path, true, value)
        }
    };
    let (path, value) = (path.trim(), value.trim());
    let word = |text: &str, more: &[u8]| {
        text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let ok = !path.is_empty() && word(path, b"._-") && word(value, b"._:/-");
    ok.then(|| (path.to_owned(), equal, value.to_owned()))
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, equal, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{path}{}{value}", if *equal { "=" } else { "!=" })?;
        }
        Ok(())
    }
}
