//! Bodies in Kubernetes' protobuf encoding, which kubectl's typed commands (`kubectl create configmap`) send. Only
//! reading: answers are always JSON, which those clients accept. The messages are in `schema/protobuf.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock;

/// What every such body starts with.
const MAGIC: &[u8] = b"k8s\0";
/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// A field of a message: its JSON name and type.
type Field = (&'static str, &'static str);

static MESSAGES: LazyLock<HashMap<&'static str, HashMap<u64, Field>>> = LazyLock::new(|| {
    let lines = include_str!("schema/protobuf.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, fields) = line.split_once(' ')?;
            let fields = fields.split(' ').filter_map(|field| {
                let (number, rest) = field.split_once('=')?;
                Some((number.parse().ok()?, rest.split_once(':')?))
            });
            Some((name, fields.collect()))
        })
        .collect()
});

/// Reads a body. `message` is the name of the kind in the table.
///
/// Answers `None` for a kind that is not in the table, and for bytes that are no such message.
pub(crate) fn object(bytes: &[u8], message: &str) -> Option<Value> {
    let envelope = bytes.strip_prefix(MAGIC)?;
    let (mut raw, mut kind) = (&[][..], Map::new());
    for (number, field) in fields(envelope)? {
        match (number, field) {
            (1, Wire::Bytes(meta)) => {
                for (number, field) in fields(meta)? {
                    let (Wire::Bytes(text), Some(name)) =
                        (field, [(1, "apiVersion"), (2, "kind")].into_iter().find(|(n, _)| *n == number))
                    else {
                        continue;
                    };
                    kind.insert(name.1.to_owned(), json!(std::str::from_utf8(text).ok()?));
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut map = kind;
    read(raw, message, &mut map, 0)?;
    Some(Value::Object(map))
}

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in their order.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Number(u64::from_le_bytes(take(&mut bytes, 8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Wire::Bytes(take(&mut bytes, length)?)
            }
            5 => Wire::Number(u64::from(u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?))),
            _ => return None,
        };
        list.push((tag >> 3, field));
    }
    Some(list)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn read(bytes: &[u8], message: &str, map: &mut Map<String, Value>, depth: usize) -> Option<()> {
    // Deeper than any kind nests (JSONSchemaProps is not in the table).
    if depth > 64 {
        return None;
    }
    let known = MESSAGES.get(message)?;
    for (number, wire) in fields(bytes)? {
        // What a newer client knows and this table does not is unknown here too.
        let Some((name, kind)) = known.get(&number) else { continue };
        if let Some(inline) = kind.strip_prefix("^@") {
            let Wire::Bytes(bytes) = wire else { return None };
            read(bytes, inline, map, depth + 1)?;
        } else if let Some(element) = kind.strip_prefix('[') {
            let value = value(&wire, element, depth)?;
            if let Value::Array(list) = map.entry(*name).or_insert_with(|| json!([])) {
                list.push(value);
            }
        } else if let Some(element) = kind.strip_prefix('{') {
            let Wire::Bytes(bytes) = wire else { return None };
            let (mut key, mut entry) = (String::new(), empty(element));
            for (number, wire) in fields(bytes)? {
                match (number, &wire) {
                    (1, Wire::Bytes(text)) => key = std::str::from_utf8(text).ok()?.to_owned(),
                    (2, _) => entry = value(&wire, element, depth)?,
                    _ => {}
                }
            }
            if let Value::Object(entries) = map.entry(*name).or_insert_with(|| json!({})) {
                entries.insert(key, entry);
            }
        } else {
            let value = value(&wire, kind, depth)?;
            // Go's encoder writes empty text and zero times where JSON leaves them out.
            if value != "" && !value.is_null() {
                map.insert((*name).to_owned(), value);
            }
        }
    }
    Some(())
}

fn empty(kind: &str) -> Value {
    if matches!(kind, "s" | "y" | "q") { json!("") } else { json!({}) }
}

fn value(wire: &Wire<'_>, kind: &str, depth: usize) -> Option<Value> {
    Some(match (kind, wire) {
        ("s", Wire::Bytes(bytes)) => json!(std::str::from_utf8(bytes).ok()?),
        ("y", Wire::Bytes(bytes)) => json!(STANDARD.encode(bytes)),
        ("b", Wire::Number(number)) => json!(*number != 0),
        ("v", Wire::Number(number)) => json!(number.cast_signed()),
        ("d", Wire::Number(number)) => json!(f64::from_bits(*number)),
        ("T", Wire::Bytes(bytes)) => match fields(bytes)?.first() {
            Some((1, Wire::Number(seconds))) => {
                json!(clock::stamp(Timestamp::from_second(seconds.cast_signed()).ok()?))
            }
            _ => Value::Null,
        },
        ("q", Wire::Bytes(bytes)) => match fields(bytes)?.first() {
            Some((1, Wire::Bytes(text))) => json!(std::str::from_utf8(text).ok()?),
            _ => json!("0"),
        },
        ("i", Wire::Bytes(bytes)) => {
            let (mut textual, mut number, mut text) = (false, 0_i64, String::new());
            for field in fields(bytes)? {
                match field {
                    (1, Wire::Number(kind)) => textual = kind == 1,
                    (2, Wire::Number(value)) => number = value.cast_signed(),
                    (3, Wire::Bytes(value)) => text = std::str::from_utf8(value).ok()?.to_owned(),
                    _ => {}
                }
            }
            if textual { json!(text) } else { json!(number) }
        }
        ("r", Wire::Bytes(bytes)) => match fields(bytes)?.first() {
            Some((1, Wire::Bytes(raw))) => serde_json::from_slice(raw).ok()?,
            _ => Value::Null,
        },
        (kind, Wire::Bytes(bytes)) => {
            let mut map = Map::new();
            read(bytes, kind.strip_prefix('@')?, &mut map, depth + 1)?;
            Value::Object(map)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(number: u8, inner: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(inner.len()).unwrap()];
        out.extend(inner);
        out
    }

    #[test]
    fn a_config_map() {
        let metadata = bytes(1, &bytes(1, b"a"));
        let data = bytes(2, &[bytes(1, b"k"), bytes(2, b"v")].concat());
        let meta = bytes(1, &[bytes(1, b"v1"), bytes(2, b"ConfigMap")].concat());
        let body = [MAGIC, &meta, &bytes(2, &[metadata, data, vec![4 << 3, 1]].concat())].concat();
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}, "immutable": true});
        assert_eq!(object(&body, "core.v1.ConfigMap"), Some(expected));
        for end in 5..body.len() {
            // Cut anywhere, it is refused or shorter, never a panic.
            assert!(!object(&body[..end], "core.v1.ConfigMap").is_some_and(|v| v["immutable"] == true));
        }
    }

    #[test]
    fn every_message_that_is_named_is_there() {
        for fields in MESSAGES.values() {
            for (_, kind) in fields.values() {
                if let Some((_, name)) = kind.split_once('@') {
                    assert!(MESSAGES.contains_key(name), "{name}");
                }
            }
        }
    }
}
