//! Charts from elsewhere: a registry, a repository, a URL. All of them are one small server on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::env::TestEnv;
use crate::snapshot;

/// What a path answers: a media type and a body.
type Pages = BTreeMap<String, (&'static str, Vec<u8>)>;

/// A server of fixed pages.
struct Server {
    port: u16,
    pages: Arc<Mutex<Pages>>,
    /// Request lines, with the login if there was one.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `login` is what `Authorization` must say, if anything.
    fn start(login: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (pages, seen) = (Arc::new(Mutex::new(Pages::new())), Arc::new(Mutex::new(Vec::new())));
        let server = Self { port, pages: pages.clone(), seen: seen.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, login, &pages, &seen);
            }
        });
        server
    }

    fn page(&self, path: &str, media_type: &'static str, body: impl Into<Vec<u8>>) {
        self.pages.lock().unwrap().insert(path.to_owned(), (media_type, body.into()));
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Pushes a chart, as `helm push` does. Gives the digest of the manifest.
    fn push(&self, repository: &str, tag: &str, archive: &[u8]) -> String {
        let layer = digest(archive);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest(b"{}"), "size": 2},
            "layers": [{
                "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "digest": layer, "size": archive.len(),
            }],
        })
        .to_string();
        let name = digest(manifest.as_bytes());
        for reference in [tag, &name] {
            let path = format!("/v2/{repository}/manifests/{reference}");
            self.page(&path, "application/vnd.oci.image.manifest.v1+json", manifest.clone());
        }
        self.page(&format!("/v2/{repository}/blobs/{layer}"), "application/octet-stream", archive);
        name
    }
}

