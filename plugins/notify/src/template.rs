//! Placeholders: `{release}`, `{namespace}`, `{revision}`, `{chart}`, `{event}`. A name in braces that is none of them is
//! an error, because a message that says `{relase}` helps nobody; `{{` stands for `{`, and any other brace for itself.

use boathook_sdk::{Context, Failure, Value};

/// The words that placeholders stand for.
pub(crate) struct Words([(&'static str, String); 5]);

/// A placeholder that stands for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownPlaceholder(String);

impl UnknownPlaceholder {
    pub(crate) fn in_config(&self, field: &str) -> Failure {
        Failure::permanent(format!(
            "config: {field}: unknown placeholder {{{}}}; there are {{release}}, {{namespace}}, {{revision}}, {{chart}} \
             and {{event}} (write {{{{ for a brace)",
            self.0
        ))
    }
}

/// What is said where no text is given. A plugin that is run by hand has no event.
pub(crate) fn default_text(context: &Context) -> &'static str {
    if context.run.event.is_empty() {
        "Release '{release}' in namespace '{namespace}', revision {revision}"
    } else {
        "Release '{release}' in namespace '{namespace}', revision {revision}: {event}"
    }
}

impl Words {
    pub(crate) fn new(context: &Context) -> Self {
        let release = &context.release;
        Self([
            ("release", release.name.clone()),
            ("namespace", release.namespace.clone()),
            ("revision", release.revision.to_string()),
            ("chart", release.chart.clone()),
            ("event", context.run.event.clone()),
        ])
    }

    /// Fills in a text.
    pub(crate) fn fill(&self, text: &str) -> Result<String, UnknownPlaceholder> {
        let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            rest = match (after.strip_prefix('{'), placeholder(after)) {
                (Some(after), _) => {
                    filled.push('{');
                    after
                }
                (None, Some((name, after))) => {
                    let word = self.0.iter().find(|(known, _)| *known == name);
                    filled.push_str(&word.ok_or_else(|| UnknownPlaceholder(name.to_owned()))?.1);
                    after
                }
                (None, None) => {
                    filled.push('{');
                    after
                }
            };
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Fills in every string of a JSON value; the keys of objects stay.
    pub(crate) fn fill_json(&self, value: &Value) -> Result<Value, UnknownPlaceholder> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill_json(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, member)| Ok((key.clone(), self.fill_json(member)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }
}

/// `name}rest`, where the name is a word.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('}')?;
    let word = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    word.then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use boathook_sdk::{Context, ReleaseInfo, RunInfo, json};

    use super::*;

    fn fill(text: &str) -> Result<String, UnknownPlaceholder> {
        Words::new(&Context { release: ReleaseInfo::default(), run: RunInfo::default() }).fill(text)
    }

    #[test]
    fn placeholders_are_filled_in() {
        let text = "{release}/{namespace}/{revision}/{chart}/{event}";
        assert_eq!(fill(text), Ok("web/default/1/web/post-install".to_owned()));
        assert_eq!(fill("{release}{release}"), Ok("webweb".to_owned()));
        assert_eq!(fill("no placeholder"), Ok("no placeholder".to_owned()));
        assert_eq!(fill(""), Ok(String::new()));
    }

    #[test]
    fn other_braces_stand_for_themselves() {
        for text in ["}", "{", "{ release }", "{}", "a { b", "{\"a\": 1}", "{1}", "ü{"] {
            assert_eq!(fill(text), Ok(text.to_owned()), "{text}");
        }
        assert_eq!(fill("{{release}"), Ok("{release}".to_owned()));
        assert_eq!(fill("{{{release}}"), Ok("{web}".to_owned()));
    }

    #[test]
    fn an_unknown_placeholder_is_named() {
        assert_eq!(fill("in {relase}"), Err(UnknownPlaceholder("relase".to_owned())));
        assert_eq!(fill("{Release}"), Err(UnknownPlaceholder("Release".to_owned())));
    }

    #[test]
    fn every_string_of_a_body_is_filled_in() {
        let words = Words::new(&Context { release: ReleaseInfo::default(), run: RunInfo::default() });
        let body = json!({"{release}": ["{release}", 1, null, {"deep": "{event}"}]});
        let filled = json!({"{release}": ["web", 1, null, {"deep": "post-install"}]});
        assert_eq!(words.fill_json(&body), Ok(filled));
        assert!(words.fill_json(&json!([{"a": "{b}"}])).is_err());
    }
}
