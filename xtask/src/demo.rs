//! The main job, end to end: both worked examples in each of their forms on the embedded cluster, with a webhook receiver on
//! loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::receiver::{self, Arrival, PORT};
use crate::{build_all, execute, plugins, root, target};

pub(crate) fn run() -> Result<()> {
    plugins::build()?;
    build_all()?;
    let folder = root().join("target/demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy(&root().join("examples"), &folder)?;
    let demo = Demo::start(folder)?;
    demo.title("What would run, and what each hook may touch");
    demo.boathook(&["plan", "install", "web", "first"])?;
    demo.title(
        "Install: a hook, the objects, a hook. The webhook's URL is a credential that the plugin never sees",
    );
    demo.install("first", true)?;
    demo.title("What the release and the cluster look like now");
    demo.boathook(&["status", "web", "--cluster", "embedded:first.json"])?;
    demo.objects("first")?;
    demo.title(
        "The same hooks as Jobs with one annotation: Boathook runs the plugin, Helm would run the container",
    );
    demo.install("first-annotated", true)?;
    demo.title("The same hooks as they are today, with an image each: completed by the simulated controller");
    demo.install("first-jobs", false)?;
    if plugins::has_chart_engine() {
        demo.title("The same hooks as a chart, rendered by Helm's engine in the sandbox: no helm is needed");
        demo.install("first-chart", true)?;
    } else if helm_is_there() {
        demo.title("The same hooks as a chart, rendered by your helm: the program was built without Go");
        demo.install("first-chart", true)?;
    } else {
        demo.title("Neither Go nor helm on the PATH: the chart form (examples/first-chart) was left out");
    }
    demo.title("Order: weight, name, kind, path; and what Helm drops without a word");
    demo.boathook(&["plan", "install", "web", "ordering"])?;
    println!("\nAll of it worked. The states are in {}", demo.folder.display());
    Ok(())
}

struct Demo {
    folder: PathBuf,
    arrivals: Receiver<Arrival>,
}

impl Demo {
    /// Starts the receiver. Where its port is taken, another one is, and the copies of the examples follow.
    fn start(folder: PathBuf) -> Result<Self> {
        let listener =
            TcpListener::bind(("127.0.0.1", PORT)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
        let listener = listener.context("cannot listen on loopback")?;
        let port = listener.local_addr()?.port();
        if port != PORT {
            replace(&folder, &format!(":{PORT}/"), &format!(":{port}/"))?;
        }
        let (sender, arrivals) = channel();
        std::thread::spawn(move || receiver::serve(&listener, &sender));
        Ok(Self { folder, arrivals })
    }

    fn title(&self, text: &str) {
        println!("\n\x1b[1m== {text}\x1b[0m");
    }

    fn boathook(&self, args: &[&str]) -> Result<()> {
        println!("$ boathook {}\n", args.join(" "));
        execute(Command::new(program()).args(args).current_dir(&self.folder))
    }

    /// Installs one form of the examples on a cluster of its own, and shows the webhook that arrived.
    fn install(&self, form: &str, sends: bool) -> Result<()> {
        let cluster = format!("embedded:{form}.json");
        self.boathook(&["install", "web", form, "--cluster", &cluster, "-n", "default"])?;
        let arrived = self.arrivals.recv_timeout(Duration::from_millis(if sends { 5_000 } else { 0 }));
        match (arrived, sends) {
            (Ok(arrival), true) => {
                println!("\nThe receiver got:");
                receiver::print(&arrival);
                Ok(())
            }
            (Err(_), true) => bail!("{form}: the webhook did not arrive"),
            (Ok(_), false) => bail!("{form}: a webhook arrived although no container runs"),
            (Err(_), false) => Ok(()),
        }
    }

    /// The objects, read with the release's own commands and from the state file.
    fn objects(&self, form: &str) -> Result<()> {
        self.boathook(&["get", "manifest", "web", "--cluster", &format!("embedded:{form}.json")])?;
        let state = std::fs::read_to_string(self.folder.join(format!("{form}.json")))?;
        if !state.contains("initial_value") {
            bail!("{form}: ConfigMap my-app-config is not on the cluster");
        }
        println!("\nConfigMap my-app-config is on the cluster, with setting=initial_value");
        Ok(())
    }
}

/// The program that was built.
fn program() -> PathBuf {
    target().join("debug").join("boathook")
}

fn helm_is_there() -> bool {
    let helm = std::env::var_os("BOATHOOK_HELM").unwrap_or_else(|| "helm".into());
    Command::new(helm).arg("version").output().is_ok_and(|output| output.status.success())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn replace(folder: &Path, from: &str, to: &str) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            replace(&path, from, to)?;
        } else {
            let text = std::fs::read_to_string(&path)?;
            std::fs::write(&path, text.replace(from, to))?;
        }
    }
    Ok(())
}
