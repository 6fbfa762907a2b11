//! What a scalar's text means: go-yaml v2's `resolve` (through which Helm and kubectl read), and how Go writes
//! numbers into JSON and into text. Knows nothing of documents or places.

use std::borrow::Cow;

use serde_json::{Number, Value};

/// A resolved scalar. Dates stay text, as `sigs.k8s.io/yaml` leaves them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'t> {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// Any other number, infinite and not-a-number included.
    Float(f64),
    /// Text.
    Text(Cow<'t, str>),
}

/// How a scalar was written, as far as its meaning depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Plain without a tag: resolved by its text.
    Implicit,
    /// Quoted or a block without a tag: text.
    Quoted,
    /// `!!str`.
    Str,
    /// `!!int`.
    Int,
    /// `!!float`.
    Float,
    /// `!!bool`.
    Bool,
    /// `!!null`.
    Null,
    /// `!!binary`.
    Binary,
    /// `!!timestamp`.
    Timestamp,
    /// `!!merge`, which makes `<<` a merge key in any style.
    Merge,
    /// Any other, and `!` alone: the text as it stands.
    Unknown,
}

/// A scalar that contradicts its tag. Never holds the scalar's text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScalarError {
    /// `!!int x` and the like.
    #[error("value does not fit its tag {0}")]
    TagMismatch(&'static str),
    /// `!!binary` with text that is no base64 or no UTF-8.
    #[error("value of tag !!binary is not base64 of UTF-8 text")]
    Binary,
    /// `!!timestamp`, which go-yaml turns back into text anyway.
    #[error("tag !!timestamp is not supported: quote the value instead")]
    Timestamp,
}

/// Resolves a scalar by go-yaml v2's rules (`resolve.go`), so that `yes`, `0644` and `1_000` mean here what they
/// mean to Helm.
pub(crate) fn resolve<'t>(text: Cow<'t, str>, tag: &Tag) -> Result<Scalar<'t>, ScalarError> {
    let mismatch = |name| Err(ScalarError::TagMismatch(name));
    match tag {
        Tag::Quoted | Tag::Str | Tag::Merge | Tag::Unknown => Ok(Scalar::Text(text)),
        Tag::Implicit => Ok(resolve_plain(text)),
        Tag::Binary => decode_base64(&text).map(|text| Scalar::Text(Cow::Owned(text))),
        Tag::Timestamp => Err(ScalarError::Timestamp),
        Tag::Int => match resolve_plain(text) {
            int @ (Scalar::Int(_) | Scalar::Uint(_)) => Ok(int),
            _ => mismatch("!!int"),
        },
        Tag::Float => match resolve_plain(text) {
            Scalar::Int(int) => Ok(Scalar::Float(int as f64)),
            float @ Scalar::Float(_) => Ok(float),
            _ => mismatch("!!float"),
        },
        Tag::Bool => match resolve_plain(text) {
            boolean @ Scalar::Bool(_) => Ok(boolean),
            _ => mismatch("!!bool"),
        },
        Tag::Null => match resolve_plain(text) {
            Scalar::Null => Ok(Scalar::Null),
            _ => mismatch("!!null"),
        },
    }
}

fn resolve_plain(text: Cow<'_, str>) -> Scalar<'_> {
    let Some(first) = text.bytes().next() else { return Scalar::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => match &*text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                Scalar::Bool(true)
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
                Scalar::Bool(false)
            }
            "~" | "null" | "Null" | "NULL" => Scalar::Null,
            _ => Scalar::Text(text),
        },
        b'0'..=b'9' | b'+' | b'-' => resolve_number(text),
        b'.' => match &*text {
            ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
            other => match parse_float(other) {
                Some(float) => Scalar::Float(float),
                None => Scalar::Text(text),
            },
        },
        _ => Scalar::Text(text),
    }
}

