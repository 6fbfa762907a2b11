//! `docs/reference/`: schemas of what the program prints and the help of every command, generated from the code and
//! kept in the repository. `UPDATE_REFERENCE=1` rewrites them.

use std::fmt::Write as _;
use std::path::Path;

use boathook_core::plan::PlanDocument;
use boathook_core::{Report, RunEvent};
use schemars::{JsonSchema, schema_for};

use crate::env::{TestEnv, root};

#[track_caller]
fn check(file: &str, actual: &str) {
    let path = root().join("docs/reference").join(file);
    if std::env::var_os("UPDATE_REFERENCE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} is out of date: UPDATE_REFERENCE=1 rewrites it",
        Path::new(file).display()
    );
}

fn schema<T: JsonSchema>() -> String {
    serde_json::to_string_pretty(&schema_for!(T)).unwrap() + "\n"
}

#[test]
fn schemas() {
    check("schemas/plan.json", &schema::<PlanDocument>());
    check("schemas/run-event.json", &schema::<RunEvent>());
    check("schemas/report.json", &schema::<Report>());
}

#[test]
fn commands() {
    let env = TestEnv::new();
    let mut text = "# Commands\n\nThe help of every command, as the program prints it.\n".to_owned();
    let mut waiting = vec![Vec::<String>::new()];
    while let Some(command) = waiting.pop() {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let help = env.run(&args).ok().stdout;
        let is_leaf = !help.contains("\nCommands:\n");
        assert!(!is_leaf || help.contains("Example"), "`boathook {}` shows no example", command.join(" "));
        let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let title = ["boathook".to_owned()].iter().chain(&command).cloned().collect::<Vec<_>>().join(" ");
        write!(text, "\n## {title}\n\n```text\n{help}```\n").unwrap();
        let below: Vec<Vec<String>> =
            subcommands(&help).map(|name| [&command[..], &[name]].concat()).collect();
        waiting.extend(below.into_iter().rev());
    }
    check("commands.md", &text);
}

/// The commands that a help text lists.
fn subcommands(help: &str) -> impl Iterator<Item = String> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // A command's line is indented by two; its text goes on further to the right.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned)
}
