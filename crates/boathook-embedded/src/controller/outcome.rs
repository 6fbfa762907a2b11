//! What a simulated Pod comes to: annotations `embedded.boathook.dev/{outcome,exit-code,delay,log}` on the Pod, its template
//! or its Job or workload. Values that mean nothing are refused when the object is created, not guessed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::status::FieldError;

/// The prefix of all annotations that steer the simulation.
pub(crate) const PREFIX: &str = "embedded.boathook.dev/";

/// What a Pod comes to: one that is to end, and one that is to run for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All containers end with 0; or it gets ready.
    Succeed,
    /// The first container ends with this code; or the containers do so again and again.
    Fail(i64),
    /// It runs for ever; or it never gets ready.
    Hang,
    /// It waits for its image for ever.
    ImagePullError,
}

/// The outcomes by name.
const NAMES: &[&str] = &["succeed", "fail", "hang", "image-pull-error"];

/// Reads how an object's Pods end.
///
/// # Errors
/// The annotation that cannot be read.
pub(crate) fn read(object: &Value) -> Result<(Outcome, Duration), FieldError> {
    let annotation =
        |name: &str| object["metadata"]["annotations"][format!("{PREFIX}{name}").as_str()].as_str();
    let field = |name: &str| format!("metadata.annotations[{PREFIX}{name}]");
    let code = match annotation("exit-code") {
        None => 1,
        Some(text) => text.parse().ok().filter(|code| (0..=255).contains(code)).ok_or_else(|| {
            FieldError::invalid(&field("exit-code"), &json!(text), "must be a number from 0 to 255")
        })?,
    };
    let outcome = match annotation("outcome") {
        // An exit code alone says enough.
        None if annotation("exit-code").is_some() && code != 0 => Outcome::Fail(code),
        None | Some("succeed") => Outcome::Succeed,
        Some("fail") => Outcome::Fail(code),
        Some("hang") => Outcome::Hang,
        Some("image-pull-error") => Outcome::ImagePullError,
        Some(other) => return Err(FieldError::unsupported(&field("outcome"), &json!(other), NAMES)),
    };
    let delay = match annotation("delay") {
        None => Duration::ZERO,
        Some(text) => duration(text).ok_or_else(|| {
            FieldError::invalid(
                &field("delay"),
                &json!(text),
                "must be a duration such as \"200ms\", \"5s\" or \"1m\"",
            )
        })?,
    };
    Ok((outcome, delay))
}

/// `200ms`, `5s`, `1m`, `1m30s`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest == "0" {
        return Some(total);
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, tail) = match rest {
            _ if rest.starts_with("ms") => (Duration::from_millis(number), &rest[2..]),
            _ if rest.starts_with('s') => (Duration::from_secs(number), &rest[1..]),
            _ if rest.starts_with('m') => (Duration::from_secs(number.checked_mul(60)?), &rest[1..]),
            _ if rest.starts_with('h') => (Duration::from_secs(number.checked_mul(3600)?), &rest[1..]),
            _ => return None,
        };
        total = total.checked_add(unit)?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("200ms" => Some(200))]
    #[test_case("1m30s" => Some(90_000))]
    #[test_case("5" => None)]
    #[test_case("" => None)]
    #[test_case("s" => None)]
    fn durations(text: &str) -> Option<u128> {
        duration(text).map(|duration| duration.as_millis())
    }

    #[test]
    fn annotations() {
        let of = |annotations: Value| read(&json!({"metadata": {"annotations": annotations}}));
        assert_eq!(of(json!({})), Ok((Outcome::Succeed, Duration::ZERO)));
        let failing = of(json!({"embedded.boathook.dev/exit-code": "3"}));
        assert_eq!(failing, Ok((Outcome::Fail(3), Duration::ZERO)));
        assert!(of(json!({"embedded.boathook.dev/outcome": "explode"})).is_err());
    }
}
