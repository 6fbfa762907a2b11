//! A place where the program runs alone: a folder of its own, no kubeconfig, no variable of ours, no colour.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test says no")]

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// What refusing a bad input may take: KiB of memory, and milliseconds of processor time.
const MOST_MEMORY: u64 = 256 << 10;
const MOST_TIME: u64 = 2_000;

/// A folder in which the program runs.
pub struct TestEnv {
    folder: tempfile::TempDir,
    /// Where compiled plugins are kept, if not in the folder.
    cache: Option<PathBuf>,
}

/// What one run of the program gave.
pub struct Run {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "killed")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}

impl Run {
    /// What a process that has ended gave.
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8");
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// stdout as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}):\n{self}"))
    }

    /// The run, if it ended with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }
}

impl TestEnv {
    /// A new, empty one.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), cache: None }
    }

    /// The same with the compiled chart engine at hand, which takes longer to compile than all that is tested with it.
    /// Nothing where the program was built without the engine: CI fails then, and a test elsewhere says that it looks at
    /// nothing.
    #[expect(clippy::print_stderr, reason = "a test that does nothing says so")]
    pub fn with_engine() -> Option<Self> {
        static CACHE: OnceLock<Option<PathBuf>> = OnceLock::new();
        let compile = || {
            let built = root().join("target/boathook-plugins/chart-engine.wasm.gz").is_file();
            assert!(built || std::env::var("CI").as_deref() != Ok("true"), "the chart engine was not built");
            let cache = root().join("target/tmp/engine-cache");
            let env = Self { cache: Some(cache.clone()), ..Self::new() };
            env.write("chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 0.1.0\n");
            built.then(|| drop(env.run(&["template", "web", "chart"]).ok()))?;
            Some(cache)
        };
        let cache = CACHE.get_or_init(compile).clone();
        if cache.is_none() {
            eprintln!("skipped: the chart engine was not built");
        }
        Some(Self { cache: Some(cache?), ..Self::new() })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Copies an example of the repository, with a port of the test in place of the demo's.
    pub fn example(&self, name: &str, port: u16) {
        copy(&root().join("examples").join(name), &self.path(name), port);
    }

    /// The program, to be run in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        self.prepare(Command::new(boathook()), args)
    }

    /// Another program, in the same surroundings.
    pub fn prepare(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home")).env("NO_COLOR", "1").env("LC_ALL", "C");
        for (variable, folder) in [("XDG_CACHE_HOME", "cache"), ("XDG_DATA_HOME", "data"), ("TMPDIR", "tmp")]
        {
            command.env(variable, self.path(folder));
        }
        command.envs(self.cache.as_ref().map(|cache| ("XDG_CACHE_HOME", cache)));
        std::fs::create_dir_all(self.path("tmp")).unwrap();
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(&self.command(args).output().unwrap())
    }

    /// Runs the program with a text on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &[u8]) -> Run {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        Run::of(&child.wait_with_output().unwrap())
    }

    /// Runs the program on an input that it must refuse: it takes little memory and time for it, and leaves the state
    /// file `state.json` as it is.
    #[track_caller]
    pub fn refuses(&self, args: &[&str]) -> Run {
        self.refuses_within(args, MOST_MEMORY, MOST_TIME)
    }

    /// The same with other limits.
    #[track_caller]
    pub fn refuses_within(&self, args: &[&str], most_memory: u64, most_time: u64) -> Run {
        let state = || std::fs::read(self.path("state.json")).ok();
        let before = state();
        let mut command = Command::new(built("measure"));
        command.arg(self.path("used")).arg(boathook());
        let run = Run::of(&self.prepare(command, args).output().unwrap());
        let used = std::fs::read_to_string(self.path("used")).unwrap();
        let (memory, time) = used.split_once(' ').unwrap();
        assert!(run.code != Some(0), "nothing was refused:\n{run}");
        assert!(memory.parse::<u64>().unwrap() <= most_memory, "{memory} KiB:\n{run}");
        assert!(time.parse::<u64>().unwrap() <= most_time, "{time} ms:\n{run}");
        assert!(before == state(), "the state file was changed:\n{run}");
        run
    }
}

fn copy(from: &Path, to: &Path, port: u16) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()), port);
        }
    } else {
        let text = std::fs::read_to_string(from).unwrap();
        std::fs::write(to, text.replace("127.0.0.1:8642", &format!("127.0.0.1:{port}"))).unwrap();
    }
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The program.
pub fn boathook() -> PathBuf {
    built("boathook")
}

/// A program of the workspace: tests lie in a folder beside it.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is not there: run `cargo xtask test`, which builds it first", path.display());
    path
}

/// Another program of the user's machine: a variable names it, or it is on the PATH. Where it is missing CI fails, and
/// a test elsewhere says that it looks at nothing.
#[expect(clippy::print_stderr, reason = "a test that does nothing says so")]
pub fn tool(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(format!("BOATHOOK_{}", name.to_uppercase())).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named
        .or_else(|| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()));
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} is not on the PATH");
        eprintln!("skipped: {name} is not on the PATH");
    }
    found
}

/// Replaces what differs from run to run, for snapshots.
#[macro_export]
macro_rules! snapshot {
    ($value:expr, @$expected:literal) => {{
        let mut settings = insta::Settings::clone_current();
        for (pattern, to) in $crate::env::FILTERS {
            settings.add_filter(pattern, *to);
        }
        settings.bind(|| insta::assert_snapshot!($value, @$expected));
    }};
}

/// Times, durations, digests, ports, ids.
pub const FILTERS: &[(&str, &str)] = &[
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[time]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}", "[time]"),
    (r"\b\d\d:\d\d:\d\d\b", "[clock]"),
    (r"\b\d+(\.\d+)? m?s\b", "[duration]"),
    (r#""durationMs": \d+"#, r#""durationMs": "[ms]""#),
    (r"sha256:[0-9a-f]{8,64}", "sha256:[digest]"),
    (r"\b[0-9a-f]{64}\b", "[sha256]"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
    (r"/[^ ]*/\.tmp[A-Za-z0-9]+", "[folder]"),
    (r"-[a-z0-9]{5}/main", "-[pod]/main"),
    // The letters that Kubernetes makes names of.
    (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-[pod]"),
    (r"process \d+( \([0-9a-f]+\.\d+\.\d+\.\d+\))?", "process [pid]"),
    (r"/proc/\d+/", "/proc/[pid]/"),
    (r"\b\d+ kB\b", "[size]"),
    (r"size    \d+ bytes", "size    [size]"),
    (r#"time="[0-9.]+""#, r#"time="[seconds]""#),
];
