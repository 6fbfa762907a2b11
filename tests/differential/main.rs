//! The same scenarios run by Helm 3, Helm 4 and Boathook on one real API server, each in a namespace of its own; compared are the requests
//! that change something, the objects and release records at the end, exit codes and errors. README.md beside this file says how to add
//! one. Where no cluster can be had they are skipped, and in CI that is a failure.

mod audit;
mod compare;
mod everywhere;
mod hand_over;
mod object;
mod play;
mod record;
mod scenario;
mod story;
mod tool;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow, ensure};
use boathook_test_cluster::{Cluster, tools};
use boathook_tests::env::root;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::audit::Audit;
use crate::everywhere::Everywhere;
use crate::scenario::Scenario;
use crate::story::Story;
use crate::tool::Tool;

/// Scenarios wait for controllers most of the time.
const AT_ONCE: usize = 5;

/// What all scenarios share.
pub(crate) struct Surroundings {
    pub(crate) cluster: Cluster,
    audit: Audit,
    everywhere: Everywhere,
    /// docs/differences-from-helm.md.
    page: String,
}

/// What is run as a test.
type Test = Box<dyn Fn(&Surroundings) -> Result<()> + Send>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let missing = available().err().map(|reason| format!("{reason:#}"));
    let surroundings: Arc<OnceLock<Surroundings>> = Arc::default();
    let mut trials = Vec::new();
    let mut add = |name: String, run: Test| {
        let surroundings = surroundings.clone();
        let test = move || {
            // The first one starts it, if any is to run at all.
            let surroundings = surroundings.get_or_init(|| start().expect("the cluster starts"));
            run(surroundings).map_err(|error| Failed::from(format!("{error:#}")))
        };
        trials.push(Trial::test(name, test).with_ignored_flag(missing.is_some()));
    };
    add("hand-over".to_owned(), Box::new(hand_over::run));
    for (name, file) in files(&root().join("tests/differential/scenarios")) {
        add(name, Box::new(move |surroundings| run(&file, surroundings)));
    }
    if !arguments.list && !told(trials.len(), missing.as_deref()) {
        return ExitCode::FAILURE;
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(surroundings) = surroundings.get()
        && conclusion.num_filtered_out == 0
        && !all_shown(&surroundings.everywhere)
    {
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Whether there is what the scenarios need.
fn available() -> Result<()> {
    ensure!(!Cluster::is_given(), "the given cluster has no audit log to read");
    Cluster::available()?;
    for tool in [tools::Tool::Helm3, tools::Tool::Helm4] {
        tool.find()?;
    }
    Ok(())
}

fn start() -> Result<Surroundings> {
    let cluster = Cluster::for_tests()?;
    let audit = Audit::open(&cluster.audit_log().context("its audit log")?)?;
    let page = std::fs::read_to_string(root().join("docs/differences-from-helm.md"))?;
    let everywhere = Everywhere::read(&root().join("tests/differential/differences.toml"))?;
    for rule in &everywhere.rules {
        if let Some(wrong) = compare::reason(rule.tool, rule.row.as_deref(), &rule.why, &page) {
            return Err(anyhow!("differences.toml: {wrong}"));
        }
    }
    Ok(Surroundings { cluster, audit, everywhere, page })
}

/// Says how many scenarios are left out and why; false if that is a failure.
#[expect(clippy::print_stderr, reason = "tests that are left out are told")]
fn told(count: usize, reason: Option<&str>) -> bool {
    let Some(reason) = reason else { return true };
    eprintln!("skipped: {count} scenarios that compare with Helm: {reason}");
    std::env::var("CI").as_deref() != Ok("true")
}

/// Says which rules of `differences.toml` no scenario needs; false if there is one.
#[expect(clippy::print_stderr, reason = "it is the end of a test run")]
fn all_shown(everywhere: &Everywhere) -> bool {
    let gone = everywhere.not_shown();
    for rule in &gone {
        eprintln!("differences.toml lists what no scenario shows: {rule}");
    }
    gone.is_empty()
}

/// The files of scenarios, by `AREA/NAME`.
fn files(root: &Path) -> Vec<(String, PathBuf)> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let scenarios = below(root).into_iter().flat_map(|area| below(&area));
    scenarios
        .map(|file| {
            let name = file.with_extension("");
            (name.strip_prefix(root).unwrap_or(&name).display().to_string(), file)
        })
        .collect()
}

/// Plays a scenario with each tool at once, and compares.
fn run(file: &Path, surroundings: &Surroundings) -> Result<()> {
    let scenario = Scenario::read(file)?;
    let tools = if scenario.without_boathook.is_some() { &Tool::ALL[..2] } else { &Tool::ALL };
    let stories: Result<Vec<Story>> = std::thread::scope(|scope| {
        let play = |tool: &Tool| {
            let (tool, scenario) = (*tool, &scenario);
            scope.spawn(move || play::play(surroundings, scenario, tool))
        };
        let plays: Vec<_> = tools.iter().map(play).collect();
        plays.into_iter().map(|play| play.join().unwrap_or_else(|_| Err(anyhow!("it panicked")))).collect()
    });
    let stories = stories?;
    let (helm4, others) = stories.split_first().context("a story of each tool")?;
    let (mut wrong, mut tables) = (String::new(), String::new());
    let mut told = format!("what helm4 did:\n{}", helm4.text());
    for (&tool, story) in tools[1..].iter().zip(others) {
        let found = compare::compare(&scenario, &surroundings.everywhere, helm4, tool, story);
        let text = found.text(tool);
        if !text.is_empty() {
            told += &format!("\nwhat {} did:\n{}", tool.name(), story.text());
        }
        wrong += &text;
        tables += &found.table(tool);
    }
    for difference in &scenario.differences {
        let missing =
            compare::reason(difference.tool, difference.row.as_deref(), &difference.why, &surroundings.page);
        wrong += &missing.map(|missing| format!("\n{missing}\n")).unwrap_or_default();
    }
    wrong += &helm4.unexpected;
    if std::env::var_os("UPDATE_SCENARIOS").is_some_and(|value| value == "1") && !tables.is_empty() {
        std::fs::write(file, std::fs::read_to_string(file)? + &tables)?;
    }
    ensure!(wrong.is_empty(), "{}\n(from {})\n{wrong}\n{told}", scenario.why.trim(), scenario.source.trim());
    Ok(())
}
