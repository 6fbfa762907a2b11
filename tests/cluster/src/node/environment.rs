//! The environment of a container: `env` and `envFrom`, with what they refer to.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVarSource, ObjectFieldSelector, Pod, Secret};
use kube::{Api, Client};

/// Variables by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// What the manifest asks for, on top of `variables`; later ones may refer to earlier ones.
///
/// # Errors
/// Something that is referred to is not there: the kubelet's text.
pub(crate) async fn extend(
    mut variables: Variables,
    client: &Client,
    pod: &Pod,
    container: &Container,
    address: &str,
) -> Result<Variables, String> {
    let objects = Objects { client, namespace: pod.metadata.namespace.as_deref().unwrap_or("default") };
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let data = match (&source.config_map_ref, &source.secret_ref) {
            (Some(from), _) => objects.config_map(&from.name, from.optional).await?,
            (None, Some(from)) => objects.secret(&from.name, from.optional).await?,
            (None, None) => None,
        };
        variables.extend(data.into_iter().flatten().map(|(name, value)| (format!("{prefix}{name}"), value)));
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => objects.value(source, pod, address).await?,
            (Some(text), None) => Some(expand(text, &variables)),
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(variables)
}

/// Kubernetes' `$(NAME)`: what is not known stays, `$$` is one `$`.
pub(crate) fn expand(text: &str, variables: &Variables) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|name| name.split_once(')')) {
            match variables.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

struct Objects<'a> {
    client: &'a Client,
    namespace: &'a str,
}

impl Objects<'_> {
    async fn value(&self, source: &EnvVarSource, pod: &Pod, address: &str) -> Result<Option<String>, String> {
        if let Some(from) = &source.config_map_key_ref {
            let data = self.config_map(&from.name, from.optional).await?;
            let what = format!("ConfigMap {}/{}", self.namespace, from.name);
            return pick(data, &from.key, from.optional, &what);
        }
        if let Some(from) = &source.secret_key_ref {
            let data = self.secret(&from.name, from.optional).await?;
            let what = format!("Secret {}/{}", self.namespace, from.name);
            return pick(data, &from.key, from.optional, &what);
        }
        match &source.field_ref {
            Some(from) => field(from, pod, address).map(Some),
            None => Err("this node knows no resourceFieldRef and no fileKeyRef".to_owned()),
        }
    }

    async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Option<Variables>, String> {
        let found = Api::<ConfigMap>::namespaced(self.client.clone(), self.namespace).get_opt(name).await;
        let found = found.map_err(|error| error.to_string())?.map(|found| found.data.unwrap_or_default());
        present(found, optional, || format!("configmap {name:?} not found"))
    }

    async fn secret(&self, name: &str, optional: Option<bool>) -> Result<Option<Variables>, String> {
        let found = Api::<Secret>::namespaced(self.client.clone(), self.namespace).get_opt(name).await;
        let found = found.map_err(|error| error.to_string())?.map(|found| {
            let data = found.data.unwrap_or_default().into_iter();
            data.map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned())).collect()
        });
        present(found, optional, || format!("secret {name:?} not found"))
    }
}

fn present<T>(
    found: Option<T>,
    optional: Option<bool>,
    missing: impl FnOnce() -> String,
) -> Result<Option<T>, String> {
    if found.is_none() && optional != Some(true) { Err(missing()) } else { Ok(found) }
}

fn pick(
    data: Option<Variables>,
    key: &str,
    optional: Option<bool>,
    what: &str,
) -> Result<Option<String>, String> {
    let value = data.and_then(|mut data| data.remove(key));
    present(value, optional, || format!("couldn't find key {key} in {what}"))
}

fn field(from: &ObjectFieldSelector, pod: &Pod, address: &str) -> Result<String, String> {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    let in_map = |map: &Option<BTreeMap<String, String>>, prefix: &str| {
        let key = from.field_path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']")?;
        Some(map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default())
    };
    let value = match from.field_path.as_str() {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.hostIP" | "status.hostIPs" => Some("127.0.0.1".to_owned()),
        "status.podIP" | "status.podIPs" => Some(address.to_owned()),
        _ => in_map(&meta.labels, "metadata.labels")
            .or_else(|| in_map(&meta.annotations, "metadata.annotations")),
    };
    value.ok_or_else(|| format!("unsupported fieldPath: {}", from.field_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_variables() {
        let variables = Variables::from([("A".to_owned(), "1".to_owned())]);
        let expanded = |text| expand(text, &variables);
        assert_eq!(expanded("a$(A)b$(B)c$$(A)$"), "a1b$(B)c$(A)$");
        assert_eq!(expanded("$A $(A"), "$A $(A");
    }

    #[test]
    fn fields_of_the_pod() {
        let mut pod = Pod::default();
        pod.metadata.name = Some("p".to_owned());
        pod.metadata.labels = Some(BTreeMap::from([("a/b".to_owned(), "c".to_owned())]));
        let value = |path: &str| {
            field(&ObjectFieldSelector { api_version: None, field_path: path.to_owned() }, &pod, "10.0.0.1")
        };
        assert_eq!(value("metadata.name").as_deref(), Ok("p"));
        assert_eq!(value("metadata.labels['a/b']").as_deref(), Ok("c"));
        assert_eq!(value("metadata.annotations['x']").as_deref(), Ok(""));
        assert_eq!(value("status.podIP").as_deref(), Ok("10.0.0.1"));
        assert!(value("spec.other").is_err());
    }
}
