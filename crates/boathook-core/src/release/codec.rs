//! A record as the Secret that holds it: JSON, gzip, base64, and base64 once more as the API carries Secret data.
//! It decides labels and names; it does no IO.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Record;
use crate::Object;

/// The type of Helm's Secrets.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";
/// The label value by which Helm finds its Secrets.
pub const OWNER: &str = "helm";
/// The labels that Helm keeps for itself; the user's may not use these names.
pub const RESERVED_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];
/// A record larger than this when unpacked is refused: a Secret holds 1 MiB, gzip can blow it up a thousandfold.
const MAX_JSON: u64 = 64 << 20;
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// A Secret that is no readable record.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is no data.
    #[error("Secret {0} has no key \"release\"")]
    NoData(String),
    /// One of the layers of base64 is broken.
    #[error("Secret {0} is not base64")]
    NotBase64(String),
    /// The gzip layer is broken, or holds more than 64 MiB.
    #[error("Secret {0} is not gzip of at most 64 MiB")]
    NotGzip(String),
    /// The JSON is not a record.
    #[error("Secret {name} is not a release record")]
    NotARecord {
        /// The Secret.
        name: String,
        /// Where and why.
        source: serde_json::Error,
    },
}

/// When a Secret is written, and whether for the first time: Helm labels the one `createdAt`, the other
/// `modifiedAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The first write.
    Created(Timestamp),
    /// Any other.
    Modified(Timestamp),
}

impl Stamp {
    pub(super) fn label(self) -> (String, Value) {
        match self {
            Self::Created(time) => ("createdAt".to_owned(), json!(time.as_second().to_string())),
            Self::Modified(time) => ("modifiedAt".to_owned(), json!(time.as_second().to_string())),
        }
    }
}

