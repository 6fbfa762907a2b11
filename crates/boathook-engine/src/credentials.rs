//! The values of a hook's credentials, looked up just before it runs. They go to the plugin host and nowhere else: an
//! error names the Secret and the key, never the value.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::wasm_hook::{Credential, SecretKeyRef};

use crate::cluster::Cluster;
use crate::context::Environment;
use crate::fault;
use crate::plugin_host::CredentialValue;
use crate::release_store::secret_at;
use crate::unborn::Unborn;

/// Looks up all of them, from Secrets of the release's namespace, those that a dry run would have made by now included, and from
/// the environment.
pub(crate) async fn resolve(
    credentials: &[Credential],
    cluster: &dyn Cluster,
    environment: &Environment,
    namespace: &str,
    unborn: &Unborn,
) -> Result<BTreeMap<String, CredentialValue>, RunError> {
    let mut values = BTreeMap::new();
    for credential in credentials {
        let name = &credential.name;
        let value = match (&credential.secret_key_ref, &credential.env) {
            (Some(reference), _) => from_secret(name, reference, cluster, namespace, unborn).await?,
            (None, Some(variable)) => environment(variable).ok_or_else(|| {
                missing(
                    format!("credential {name}: environment variable {variable} is not set"),
                    format!("export {variable} before running boathook"),
                )
            })?,
            (None, None) => {
                return Err(missing(
                    format!("credential {name} has no source"),
                    "give it secretKeyRef or env".to_owned(),
                ));
            }
        };
        values.insert(name.clone(), CredentialValue { value, reveal: credential.reveal });
    }
    Ok(values)
}

async fn from_secret(
    name: &str,
    reference: &SecretKeyRef,
    cluster: &dyn Cluster,
    namespace: &str,
    unborn: &Unborn,
) -> Result<String, RunError> {
    let SecretKeyRef { name: secret_name, key } = reference;
    let target = secret_at(namespace, secret_name).map_err(|error| {
        missing(format!("credential {name}: {error}"), "correct secretKeyRef.name".to_owned())
    })?;
    let found = match cluster.get(&target).await {
        Err(error) if error.is_not_found() => unborn.secret(namespace, secret_name).cloned().ok_or(error),
        found => found,
    };
    let secret = found.map_err(|error| {
        if error.is_not_found() {
            missing(
                format!("credential {name}: Secret {namespace}/{secret_name} does not exist"),
                format!(
                    "kubectl create secret generic {secret_name} -n {namespace} --from-literal={key}=VALUE"
                ),
            )
        } else {
            fault::of_cluster(
                &error,
                format!("credential {name}: Secret {namespace}/{secret_name}: {}", error.message),
            )
        }
    })?;
    // Only in a manifest.
    if let Some(value) = secret.str(&["stringData", key]) {
        return Ok(value.to_owned());
    }
    let encoded = secret.str(&["data", key]).ok_or_else(|| {
        missing(
            format!("credential {name}: Secret {namespace}/{secret_name} has no key {key}"),
            format!("add the key {key} to the Secret, or correct secretKeyRef.key"),
        )
    })?;
    STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        missing(
            format!("credential {name}: key {key} of Secret {namespace}/{secret_name} is not UTF-8 text"),
            "credentials are texts".to_owned(),
        )
    })
}

fn missing(message: String, hint: String) -> RunError {
    RunError { hint: Some(hint), ..RunError::new(ErrorCode::CredentialMissing, message) }
}
