//! Commands that are killed, and what the same command makes of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use boathook_test_cluster::tools::Tool;
use boathook_tests::every_kill::{Ground, every_kill};

use crate::place::Place;
use crate::tests;

tests![
    an_install_killed_at_any_change_ends_well_with_the_same_command,
    an_upgrade_killed_at_any_change_ends_well_with_the_same_command,
];

/// Each waits for its Jobs most of the time.
const AT_ONCE: usize = 8;

/// The API server over plain HTTP, by kubectl; it ends with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn kills(place: &Place, operation: &str) -> usize {
    let mut command = Command::new(Tool::Kubectl.find().unwrap());
    command.args(["proxy", "--port", "0", "--kubeconfig"]).arg(place.env.path("kubeconfig"));
    let mut proxy = Proxy(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(proxy.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    every_kill(Ground { server, namespace: &place.namespace, at_once: AT_ONCE }, operation)
}

fn an_install_killed_at_any_change_ends_well_with_the_same_command(place: &Place) {
    assert!(kills(place, "install") > 20);
}

fn an_upgrade_killed_at_any_change_ends_well_with_the_same_command(place: &Place) {
    assert!(kills(place, "upgrade") > 20);
}