fn resolve_number(text: Cow<'_, str>) -> Scalar<'_> {
    match &*text {
        "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let plain: Cow<'_, str> = if text.contains('_') {
        Cow::Owned(text.chars().filter(|c| *c != '_').collect())
    } else {
        Cow::Borrowed(&text)
    };
    if let Some(int) = parse_int(&plain) {
        return Scalar::Int(int);
    }
    if let Some(uint) = parse_uint(&plain) {
        return Scalar::Uint(uint);
    }
    match parse_float(&plain) {
        Some(float) => Scalar::Float(float),
        None => Scalar::Text(text),
    }
}

/// Go's `strconv.ParseInt(text, 0, 64)` for text without underscores.
fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = parse_uint(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseUint(text, 0, 64)` for text without underscores: no sign, prefixes `0x`, `0o`, `0b`, and a
/// leading `0` means octal.
fn parse_uint(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (digits, radix) = match bytes {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // Rust's own parser takes a `+`, Go's does not take one here.
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// go-yaml's `yamlStyleFloat` pattern, and Go's refusal of what is beyond float64 (`1e400` stays text).
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

/// Standard base64 with padding, line breaks ignored, as Go's `base64.StdEncoding` reads it.
fn decode_base64(text: &str) -> Result<String, ScalarError> {
    use base64::Engine as _;
    let packed: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let engine = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let bytes = engine.decode(packed).map_err(|_| ScalarError::Binary)?;
    String::from_utf8(bytes).map_err(|_| ScalarError::Binary)
}

impl<'t> Scalar<'t> {
    /// The JSON value as the API server gets it: integers of 64 bits with sign, all other numbers as float64
    /// (`k8s.io/apimachinery/pkg/util/json`). `None` for infinite and not-a-number, which JSON does not have.
    pub(crate) fn into_json(self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(boolean) => Value::Bool(boolean),
            Self::Int(int) => Value::from(int),
            Self::Uint(uint) => Value::from(uint as f64),
            Self::Float(float) => Value::Number(number(float)?),
            Self::Text(text) => Value::String(text.into_owned()),
        })
    }

    /// The text of a key: `None` where Go has none (null, and integers above `i64::MAX`).
    pub(crate) fn into_key(self) -> Option<Cow<'t, str>> {
        Some(match self {
            Self::Null | Self::Uint(_) => return None,
            Self::Bool(boolean) => Cow::Owned(boolean.to_string()),
            Self::Int(int) => Cow::Owned(int.to_string()),
            Self::Float(float) if float.is_nan() => Cow::Borrowed(".nan"),
            Self::Float(float) if float.is_infinite() => {
                Cow::Borrowed(if float > 0.0 { ".inf" } else { "-.inf" })
            }
            Self::Float(float) => Cow::Owned(format_float32(float)),
            Self::Text(text) => text,
        })
    }

    /// The text that a Go field of type string gets: `None` for null, which leaves the field as it is.
    pub(crate) fn into_text(self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Uint(uint) => uint.to_string(),
            Self::Float(float) if float.is_nan() => "NaN".to_owned(),
            Self::Float(float) if float.is_infinite() => {
                if float > 0.0 {
                    "+Inf".to_owned()
                } else {
                    "-Inf".to_owned()
                }
            }
            other => return other.into_key().map(Cow::into_owned),
        })
    }
}

/// A finite float as Go's JSON writes it and the API server reads it back: `1e3` is written `1000`, and so is an
/// integer again. Go writes the shortest digits that give the same float, padded with zeros up to 1e21.
fn number(float: f64) -> Option<Number> {
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let text = format!("{float}");
        if let Ok(int) = text.parse::<i64>() {
            return Some(Number::from(int));
        }
    }
    Number::from_f64(float)
}

/// Go's `strconv.FormatFloat(float, 'g', -1, 32)`: the shortest digits that give the same *float32*, with an
/// exponent below 1e-4 and from 1e6 on. `sigs.k8s.io/yaml` writes float keys and float annotations so.
fn format_float32(float: f64) -> String {
    let single = float as f32;
    if single.is_infinite() {
        return if single > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let scientific = format!("{single:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{single}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Scalar, Tag, resolve};

    fn plain(text: &str) -> Scalar<'_> {
        resolve(Cow::Borrowed(text), &Tag::Implicit).unwrap()
    }

    #[test]
    fn words_and_numbers_are_those_of_yaml_1_1() {
        assert_eq!(plain("yes"), Scalar::Bool(true));
        assert_eq!(plain("yeS"), Scalar::Text(Cow::Borrowed("yeS")));
        assert_eq!(plain("0644"), Scalar::Int(420));
        assert_eq!(plain("08"), Scalar::Float(8.0));
        assert_eq!(plain("-0b11"), Scalar::Int(-3));
        assert_eq!(plain("1_0_"), Scalar::Int(10));
        assert_eq!(plain("9223372036854775808"), Scalar::Uint(1 << 63));
        assert_eq!(plain("-9223372036854775808"), Scalar::Int(i64::MIN));
        assert_eq!(plain("12e4567"), Scalar::Text(Cow::Borrowed("12e4567")));
        assert_eq!(plain("--1"), Scalar::Text(Cow::Borrowed("--1")));
        assert_eq!(plain("0x+1"), Scalar::Text(Cow::Borrowed("0x+1")));
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        let json = |text| plain(text).into_json().map(|value| value.to_string());
        assert_eq!(json("1e3").as_deref(), Some("1000"));
        assert_eq!(json("-0.0").as_deref(), Some("0"));
        assert_eq!(json("1.50").as_deref(), Some("1.5"));
        assert_eq!(json("4611686018427387904.0").as_deref(), Some("4611686018427388000"));
        assert_eq!(json(".inf"), None);
        let key = |text| plain(text).into_key();
        assert_eq!(key("1e5").as_deref(), Some("100000"));
        assert_eq!(key("1e6").as_deref(), Some("1e+06"));
        assert_eq!(key("16777217.0").as_deref(), Some("1.6777216e+07"));
        assert_eq!(key("0.0001").as_deref(), Some("0.0001"));
        assert_eq!(key("0.00001").as_deref(), Some("1e-05"));
        assert_eq!(key("~"), None);
        assert_eq!(plain("-.inf").into_text().as_deref(), Some("-Inf"));
    }
}
