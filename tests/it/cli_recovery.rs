//! Commands that are killed, and what the same command makes of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::env::TestEnv;
use crate::every_kill::{Ground, every_kill};

/// The embedded API as a server of its own, killed in the end.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn served(test: impl FnOnce(Ground<'_>)) {
    let env = TestEnv::new();
    let mut command = env.command(&["embedded", "serve"]);
    let mut server = Served(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
    let address = address.trim_end_matches(|end: char| !end.is_ascii_digit());
    test(Ground { server: address.parse().unwrap(), namespace: "default", at_once: 3 });
}

#[test]
fn an_install_killed_at_any_change_ends_well_with_the_same_command() {
    served(|ground| assert_eq!(every_kill(ground, "install"), 23));
}

#[test]
fn an_upgrade_killed_at_any_change_ends_well_with_the_same_command() {
    served(|ground| assert_eq!(every_kill(ground, "upgrade"), 25));
}
