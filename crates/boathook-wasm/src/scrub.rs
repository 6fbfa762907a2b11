//! Keeps the values of credentials out of everything that leaves a run: log lines, progress, outputs, messages. It
//! looks for the value as it is and as URLs, JSON and base64 write it; it cannot know what else a guest that may read a
//! value (`reveal`) does to it.

use std::collections::BTreeMap;

use base64::Engine as _;
use boathook_engine::plugin_host::CredentialValue;
use serde_json::Value;

/// Values shorter than this are not looked for: taking every `a` out of a log hides the log and tells the value.
const SHORTEST: usize = 4;
/// Shorter parts of a value are not looked for: they are words such as `-----` and `services`.
const SHORTEST_PART: usize = 16;

/// What to look for, and what to write instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrubber {
    /// Longest first, so that a value which contains another goes as a whole.
    patterns: Vec<(String, String)>,
}

impl Scrubber {
    pub(crate) fn new(credentials: &BTreeMap<String, CredentialValue>) -> Self {
        let mut patterns = Vec::new();
        for (name, credential) in credentials {
            let replacement = format!("[credential {name}]");
            // A `user:password` is two values on the wire.
            let password = credential.value.split_once(':').map(|(_, password)| password);
            // Of a key of several lines each line is a value: logs are looked at line by line.
            let lines = credential.value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_PART);
            let whole = [Some(credential.value.trim()), password].into_iter().flatten();
            for value in whole.chain(lines).chain(url_parts(credential.value.trim())) {
                let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                let escaped = Value::from(value).to_string();
                let base64 = base64::engine::general_purpose::STANDARD.encode(value);
                for form in [value, &encoded, escaped.trim_matches('"'), &base64] {
                    if form.len() >= SHORTEST && !patterns.iter().any(|(known, _)| known == form) {
                        patterns.push((form.to_owned(), replacement.clone()));
                    }
                }
            }
        }
        patterns.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self { patterns }
    }

    /// The text without the values.
    pub(crate) fn text(&self, text: String) -> String {
        self.patterns.iter().fold(text, |text, (value, replacement)| {
            if text.contains(value) { text.replace(value, replacement) } else { text }
        })
    }

    /// Bytes without the values.
    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.patterns.iter().fold(bytes, |bytes, (value, replacement)| {
            let mut rest = bytes.as_slice();
            let mut clean = Vec::new();
            while let Some(at) = find(rest, value.as_bytes()) {
                clean.extend_from_slice(&rest[..at]);
                clean.extend_from_slice(replacement.as_bytes());
                rest = &rest[at + value.len()..];
            }
            if clean.is_empty() {
                return bytes;
            }
            clean.extend_from_slice(rest);
            clean
        })
    }

    /// The value with every string in it, keys included, scrubbed.
    pub(crate) fn value(&self, value: Value) -> Value {
        if self.patterns.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(map) => Value::Object(
                map.into_iter().map(|(key, value)| (self.text(key), self.value(value))).collect(),
            ),
            other => other,
        }
    }
}

/// What of a URL is secret by itself, as a server tells it that answers `Cannot POST /services/…`: path and query, and
/// what is long in them.
fn url_parts(value: &str) -> impl Iterator<Item = &str> {
    let target = value.split_once("://").and_then(|(_, rest)| rest.find(['/', '?']).map(|at| &rest[at..]));
    let path = target.and_then(|target| target.split('?').next());
    let parts = target.into_iter().flat_map(|target| target.split(['/', '?', '&', '=']));
    target
        .into_iter()
        .chain(path)
        .filter(|part| part.len() > "/webhook".len())
        .chain(parts.filter(|part| part.len() >= SHORTEST_PART))
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scrubber(values: &[(&str, &str)]) -> Scrubber {
        let credentials = values
            .iter()
            .map(|(name, value)| {
                ((*name).to_owned(), CredentialValue { value: (*value).to_owned(), reveal: false })
            })
            .collect();
        Scrubber::new(&credentials)
    }

    #[test]
    fn a_value_goes_in_each_of_its_forms() {
        let scrubber = scrubber(&[("hook", "https://h.example/T0/B\"x")]);
        for text in [
            "to https://h.example/T0/B\"x now",
            "to https%3A%2F%2Fh.example%2FT0%2FB%22x now",
            "to https://h.example/T0/B\\\"x now",
        ] {
            assert_eq!(scrubber.text(text.to_owned()), "to [credential hook] now");
        }
    }

    #[test]
    fn the_longer_value_goes_first_and_short_ones_stay() {
        let scrubber = scrubber(&[("a", "secret"), ("b", "secret-two"), ("c", "abc")]);
        assert_eq!(scrubber.text("secret-two secret abc".to_owned()), "[credential b] [credential a] abc");
    }

    #[test]
    fn a_password_goes_also_without_its_user() {
        assert_eq!(scrubber(&[("db", "bob:hunter22")]).text("pw hunter22".to_owned()), "pw [credential db]");
    }

    #[test]
    fn a_url_goes_also_without_its_host() {
        let scrubber =
            scrubber(&[("hook", "https://h.example/services/T0/AbCdEfGhIjKlMnOpQr?key=1234567890abcdef")]);
        for text in [
            "Cannot POST /services/T0/AbCdEfGhIjKlMnOpQr?key=1234567890abcdef",
            "Cannot POST /services/T0/AbCdEfGhIjKlMnOpQr",
            "Cannot POST AbCdEfGhIjKlMnOpQr",
            "Cannot POST 1234567890abcdef",
        ] {
            assert_eq!(scrubber.text(text.to_owned()), "Cannot POST [credential hook]");
        }
        assert_eq!(scrubber.text("services of h.example".to_owned()), "services of h.example");
    }

    #[test]
    fn each_line_of_a_key_goes() {
        let scrubber =
            scrubber(&[("key", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQ==\n-----END KEY-----\n")]);
        assert_eq!(scrubber.text("got MIIEvQIBADANBgkqhkiG".to_owned()), "got [credential key]");
        assert_eq!(scrubber.text("9w0BAQ==".to_owned()), "9w0BAQ==", "too short to be told from other text");
    }

    #[test]
    fn bytes_that_are_no_text_are_scrubbed_too() {
        let bytes = scrubber(&[("t", "tokentoken")]).bytes(b"\xfftokentoken\0tokentoken".to_vec());
        assert_eq!(bytes, b"\xff[credential t]\0[credential t]");
    }

    #[test]
    fn json_is_scrubbed_at_any_depth() {
        let scrubber = scrubber(&[("t", "tokentoken")]);
        assert_eq!(
            scrubber.value(json!({"a": ["x tokentoken"], "tokentoken": {"n": 1}})),
            json!({"a": ["x [credential t]"], "[credential t]": {"n": 1}})
        );
    }
}
