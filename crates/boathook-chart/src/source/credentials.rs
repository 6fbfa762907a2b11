//! Logins of registries: what `helm registry login` and `docker login` left in their files, or in the helper programs that
//! these name.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

/// A config.json of Docker's form.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Auth>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// What a helper program answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The login for a registry in the first of the files that has one; none is no fault.
pub(super) fn login(registry: &str, configs: &[PathBuf]) -> RegistryAuth {
    configs.iter().find_map(|path| in_file(registry, path)).unwrap_or(RegistryAuth::Anonymous)
}

fn in_file(registry: &str, path: &PathBuf) -> Option<RegistryAuth> {
    let text = std::fs::read_to_string(path).ok()?;
    let config: Config = serde_json::from_str(&text)
        .inspect_err(|error| tracing::warn!(path = %path.display(), line = error.line(), "not read: no JSON of this form"))
        .ok()?;
    // Docker's own registry has its old address there.
    let names: &[&str] = match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => {
            &["https://index.docker.io/v1/", "docker.io"]
        }
        registry => &[registry],
    };
    names.iter().find_map(|name| {
        let helper = config.cred_helpers.get(*name).unwrap_or(&config.creds_store);
        let asked = if helper.is_empty() { None } else { ask(helper, name) };
        asked.or_else(|| {
            stored(config.auths.get(*name).or_else(|| config.auths.get(&format!("https://{name}")))?)
        })
    })
}

fn stored(auth: &Auth) -> Option<RegistryAuth> {
    if !auth.identitytoken.is_empty() {
        return Some(RegistryAuth::Bearer(auth.identitytoken.clone()));
    }
    if !auth.username.is_empty() {
        return Some(RegistryAuth::Basic(auth.username.clone(), auth.password.clone()));
    }
    let text = String::from_utf8(STANDARD.decode(&auth.auth).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(RegistryAuth::Basic(username.to_owned(), password.to_owned()))
}

/// Asks `docker-credential-HELPER`.
fn ask(helper: &str, registry: &str) -> Option<RegistryAuth> {
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .inspect_err(|error| tracing::warn!(helper, %error, "not asked for a login"))
        .ok()?;
    child.stdin.take()?.write_all(registry.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let Answer { username, secret } =
        serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
    Some(match username.as_str() {
        "<token>" => RegistryAuth::Bearer(secret),
        _ => RegistryAuth::Basic(username, secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_with_a_login_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [
            folder.path().join("missing.json"),
            file("broken.json", "{"),
            file("other.json", r#"{"auths": {"other.example.com": {"auth": "YTpi"}}}"#),
            file(
                "docker.json",
                r#"{"auths": {"r.example.com:5000": {"auth": "dXNlcjpwYTpzcw=="}, "https://index.docker.io/v1/": {"identitytoken": "t"}}}"#,
            ),
        ];
        let basic = RegistryAuth::Basic("user".to_owned(), "pa:ss".to_owned());
        assert_eq!(login("r.example.com:5000", &files), basic);
        assert_eq!(login("docker.io", &files), RegistryAuth::Bearer("t".to_owned()));
        assert_eq!(login("unknown.example.com", &files), RegistryAuth::Anonymous);
    }
}
