//! The API under test, a namespace of its own for each test, and raw requests: rules are about what is on the wire.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use boathook_embedded::Embedded;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// An API that rules are asked of.
#[derive(Clone, Copy)]
pub(crate) enum Api<'a> {
    /// A fresh embedded one.
    Embedded,
    /// The one that a kubeconfig names.
    Real(&'a Path),
}

impl Api<'_> {
    /// A client, and how to get one for a service account.
    async fn connect(self) -> (kube::Client, Accounts) {
        match self {
            Self::Embedded => {
                let embedded = Embedded::new().with_rbac();
                (embedded.client("default"), Accounts::Embedded(embedded))
            }
            Self::Real(path) => {
                let kubeconfig = Kubeconfig::read_from(path).unwrap();
                let options = KubeConfigOptions::default();
                let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
                // A refusal is an answer, also where trying again might help.
                config.default_retry = false;
                (kube::Client::try_from(config.clone()).unwrap(), Accounts::Real(Box::new(config)))
            }
        }
    }
}

/// Where clients of service accounts come from.
#[derive(Clone)]
enum Accounts {
    Embedded(Embedded),
    /// With another token.
    Real(Box<kube::Config>),
}

/// The path of definitions.
pub(crate) const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// An API and a namespace in it.
pub(crate) struct Cluster {
    pub(crate) client: kube::Client,
    pub(crate) namespace: String,
    accounts: Accounts,
    /// Paths of what a rule made outside the namespace.
    elsewhere: Mutex<Vec<String>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    /// The object of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.code < 300, "{} {}", self.code, self.body);
        self.body
    }

    /// The message of a refusal with this code and reason.
    #[track_caller]
    pub(crate) fn refused(self, code: u16, reason: &str) -> String {
        assert_eq!(
            (self.code, self.body["reason"].as_str().unwrap_or_default()),
            (code, reason),
            "{}",
            self.body
        );
        assert_eq!(self.body["kind"], "Status");
        assert_eq!(self.body["apiVersion"], "v1");
        assert_eq!(self.body["status"], "Failure");
        assert_eq!(self.body["code"], code);
        self.body["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Cluster {
    /// An API with a fresh namespace.
    pub(crate) async fn of(api: Api<'_>) -> Self {
        let (client, accounts) = api.connect().await;
        let cluster = Self { client, namespace: String::new(), accounts, elsewhere: Mutex::default() };
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "contract-"}});
        let made = cluster.post("/api/v1/namespaces", namespace).await.ok();
        Self { namespace: made["metadata"]["name"].as_str().unwrap().to_owned(), ..cluster }
    }

    /// Removes all that was made, without waiting for its end.
    pub(crate) async fn clean_up(&self) {
        let elsewhere = std::mem::take(&mut *self.elsewhere.lock().unwrap());
        for path in elsewhere {
            self.delete(&path, Value::Null).await;
        }
        self.delete(&format!("/api/v1/namespaces/{}", self.namespace), Value::Null).await;
    }

    /// The path of a core resource in the namespace.
    pub(crate) fn core(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.namespace)
    }

    /// The path of a resource of a group in the namespace.
    pub(crate) fn group(&self, group_version: &str, rest: &str) -> String {
        format!("/apis/{group_version}/namespaces/{}/{rest}", self.namespace)
    }

    /// The same cluster for a new service account of the namespace.
    pub(crate) async fn account(&self, name: &str) -> Self {
        let accounts = self.core("serviceaccounts");
        self.post(&accounts, json!({"metadata": {"name": name}})).await.ok();
        let client = match &self.accounts {
            Accounts::Embedded(embedded) => {
                let user = format!("system:serviceaccount:{}:{name}", self.namespace);
                embedded.client_as(&user, &[], "default")
            }
            Accounts::Real(config) => {
                let request =
                    json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {}});
                let made = self.post(&format!("{accounts}/{name}/token"), request).await.ok();
                let token = made["status"]["token"].as_str().unwrap().to_owned();
                let mut config = kube::Config::clone(config);
                config.auth_info = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
                kube::Client::try_from(config).unwrap()
            }
        };
        let (namespace, accounts) = (self.namespace.clone(), self.accounts.clone());
        Self { client, namespace, accounts, elsewhere: Mutex::default() }
    }

    /// Sends a request with a body of a media type.
    pub(crate) async fn send(&self, method: &str, path: &str, media: &str, body: String) -> Answer {
        self.exchange(&[("Content-Type", media)], method, path, body).await
    }

    /// Sends JSON with more headers.
    pub(crate) async fn send_with(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> Answer {
        let media = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let headers = [&[("Content-Type", media)], headers].concat();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.exchange(&headers, method, path, body).await
    }

    async fn exchange(&self, headers: &[(&str, &str)], method: &str, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("User-Agent", "contract/1.0");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(kube::client::Body::from(body.into_bytes())).unwrap();
        let (head, body) = self.client.send(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let header = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        Answer {
            code: StatusCode::as_u16(&head.status),
            body: serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))),
            warnings: head.headers.get_all("warning").iter().map(header).collect(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string()).await
    }

    /// Creates an object outside the namespace; its name must be the test's own.
    pub(crate) async fn post_clusterwide(&self, path: &str, body: Value) -> Answer {
        let name = body["metadata"]["name"].as_str().unwrap();
        self.elsewhere.lock().unwrap().push(format!("{path}/{name}"));
        self.post(path, body).await
    }

    /// Waits until a path answers 404: a real server works in the background.
    pub(crate) async fn gone(&self, path: &str) {
        for _ in 0..400 {
            if self.get(path).await.code == 404 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} is still there");
    }

    /// Waits until an object is as it should be: a real cluster works in the background.
    pub(crate) async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.get(path).await.ok();
            if holds(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} does not become as it should be: {last:#}");
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, "application/json", body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("DELETE", path, "application/json", body).await
    }

    pub(crate) async fn merge(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", body.to_string()).await
    }

    pub(crate) async fn strategic(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/strategic-merge-patch+json", body.to_string()).await
    }

    pub(crate) async fn json_patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/json-patch+json", body.to_string()).await
    }

    /// Server-side apply by a manager; `more` is further query text.
    pub(crate) async fn apply(&self, path: &str, manager: &str, more: &str, body: Value) -> Answer {
        let path = format!("{path}?fieldManager={manager}{more}");
        self.send("PATCH", &path, "application/apply-patch+yaml", body.to_string()).await
    }

    /// The events of a watch that ends after a second.
    pub(crate) async fn watch(&self, path: &str) -> Vec<Value> {
        let more = if path.contains('?') { '&' } else { '?' };
        let request = Request::get(format!("{path}{more}watch=1&timeoutSeconds=1"))
            .body(kube::client::Body::empty())
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A ConfigMap.
pub(crate) fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// The types and names of watch events.
pub(crate) fn events(list: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|event| format!("{} {}", text(&event["type"]), text(&event["object"]["metadata"]["name"])))
        .collect()
}
