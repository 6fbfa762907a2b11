//! etcd, kube-apiserver and kube-controller-manager on loopback, with everything they need in one folder.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::leash::{self, Leashed};
use crate::user::{self, ADMIN, CONTROLLER_MANAGER, User};

/// How long each part may take to answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// A free port can be taken by somebody else before the API server takes it.
const PORTS: usize = 5;

/// The running processes; dropping it kills them.
pub(crate) struct ControlPlane {
    _etcd: Leashed,
    _apiserver: Leashed,
    _controller_manager: Leashed,
    /// `https://127.0.0.1:PORT`.
    pub(crate) server: String,
}

/// Starts all of it and waits until it works. `folder` gets logs, certificates, data and a kubeconfig per user.
pub(crate) async fn start(kube: &Path, folder: &Path) -> Result<ControlPlane> {
    let parts = Parts { kube, folder };
    std::fs::create_dir_all(folder.join("logs"))?;
    let users = user::users()?;
    write_private(&folder.join("tokens.csv"), user::token_file(&users).as_bytes())?;
    write_private(&folder.join("service-account.key"), &parts.key()?)?;
    std::fs::write(folder.join("audit-policy.json"), audit_policy().to_string())?;
    let etcd = parts.start("etcd", &etcd_flags())?;
    let (apiserver, server) = parts.start_apiserver(&users).await?;
    let mut controller_manager = parts.start("controller-manager", &controller_manager_flags(folder))?;
    let client = client(&user::kubeconfig_path(folder, ADMIN)).await?;
    // Its controllers work once a namespace has the account that one of them makes.
    parts
        .wait("controller-manager", &mut controller_manager, || {
            answers(client.clone(), "/api/v1/namespaces/default/serviceaccounts/default")
        })
        .await?;
    Ok(ControlPlane { _etcd: etcd, _apiserver: apiserver, _controller_manager: controller_manager, server })
}

/// A client by a kubeconfig file.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig).with_context(|| kubeconfig.display().to_string())?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// Whether a path of the API can be read.
async fn answers(client: Client, path: &'static str) -> bool {
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok()
}

struct Parts<'a> {
    kube: &'a Path,
    folder: &'a Path,
}

impl Parts<'_> {
    fn start(&self, part: &str, flags: &[String]) -> Result<Leashed> {
        let log = File::create(self.log(part))?;
        let mut command = leash::command(self.kube);
        // Paths in flags are relative to the folder: a socket's path may have 107 bytes only.
        command.arg(part).args(flags).current_dir(self.folder).stdout(log.try_clone()?).stderr(log);
        Leashed::start(command).with_context(|| format!("cannot start {part}"))
    }

    /// Starts it on a free port, waits until it is ready, and writes the kubeconfigs.
    async fn start_apiserver(&self, users: &[User]) -> Result<(Leashed, String)> {
        for _ in 0..PORTS {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut apiserver = self.start("apiserver", &apiserver_flags(port))?;
            match self.wait_for_apiserver(&mut apiserver, port, users).await {
                Ok(server) => return Ok((apiserver, server)),
                Err(_) if self.text_of("apiserver").contains("address already in use") => {}
                Err(error) => return Err(error),
            }
        }
        bail!("kube-apiserver found no free port in {PORTS} tries")
    }

    async fn wait_for_apiserver(&self, process: &mut Leashed, port: u16, users: &[User]) -> Result<String> {
        let server = format!("https://127.0.0.1:{port}");
        // It makes its certificate itself, at its start.
        let certificate = self.folder.join("certs/apiserver.crt");
        self.wait("apiserver", process, || std::future::ready(certificate.is_file())).await?;
        let authority = std::fs::read(&certificate)?;
        for user in users {
            let config = user::kubeconfig(&server, &authority, user.name, &user.token, "default");
            write_private(&user::kubeconfig_path(self.folder, user.name), config.to_string().as_bytes())?;
        }
        let client = client(&user::kubeconfig_path(self.folder, ADMIN)).await?;
        self.wait("apiserver", process, || answers(client.clone(), "/readyz")).await?;
        Ok(server)
    }

    /// Waits until a part works; that it ended meanwhile is told with the end of its log.
    async fn wait<F: Future<Output = bool>>(
        &self,
        part: &str,
        process: &mut Leashed,
        mut works: impl FnMut() -> F,
    ) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !works().await {
            if let Some(code) = process.try_wait()? {
                bail!("{part} ended with {code}: {}", self.last_lines(part));
            }
            let late = Instant::now() > deadline;
            ensure!(!late, "{part} was not ready after {} s: {}", PATIENCE.as_secs(), self.last_lines(part));
            sleep(POLL).await;
        }
        Ok(())
    }

    fn key(&self) -> Result<Vec<u8>> {
        let output = Command::new(self.kube).arg("key").output()?;
        ensure!(output.status.success(), "kube key: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    fn log(&self, part: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{part}.log"))
    }

    fn text_of(&self, part: &str) -> String {
        std::fs::read_to_string(self.log(part)).unwrap_or_default()
    }

    fn last_lines(&self, part: &str) -> String {
        let text = self.text_of(part);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// On unix sockets, which cost no port; the advertised addresses must look like addresses and are never dialled.
fn etcd_flags() -> Vec<String> {
    [
        "--name=etcd",
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--listen-client-urls=unix://etcd.sock",
        "--listen-peer-urls=unix://etcd-peer.sock",
        "--advertise-client-urls=http://localhost:1",
        "--initial-advertise-peer-urls=http://localhost:1",
        "--initial-cluster=etcd=http://localhost:1",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn apiserver_flags(port: u16) -> Vec<String> {
    let mut flags = [
        "--etcd-servers=unix://etcd.sock",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        // Nobody reads the endpoints of Service kubernetes, and an address on loopback may not stand there.
        "--endpoint-reconciler-type=none",
        "--cert-dir=certs",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=service-account.key",
        "--service-account-signing-key-file=service-account.key",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--audit-policy-file=audit-policy.json",
        "--audit-log-path=logs/audit.log",
    ]
    .map(str::to_owned)
    .to_vec();
    flags.push(format!("--secure-port={port}"));
    flags
}

fn controller_manager_flags(folder: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", user::kubeconfig_path(folder, CONTROLLER_MANAGER).display()),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--service-account-private-key-file=service-account.key".to_owned(),
        // The default of 20 requests a second slows many Jobs.
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
    ]
}

/// Every request that changes something, but those of the cluster itself: when it comes and when it is answered. What a patch or a
/// deletion is, its body says.
fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [
            {"level": "None", "users": [CONTROLLER_MANAGER, user::NODE, "system:apiserver"]},
            {"level": "Request", "verbs": ["patch", "delete", "deletecollection"]},
            {"level": "Metadata", "verbs": ["create", "update"]},
            {"level": "None"},
        ],
    })
}

/// Writes a file that only we may read.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .with_context(|| path.display().to_string())
}
