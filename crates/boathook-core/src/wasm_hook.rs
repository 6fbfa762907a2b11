//! `WasmHookSpec`: one schema, two carriers — `spec` of kind `WasmHook`, and the text of annotation
//! `boathook.dev/wasm-hook` on an ordinary hook Job.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::permissions::Permissions;

/// API group and version of the kind.
pub const API_VERSION: &str = "boathook.dev/v1alpha1";
/// The kind.
pub const KIND: &str = "WasmHook";
/// The annotation on a Job whose text is a [`WasmHookSpec`].
pub const ANNOTATION: &str = "boathook.dev/wasm-hook";

/// Which plugin runs, with what settings and rights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WasmHookSpec {
    /// Built-in or installed name, `./path.wasm`, or `oci://…`.
    pub plugin: String,
    /// The plugin's settings, checked against its own schema.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Wall clock of one attempt; absent: the command's `--timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_duration")]
    pub timeout: Option<Duration>,
    /// Extra attempts after failures that the plugin calls retryable.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub backoff_limit: u32,
    /// The grant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub permissions: Permissions,
    /// Values that the host fills in on the wire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// Caps of one run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

/// A value that the plugin may use and (unless `reveal`) never sees. Exactly one source is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// The name by which the plugin refers to it.
    pub name: String,
    /// A key of a Secret in the release's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// A variable of the environment of `boathook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The guest may read the value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reveal: bool,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretKeyRef {
    /// The Secret, in the release's namespace.
    pub name: String,
    /// The key in its `data`.
    pub key: String,
}

/// Caps of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory of the whole guest, bytes.
    #[serde(with = "bytes")]
    pub memory: u64,
    /// Log text kept of one run, bytes; what is over is counted and dropped.
    #[serde(with = "bytes")]
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 << 20, log_bytes: 1 << 20 }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads a duration as Go's `time.ParseDuration` does, for the units `h`, `m`, `s`, `ms`: `90s`, `1m30s`, `0.5s`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    if text.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Prints a duration so that [`parse_duration`] reads it back: `300s`, `1500ms`.
pub fn format_duration(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

mod optional_duration {
    use super::{Deserialize as _, Deserializer, Duration, Serializer, format_duration, parse_duration};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => serializer.serialize_str(&format_duration(*duration)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| {
            parse_duration(&text).filter(|duration| !duration.is_zero()).ok_or_else(|| {
                serde::de::Error::custom("expected a positive duration such as \"30s\" or \"1m30s\"")
            })
        })
        .transpose()
    }
}

/// Kubernetes quantities of bytes: a number, or a number with `Ki`, `Mi`, `Gi`, `k`, `M`, `G`.
mod bytes {
    use super::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            v if v % (1 << 20) == 0 => serializer.serialize_str(&format!("{}Mi", v >> 20)),
            v if v % (1 << 10) == 0 => serializer.serialize_str(&format!("{}Ki", v >> 10)),
            v => serializer.serialize_u64(*v),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Quantity {
            Number(u64),
            Text(String),
        }
        let parsed = match Quantity::deserialize(deserializer)? {
            Quantity::Number(number) => Some(number),
            Quantity::Text(text) => {
                let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                let unit = match &text[split..] {
                    "" => Some(1),
                    "k" => Some(1_000),
                    "M" => Some(1_000_000),
                    "G" => Some(1_000_000_000),
                    "Ki" => Some(1 << 10),
                    "Mi" => Some(1 << 20),
                    "Gi" => Some(1 << 30),
                    _ => None,
                };
                text[..split]
                    .parse::<u64>()
                    .ok()
                    .zip(unit)
                    .and_then(|(number, unit)| number.checked_mul(unit))
            }
        };
        parsed.ok_or_else(|| serde::de::Error::custom("expected bytes such as 1048576 or \"64Mi\""))
    }
}
