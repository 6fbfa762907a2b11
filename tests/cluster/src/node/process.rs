//! One run of a container: a process of this machine, its output going to a log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::leash::{self, Group, Leashed};
use crate::node::environment::Variables;
use crate::node::log::Log;

/// A started container.
pub(crate) struct Process {
    /// Who gets its signals.
    pub(crate) group: Group,
    leashed: Leashed,
    reader: JoinHandle<()>,
    log: Arc<Log>,
}

/// Starts a command line in a folder, with these variables only.
///
/// # Errors
/// containerd's text for a program that cannot be started.
pub(crate) fn start(
    line: &[String],
    variables: &Variables,
    folder: &Path,
    log: Arc<Log>,
) -> Result<Process, String> {
    let name = line.first().map(String::as_str).unwrap_or_default();
    let path = variables.get("PATH").map(String::as_str).unwrap_or_default();
    let program = find(name, path)
        .map_err(|reason| format!("failed to create containerd task: exec: {name:?}: {reason}"))?;
    let launch = || -> io::Result<Process> {
        let (read, write) = io::pipe()?;
        let mut command = leash::command(&program);
        command.args(&line[1..]).current_dir(folder).env_clear().envs(variables);
        command.stdout(write.try_clone()?).stderr(write);
        let read = pipe::Receiver::from_owned_fd(read.into())?;
        let leashed = Leashed::start(command)?;
        let reader = tokio::spawn(follow(read, log.clone()));
        Ok(Process { group: leashed.group(), leashed, reader, log })
    };
    launch().map_err(|error| format!("failed to create containerd task: exec: {name:?}: {error}"))
}

impl Process {
    /// Waits for its end, and until all it wrote is in the log.
    pub(crate) async fn exit_code(self) -> i32 {
        let leashed = self.leashed;
        let ended = spawn_blocking(move || leashed.wait()).await;
        // What it left behind is gone, so the pipe ends.
        drop(self.reader.await);
        self.log.end();
        match ended {
            Ok(Ok(code)) => code,
            Ok(Err(_)) | Err(_) => 255,
        }
    }
}

async fn follow(read: pipe::Receiver, log: Arc<Log>) {
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    while read.read_until(b'\n', &mut line).await.is_ok_and(|count| count > 0) {
        log.push(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
}

/// As a container runtime looks for a program.
fn find(name: &str, path: &str) -> Result<PathBuf, &'static str> {
    if name.contains('/') {
        return if is_program(Path::new(name)) { Ok(name.into()) } else { Err("no such file or directory") };
    }
    let mut places = std::env::split_paths(path).map(|folder| folder.join(name));
    places.find(|place| is_program(place)).ok_or("executable file not found in $PATH")
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use rustix::process::Signal;

    use super::*;

    fn run(line: &[&str]) -> Result<(Process, Arc<Log>), String> {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let variables = Variables::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]);
        let log = Arc::new(Log::default());
        start(&line, &variables, Path::new("/"), log.clone()).map(|process| (process, log))
    }

    #[tokio::test]
    async fn both_outputs_are_one_log_and_the_exit_code_is_real() {
        let (process, log) = run(&["sh", "-c", "echo one; echo two >&2; printf three; exit 5"]).unwrap();
        assert_eq!(process.exit_code().await, 5);
        let mut lines = Vec::new();
        while let Some((_, line)) = log.next(lines.len()).await {
            lines.push(String::from_utf8(line.text).unwrap());
        }
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_does_not_hold_it() {
        let (process, _) = run(&["sh", "-c", "sleep 1000 & exit 0"]).unwrap();
        assert_eq!(process.exit_code().await, 0);
        let (process, _) = run(&["sleep", "infinity"]).unwrap();
        process.group.signal(Signal::KILL);
        assert_eq!(process.exit_code().await, 137);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there() {
        let error = |line: &[&str]| run(line).err().unwrap();
        assert!(
            error(&["no-such-program"])
                .ends_with(r#"exec: "no-such-program": executable file not found in $PATH"#)
        );
        assert!(error(&["/etc/passwd"]).ends_with(r#"exec: "/etc/passwd": no such file or directory"#));
    }
}
