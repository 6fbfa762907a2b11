//! A cluster as tests hold it: started by them, or any that `BOATHOOK_TEST_KUBECONFIG` names.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::{Context as _, Result};
use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::audit::{self, Change};
use crate::control_plane::{self, ControlPlane};
use crate::folder::Folder;
use crate::node::{self, Node};
use crate::tools::Tool;
use crate::user::{self, ADMIN};

/// Names any other cluster for the tests.
const OTHER: &str = "BOATHOOK_TEST_KUBECONFIG";

/// A running cluster. Dropping it, or the end of the process however it comes, ends the cluster that it started.
pub struct Cluster {
    kubeconfig: PathBuf,
    client: Client,
    own: Option<Own>,
    /// Drives the client and the node; its threads are its own, so this can be used in any surroundings.
    runtime: Option<Runtime>,
}

/// The fields are dropped in this order: nothing may write to the folder when it is removed.
struct Own {
    _node: Node,
    _control_plane: ControlPlane,
    folder: Folder,
}

impl Cluster {
    /// Whether there is one to be had for tests, without starting it.
    ///
    /// # Errors
    /// There is not, and what to do about it.
    pub fn available() -> Result<()> {
        if !Self::is_given() {
            Tool::Kube.find()?;
        }
        Ok(())
    }

    /// Whether `BOATHOOK_TEST_KUBECONFIG` names the cluster for tests.
    pub fn is_given() -> bool {
        std::env::var_os(OTHER).is_some()
    }

    /// The cluster that `BOATHOOK_TEST_KUBECONFIG` names, or a new one in a temporary folder.
    ///
    /// # Errors
    /// There is none to be had, and why.
    pub fn for_tests() -> Result<Self> {
        match std::env::var_os(OTHER) {
            Some(kubeconfig) => Self::connect(Path::new(&kubeconfig)).with_context(|| OTHER.to_owned()),
            None => Self::start(Folder::temporary),
        }
    }

    /// A new one with its folder at `path`, which stays when it ends.
    ///
    /// # Errors
    /// It cannot be started, or one runs there.
    pub fn start_in(path: &Path) -> Result<Self> {
        Self::start(|| Folder::lasting(path))
    }

    fn start(folder: impl FnOnce() -> Result<Folder>) -> Result<Self> {
        let kube = Tool::Kube.find()?;
        let folder = folder()?;
        let runtime = Runtime::new()?;
        let path = folder.path().to_path_buf();
        let kubeconfig = user::kubeconfig_path(&path, ADMIN);
        let (control_plane, node, client) = wait_for(&runtime, async move {
            let control_plane = control_plane::start(&kube, &path).await?;
            let node = node::start(&kube, &path, &control_plane.server).await?;
            anyhow::Ok((
                control_plane,
                node,
                control_plane::client(&user::kubeconfig_path(&path, ADMIN)).await?,
            ))
        })?;
        let own = Own { _node: node, _control_plane: control_plane, folder };
        Ok(Self { kubeconfig, client, own: Some(own), runtime: Some(runtime) })
    }

    fn connect(kubeconfig: &Path) -> Result<Self> {
        let runtime = Runtime::new()?;
        let path = kubeconfig.to_path_buf();
        let client = wait_for(&runtime, async move { control_plane::client(&path).await })?;
        Ok(Self { kubeconfig: kubeconfig.to_path_buf(), client, own: None, runtime: Some(runtime) })
    }

    /// The kubeconfig of somebody who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Every change that somebody asked for in a namespace, in order; the cluster's own controllers and its node are left out.
    ///
    /// # Errors
    /// The cluster was not started here, so its audit log cannot be read.
    pub fn changes(&self, namespace: &str) -> Result<Vec<Change>> {
        let own = self.own.as_ref().context("a given cluster's audit log cannot be read")?;
        audit::changes(&std::fs::read_to_string(own.folder.path().join("logs/audit.log"))?, namespace)
    }

    /// Makes a namespace that nobody else has, for the test of this name. Its own name has nine letters, whatever the test's is.
    ///
    /// # Errors
    /// The API's.
    pub fn namespace(&self, test: &str) -> Result<String> {
        let random = user::random()?;
        let namespace = format!("t-{}", &random[..7]);
        let metadata = json!({"name": namespace, "annotations": {"boathook.dev/test": test}});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.send(Method::POST, "/api/v1/namespaces", &object)?;
        // Pods are refused until their account is there; a controller makes it.
        let account = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
        for _ in 0..200 {
            if self.get(&account)?.is_some() {
                return Ok(namespace);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        anyhow::bail!("namespace {namespace} got no service account")
    }

    /// What is at a path of the API, if anything.
    ///
    /// # Errors
    /// The API's, but "not found".
    pub fn get(&self, path: &str) -> Result<Option<Value>> {
        match self.request(Method::GET, path, "application/json", Vec::new()) {
            Ok(value) => Ok(Some(value)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends JSON: POST, PUT, DELETE, or PATCH with a merge patch.
    ///
    /// # Errors
    /// The API's.
    pub fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let media_type =
            if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        Ok(self.request(method, path, media_type, body.to_string().into_bytes())?)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, kube::Error> {
        let request =
            Request::builder().method(method).uri(path).header("content-type", media_type).body(body);
        let client = self.client.clone();
        let request = request.map_err(kube::Error::HttpError)?;
        let runtime = self.runtime.as_ref().expect("it is taken at the end only");
        wait_for(runtime, async move { client.request(request).await })
    }

    /// A kubeconfig for a service account of a namespace, which is made if it is not there. It may do what is bound to it.
    ///
    /// # Errors
    /// The API's.
    pub fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<String> {
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        if self.get(&format!("{accounts}/{account}"))?.is_none() {
            let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}});
            self.send(Method::POST, &accounts, &object)?;
        }
        let asked = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.send(Method::POST, &format!("{accounts}/{account}/token"), &asked)?;
        let token = answer["status"]["token"].as_str().context("a token")?;
        // The admin's file with another identity.
        let text = std::fs::read_to_string(&self.kubeconfig)?;
        let mut config: kube::config::Kubeconfig = kube::config::Kubeconfig::from_yaml(&text)?;
        for named in &mut config.auth_infos {
            named.auth_info =
                Some(kube::config::AuthInfo { token: Some(token.to_owned().into()), ..Default::default() });
        }
        Ok(serde_json::to_string(&config)?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.own.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a future on the runtime and waits for it, also where another runtime's thread waits.
fn wait_for<T: Send + 'static>(runtime: &Runtime, future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    runtime.spawn(async move {
        // The receiver waits below.
        drop(sender.send(future.await));
    });
    receiver.recv().expect("the future ran to its end")
}