fn answer(mut stream: TcpStream, login: Option<&str>, pages: &Mutex<Pages>, seen: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(line) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        headers.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let given = header("authorization");
    let path = line.split(' ').nth(1).unwrap_or_default();
    seen.lock().unwrap().push(format!("{path}{}", given.as_ref().map_or("", |_| " (with a login)")));
    let path = path.split('?').next().unwrap_or_default();
    let page = pages.lock().unwrap().get(path).cloned();
    let (status, media_type, body) = match page {
        _ if login.is_some_and(|login| given.as_deref() != Some(login)) => {
            ("401 Unauthorized", "text/plain", Vec::new())
        }
        Some((media_type, body)) => ("200 OK", media_type, body),
        None => ("404 Not Found", "text/plain", b"{}".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\
         WWW-Authenticate: Basic realm=\"test\"\r\nConnection: close\r\n\r\n",
        body.len(),
        digest(&body)
    );
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A packed chart of this version, whose one template says it.
fn archive(version: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let files = [
        ("web/Chart.yaml", format!("apiVersion: v2\nname: web\nversion: {version}\n")),
        ("web/templates/a.yaml", "kind: A\nversion: {{ .Chart.Version }}\n".to_owned()),
    ];
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// The version that rendering says, or the error.
fn version(env: &TestEnv, args: &[&str]) -> String {
    let run = env.run(&[&["template", "web"], args].concat());
    let version = run.stdout.lines().find_map(|line| line.strip_prefix("version: "));
    version.map_or_else(|| run.stderr.clone(), str::to_owned)
}

#[test]
fn charts_come_from_a_registry() {
    let Some(env) = TestEnv::with_engine() else { return };
    let server = Server::start(Some("Basic dXNlcjpwYXNz"));
    server.page("/v2/", "application/json", "{}");
    server.page(
        "/v2/charts/web/tags/list",
        "application/json",
        r#"{"name": "charts/web", "tags": ["1.0.0", "1.2.0_b.1", "2.0.0-rc.1"]}"#,
    );
    let pinned = server.push("charts/web", "1.0.0", &archive("1.0.0"));
    server.push("charts/web", "1.2.0_b.1", &archive("1.2.0+b.1"));
    server.push("charts/web", "2.0.0-rc.1", &archive("2.0.0-rc.1"));
    let chart = format!("oci://127.0.0.1:{}/charts/web", server.port);
    let auths = format!("{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \"dXNlcjpwYXNz\"}}}}}}", server.port);
    assert!(version(&env, &[&chart, "--plain-http"]).contains("cannot fetch"), "there is no login yet");
    env.write("home/.docker/config.json", auths);
    for (more, expected) in [
        (&[][..], "1.2.0+b.1"),
        (&["--version", "1.0.0"], "1.0.0"),
        (&["--version", ">=2.0.0-0"], "2.0.0-rc.1"),
    ] {
        assert_eq!(version(&env, &[&[chart.as_str(), "--plain-http"], more].concat()), expected, "{more:?}");
    }
    assert_eq!(version(&env, &[&format!("{chart}:2.0.0-rc.1"), "--plain-http"]), "2.0.0-rc.1");
    assert_eq!(version(&env, &[&format!("{chart}@{pinned}"), "--plain-http"]), "1.0.0");
    // Another manifest under the same digest, another archive under the same manifest.
    let moved = format!("/v2/charts/web/manifests/{pinned}");
    server.page(&moved, "application/vnd.oci.image.manifest.v1+json", "{\"schemaVersion\": 2, \"config\": {\"mediaType\": \"a\", \"digest\": \"sha256:0\", \"size\": 0}, \"layers\": []}");
    assert!(version(&env, &[&format!("{chart}@{pinned}"), "--plain-http"]).contains("cannot fetch"));
    let blob = format!("/v2/charts/web/blobs/{}", digest(&archive("1.0.0")));
    server.page(&blob, "application/octet-stream", archive("6.6.6"));
    let wrong = version(&env, &[&format!("{chart}:1.0.0"), "--plain-http"]);
    assert!(wrong.starts_with("error: "), "{wrong}");
    let mut said = version(&env, &[&chart, "--plain-http", "--version", "9"]);
    said += &version(&env, &[&format!("{chart}:1.0.0"), "--plain-http", "--version", "2"]);
    snapshot!(said, @"
    error: oci://127.0.0.1:[port]/charts/web: there is no version 9 among 3 tags
    error: oci://127.0.0.1:[port]/charts/web:1.0.0 names a version already, and --version 2 another
    ");
}

#[test]
fn charts_come_from_repositories_and_urls() {
    let Some(env) = TestEnv::with_engine() else { return };
    let server = Server::start(None);
    let elsewhere = Server::start(None);
    let url = format!("http://127.0.0.1:{}", server.port);
    server.page("/charts/web-1.0.0.tgz", "application/gzip", archive("1.0.0"));
    elsewhere.page("/web-1.1.0.tgz", "application/gzip", archive("1.1.0"));
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    digest: {}\n    urls: [web-1.0.0.tgz]\n  - version: 1.1.0\n    \
         urls:\n    - http://127.0.0.1:{}/web-1.1.0.tgz\n  - version: 1.2.0\n    digest: {}\n    urls: [web-1.0.0.tgz]\n",
        &digest(&archive("1.0.0"))[7..],
        elsewhere.port,
        &digest(b"another")[7..]
    );
    server.page("/charts/index.yaml", "text/yaml", index.clone());
    env.write(
        "home/.config/helm/repositories.yaml",
        format!("repositories:\n- name: team\n  url: {url}/charts\n  username: user\n  password: pass\n- {{name: tls, url: {url}, caFile: ca.pem}}\n"),
    );
    assert_eq!(version(&env, &["team/web", "--version", "1.0.0"]), "1.0.0");
    assert_eq!(server.seen(), ["/charts/index.yaml (with a login)", "/charts/web-1.0.0.tgz (with a login)"]);
    assert_eq!(version(&env, &["team/web", "--version", "~1.1"]), "1.1.0");
    assert_eq!(elsewhere.seen(), ["/web-1.1.0.tgz"], "another server gets no login");
    // Helm's copy of the index is taken, where there is one.
    env.write("home/helm-cache/team-index.yaml", index.replace("1.1.0\n", "1.9.0\n"));
    server.seen();
    let mut command = env.command(&["template", "web", "team/web", "--version", "1.9.0"]);
    let output = command.env("HELM_REPOSITORY_CACHE", env.path("home/helm-cache")).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("version: 1.1.0"));
    assert!(server.seen().is_empty());
    assert_eq!(version(&env, &["web", "--repo", &format!("{url}/charts"), "--version", "1.0.0"]), "1.0.0");
    assert_eq!(version(&env, &[&format!("{url}/charts/web-1.0.0.tgz")]), "1.0.0");
    let mut said = version(&env, &["team/web"]);
    for reference in ["team/other", "tls/web", "nobody/web", "./nothing", &format!("{url}/missing.tgz")] {
        said += &version(&env, &[reference]);
    }
    said += &version(&env, &["team/web", "--version", "5"]);
    said += &version(&env, &["team/web", "--version", "1 || 2"]);
    snapshot!(said, @r#"
    error: http://127.0.0.1:[port]/charts/web-1.0.0.tgz: the archive has the digest [sha256], not [sha256]
    error: chart "other" not found in repository team
      help: `helm repo update` fetches the newest list of charts
    error: repository tls is set up with certificates of its own, which is not supported
      help: fetch the chart with `helm pull tls/web` and name the file
    error: path "nobody/web" not found
    error: path "./nothing" not found
    error: cannot fetch http://127.0.0.1:[port]/missing.tgz: 404 Not Found
    error: chart "web" version 5 not found in repository team
      help: `helm repo update` fetches the newest list of charts
    error: "1 || 2" is no version, nor a constraint that is understood: alternatives and ranges with a hyphen are not; write >=1.2, <2
    "#);
    // An install goes the same way.
    let run = env.run(&["plan", "install", "web", "team/web", "--version", "1.0.0"]);
    assert!(run.stdout.contains("chart web 1.0.0"), "{run}");
}
