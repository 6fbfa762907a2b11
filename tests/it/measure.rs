//! Runs a program and writes down what it used: `measure FILE PROGRAM ARGS…` writes its peak memory in KiB and its
//! processor time in milliseconds into FILE, and ends with its exit code. A process of its own, because the kernel
//! counts the children of a process together.

use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(file), Some(program)) = (args.next(), args.next()) else { return ExitCode::from(255) };
    let Ok(status) = Command::new(program).args(args).status() else { return ExitCode::from(254) };
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return ExitCode::from(253) };
    let time = usage.user_time() + usage.system_time();
    let millis = time.tv_sec() * 1000 + time.tv_usec() / 1000;
    if std::fs::write(file, format!("{} {millis}", usage.max_rss())).is_err() {
        return ExitCode::from(252);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(251), ExitCode::from)
}
