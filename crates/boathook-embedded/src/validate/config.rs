//! ConfigMaps and Secrets: their keys, their size, and what a Secret of a type must hold.

use serde_json::Value;

use crate::names;
use crate::status::FieldError;

/// Bytes of all data.
const MAX_DATA: usize = 1024 * 1024;

/// What is wrong with a ConfigMap.
pub(super) fn config_map(object: &Value, errors: &mut Vec<FieldError>) {
    let plain = keys(object, "data", errors);
    let binary = keys(object, "binaryData", errors) / 4 * 3;
    for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if !object["binaryData"][key.as_str()].is_null() {
            let (field, key) = (format!("data[{key}]"), Value::from(key.as_str()));
            errors.push(FieldError::invalid(&field, &key, "duplicate of key present in binaryData"));
        }
    }
    if plain + binary > MAX_DATA {
        // The real one names no field either.
        errors.push(FieldError::too_long("[]", MAX_DATA));
    }
}

/// What is wrong with a Secret.
pub(super) fn secret(object: &Value, errors: &mut Vec<FieldError>) {
    if keys(object, "data", errors) / 4 * 3 > MAX_DATA {
        errors.push(FieldError::too_long("data", MAX_DATA));
    }
    let data = &object["data"];
    let has = |key: &&str| !data[*key].is_null();
    let needed: &[&str] = match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        // One of the two is enough.
        "kubernetes.io/basic-auth" if ["username", "password"].iter().any(has) => &[],
        "kubernetes.io/basic-auth" => &["username", "password"],
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if object["metadata"]["annotations"][ACCOUNT].as_str().is_none_or(str::is_empty) {
                errors.push(FieldError::required(&format!("metadata.annotations[{ACCOUNT}]"), ""));
            }
            &[]
        }
        _ => &[],
    };
    for key in needed.iter().filter(|key| !has(key)) {
        errors.push(FieldError::required(&format!("data[{key}]"), ""));
    }
}

/// Checks the keys of a map; answers the length of its values.
fn keys(object: &Value, field: &str, errors: &mut Vec<FieldError>) -> usize {
    let mut size = 0;
    for (key, value) in object[field].as_object().into_iter().flatten() {
        if !names::is_data_key(key) {
            let path = format!("{field}[{key}]");
            errors.push(FieldError::invalid(&path, &Value::from(key.as_str()), names::DATA_KEY));
        }
        size += value.as_str().map_or(0, str::len);
    }
    size
}
