//! Rendering a case: its files in a folder, and the two programs in it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::case::{Content, Expected, File};
use boathook_tests::env::{TestEnv, boathook, tool};

/// What Helm says behind every error of rendering.
const DEBUG: &str = "\n\nUse --debug flag to render out invalid YAML";

/// A folder with the files of a case.
pub(crate) struct Place {
    pub(crate) env: TestEnv,
}

impl Place {
    /// The folder; nothing where the program was built without the engine.
    pub(crate) fn new(files: &[File]) -> std::io::Result<Option<Self>> {
        let Some(env) = TestEnv::with_engine() else { return Ok(None) };
        let mut archives: Vec<(PathBuf, tar::Builder<GzEncoder<Vec<u8>>>)> = Vec::new();
        for file in files {
            match (&file.content, file.path.split_once(".tgz/")) {
                (Content::Text(text), Some((archive, name))) => {
                    let path = env.path(&format!("{archive}.tgz"));
                    if archives.last().is_none_or(|(last, _)| *last != path) {
                        let gzip = GzEncoder::new(Vec::new(), Compression::fast());
                        archives.push((path, tar::Builder::new(gzip)));
                    }
                    let mut header = tar::Header::new_gnu();
                    header.set_size(text.len() as u64);
                    header.set_mode(0o644);
                    if let Some((_, archive)) = archives.last_mut() {
                        archive.append_data(&mut header, name, text.as_bytes())?;
                    }
                }
                (Content::Text(text), None) => env.write(&file.path, text),
                (Content::Link(to), _) => {
                    let path = env.path(&file.path);
                    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
                    std::os::unix::fs::symlink(to, path)?;
                }
            }
        }
        for (path, archive) in archives {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            std::fs::File::create(path)?.write_all(&archive.into_inner()?.finish()?)?;
        }
        Ok(Some(Self { env }))
    }

    /// What the real program gives.
    pub(crate) fn helm(&self, helm: &Path, args: &[String]) -> Expected {
        self.expected(self.run(self.command(helm, args)), "Error: ")
    }

    /// What ours gives.
    pub(crate) fn boathook(&self, args: &[String]) -> Expected {
        self.expected(self.run(self.command(&boathook(), args)), "error: ")
    }

    fn command(&self, program: &Path, args: &[String]) -> Command {
        let mut words = vec!["template", "web", "chart"];
        words.extend(args.iter().map(String::as_str));
        let mut command = self.env.prepare(Command::new(program), &words);
        command.env("TZ", "UTC");
        command
    }

    /// The case's stdin, if one of its files is named so, is that file.
    fn run(&self, mut command: Command) -> Output {
        if let Ok(stdin) = std::fs::File::open(self.env.path("stdin")) {
            command.stdin(stdin);
        }
        command.output().expect("the program can be started")
    }

    /// `error` is how the program begins its error.
    fn expected(&self, output: Output, error: &str) -> Expected {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("programs print UTF-8");
            text.replace(&*self.env.path("").to_string_lossy(), "FOLDER/")
        };
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        let is_log = |line: &&str| line.starts_with("level=");
        let log = stderr.lines().filter(is_log).map(str::to_owned).collect();
        let rest: Vec<&str> = stderr.lines().filter(|line| !is_log(line)).collect();
        let rest = rest.join("\n");
        let result = if output.status.success() {
            Ok(stdout)
        } else {
            let message = rest.split_once(error).map_or(rest.as_str(), |(_, message)| message);
            let message = message.split("\n  help: ").next().unwrap_or_default();
            Err(message.strip_suffix(DEBUG).unwrap_or(message).trim_end().to_owned())
        };
        Expected { result, log }
    }
}

/// The helm whose library the engine is made of.
pub(crate) fn helm() -> Option<PathBuf> {
    static HELM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let helm = tool("helm")?;
        let version = Command::new(&helm).args(["version", "--short"]).output().ok()?;
        let fits = version.stdout.starts_with(b"v4.3.1");
        assert!(fits || std::env::var("CI").as_deref() != Ok("true"), "{} is not helm 4.3.1", helm.display());
        fits.then_some(helm)
    };
    HELM.get_or_init(find).clone()
}
