//! A child process on a leash: it and all that it starts are gone when we are, however we end. The kernel closes our end of a
//! pipe then, and a shell that reads the other end kills the group.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// `$$` is the group. A signal to the group reaches the program; the shell itself only waits on, and the reader does not hear it.
/// What the shell would say of the program's end does not belong to its output.
const SCRIPT: &str = r#"
exec 3<&0
trap : TERM INT HUP
"$@" </dev/null 3<&- & child=$!
{ trap '' TERM INT HUP; cat <&3; kill -9 -$$; } >/dev/null 2>&1 &
exec 3<&- 2>/dev/null
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
exit $code
"#;

/// The exit code of what SIGKILL ended.
const KILLED: i32 = 137;

/// A running child. It is killed, with all that it started, when this is dropped.
pub(crate) struct Leashed {
    child: Child,
    group: Option<Pid>,
    /// While this is open the child may run.
    _leash: Option<ChildStdin>,
}

/// The command that runs a program on a leash: arguments, environment and outputs are the caller's to set.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "leash"]).arg(program).process_group(0).stdin(Stdio::piped());
    command
}

impl Leashed {
    /// Starts what [`command`] made.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        // Waiting would close the pipe if the child still had it.
        let leash = child.stdin.take();
        Ok(Self { group: i32::try_from(child.id()).ok().and_then(Pid::from_raw), child, _leash: leash })
    }

    /// Who gets signals: the child and all that it started.
    pub(crate) fn group(&self) -> Group {
        Group(self.group)
    }

    /// The exit code, if the child has ended.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<i32>> {
        Ok(self.child.try_wait()?.map(|status| status.code().unwrap_or(KILLED)))
    }

    /// Waits for the end of the child, then ends what it left behind.
    pub(crate) fn wait(mut self) -> io::Result<i32> {
        Ok(self.child.wait()?.code().unwrap_or(KILLED))
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.group().signal(Signal::KILL);
        // Nothing can be done about a child that cannot be waited for.
        drop(self.child.wait());
    }
}

/// A group of processes.
#[derive(Clone, Copy)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// Sends a signal to all of it; it may be gone already.
    pub(crate) fn signal(self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = command(Path::new("sh"));
        command.args(["-c", script]);
        command
    }

    #[test]
    fn exit_codes_are_the_programs() {
        assert_eq!(Leashed::start(sh("exit 7")).unwrap().wait().unwrap(), 7);
        assert_eq!(Leashed::start(sh("kill -9 $$")).unwrap().wait().unwrap(), KILLED);
        assert_eq!(Leashed::start(command(Path::new("/no/program"))).unwrap().wait().unwrap(), 127);
    }

    #[test]
    fn a_signal_reaches_the_program_and_its_answer_counts() {
        let mut command = sh("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
        command.stdout(Stdio::piped());
        let mut leashed = Leashed::start(command).unwrap();
        let mut line = String::new();
        let stdout = leashed.child.stdout.take().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).unwrap();
        leashed.group().signal(Signal::TERM);
        assert_eq!(leashed.wait().unwrap(), 3);
    }

    #[test]
    fn nothing_is_left_when_the_leash_is_let_go() {
        // A grandchild that nobody waits for holds the pipe open: reading ends when it is gone.
        let mut command = sh("sleep 1000 & sleep 1000");
        let (mut read, write) = io::pipe().unwrap();
        command.stdout(write);
        let mut leashed = Leashed::start(command).unwrap();
        leashed._leash = None;
        let mut text = String::new();
        io::Read::read_to_string(&mut read, &mut text).unwrap();
        assert_eq!(leashed.wait().unwrap(), KILLED);
    }
}