/// `sh.helm.release.v1.NAME.vN`.
pub fn secret_name(release: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// The Secret of a record. The label `status` always equals `info.status`: Helm's queries rely on it.
pub fn encode(record: &Record, user_labels: &BTreeMap<String, String>, stamp: Stamp) -> Object {
    let mut labels: serde_json::Map<String, Value> = user_labels
        .iter()
        .filter(|(key, _)| !RESERVED_LABELS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    labels.extend([
        ("name".to_owned(), json!(record.name)),
        ("owner".to_owned(), json!(OWNER)),
        ("status".to_owned(), json!(record.info.status.as_str())),
        ("version".to_owned(), json!(record.version.to_string())),
        stamp.label(),
    ]);
    secret(
        &secret_name(&record.name, record.version),
        &record.namespace,
        SECRET_TYPE,
        labels.into(),
        &pack(record),
    )
}

/// The record in a Secret.
///
/// # Errors
/// [`DecodeError`]; none of them shows the content.
pub fn decode(secret: &Object) -> Result<Record, DecodeError> {
    unpack(secret)
}

/// The labels of a Secret that the user gave: all but Helm's six.
pub fn user_labels(secret: &Object) -> BTreeMap<String, String> {
    let labels = secret.get(&["metadata", "labels"]).and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .filter(|(key, _)| !RESERVED_LABELS.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

pub(super) fn secret(name: &str, namespace: &str, kind: &str, labels: Value, data: &str) -> Object {
    let value = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "type": kind,
        "data": {"release": STANDARD.encode(data)},
    });
    Object::from_value(value).unwrap_or_default()
}

/// JSON, gzip at level 9, base64.
pub(super) fn pack(document: &impl Serialize) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let json = serde_json::to_vec(document).expect("records hold string keys only");
    gzip.write_all(&json)
        .and_then(|()| gzip.finish())
        .map_or_else(|_| unreachable!("writing to memory does not fail"), |bytes| STANDARD.encode(bytes))
}

pub(super) fn unpack<T: DeserializeOwned>(secret: &Object) -> Result<T, DecodeError> {
    let name = || secret.name().to_owned();
    let wire = secret.str(&["data", "release"]).ok_or_else(|| DecodeError::NoData(name()))?;
    let bytes = STANDARD
        .decode(wire)
        .and_then(|inner| STANDARD.decode(inner))
        .map_err(|_| DecodeError::NotBase64(name()))?;
    let json = if bytes.starts_with(&GZIP_MAGIC) {
        let mut json = Vec::new();
        let mut reader = GzDecoder::new(bytes.as_slice()).take(MAX_JSON + 1);
        match reader.read_to_end(&mut json) {
            Ok(_) if json.len() as u64 <= MAX_JSON => json,
            _ => return Err(DecodeError::NotGzip(name())),
        }
    } else {
        bytes
    };
    serde_json::from_slice(&json).map_err(|source| DecodeError::NotARecord { name: name(), source })
}

#[cfg(test)]
mod tests {
    use super::super::{Info, Status};
    use super::*;

    fn record() -> Record {
        Record {
            name: "web".to_owned(),
            namespace: "prod".to_owned(),
            version: 3,
            info: Info { status: Status::Deployed, ..Info::default() },
            ..Record::default()
        }
    }

    fn data(bytes: &[u8]) -> Object {
        secret("s", "prod", SECRET_TYPE, json!({}), &STANDARD.encode(bytes))
    }

    #[test]
    fn the_secret_carries_helms_name_type_and_labels() {
        let users =
            BTreeMap::from([("team".to_owned(), "a".to_owned()), ("owner".to_owned(), "me".to_owned())]);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let created = encode(&record(), &users, Stamp::Created(now));
        assert_eq!(created.name(), "sh.helm.release.v1.web.v3");
        assert_eq!(created.namespace(), Some("prod"));
        assert_eq!(created.str(&["type"]), Some("helm.sh/release.v1"));
        assert_eq!(
            created.get(&["metadata", "labels"]),
            Some(&json!({"team": "a", "name": "web", "owner": "helm", "status": "deployed", "version": "3",
                         "createdAt": "1700000000"}))
        );
        assert_eq!(user_labels(&created), BTreeMap::from([("team".to_owned(), "a".to_owned())]));
        let modified = encode(&record(), &users, Stamp::Modified(now));
        assert_eq!(modified.str(&["metadata", "labels", "modifiedAt"]), Some("1700000000"));
        assert_eq!(modified.str(&["metadata", "labels", "createdAt"]), None);
    }

    #[test]
    fn plain_and_compressed_records_are_read() {
        let record = record();
        assert_eq!(decode(&data(&serde_json::to_vec(&record).unwrap())).unwrap(), record);
        let now = Timestamp::from_second(0).unwrap();
        assert_eq!(decode(&encode(&record, &BTreeMap::new(), Stamp::Created(now))).unwrap(), record);
    }

    #[test]
    fn each_broken_layer_is_named_and_shows_no_content() {
        let gzip_cut = &STANDARD.decode(pack(&record())).unwrap()[..20];
        for (secret, expected) in [
            (
                Object::from_value(json!({"metadata": {"name": "s"}})).unwrap(),
                "Secret s has no key \"release\"",
            ),
            (
                Object::from_value(json!({"metadata": {"name": "s"}, "data": {"release": "%"}})).unwrap(),
                "Secret s is not base64",
            ),
            (data(gzip_cut), "Secret s is not gzip of at most 64 MiB"),
            (data(br#"{"name":"hidden"}"#), "Secret s is not a release record"),
        ] {
            assert_eq!(decode(&secret).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_gzip_bomb_is_refused() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(b"{\"name\":\"").unwrap();
        let block = vec![b'a'; 1 << 20];
        for _ in 0..65 {
            gzip.write_all(&block).unwrap();
        }
        let error = decode(&data(&gzip.finish().unwrap())).unwrap_err();
        assert!(matches!(error, DecodeError::NotGzip(_)), "{error:?}");
    }
}
