//! The harness of the conformance cases: each `case.toml` below `cases/` is a test. It goes the way of the program
//! (read, sort, plan and, where the case says so, execute on the embedded cluster) and compares texts. It knows no
//! case: what is expected lies beside the input, in files that another implementation could be held against as well.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `case.toml` | why, source, operation, options, what the cluster holds; `[[then]]`: further operations |
//! | `input.yaml` or `input/` | the manifests, where the operation names no others |
//! | `documents.txt` | the text of each document, as a JSON string a line |
//! | `hooks.txt` | the hooks in stored order, as read |
//! | `manifest.yaml` | the ordinary documents as the release stores them |
//! | `objects.jsonl` | the objects of the steps, in the order of the plan |
//! | `plan.txt` | the steps, in order |
//! | `uninstall.txt` | the ordinary documents in the order in which an uninstall deletes them |
//! | `diagnostics.txt` | what is said of the input |
//! | `requests.txt` | what is written to the cluster, in order |
//! | `reads.txt` | what is read from the cluster, in order |
//! | `withheld.txt` | what a dry run would have done |
//! | `stored.txt` | all revisions afterwards, and the hooks of the newest |
//! | `outcome.txt` | what the user is told, and what became of the ordinary objects |
//! | `logs.txt` | what hooks wrote |
//! | `left.txt` | the objects that are there at the end, besides records |
//! | `report.json` | the report of the last operation |
//!
//! What is read and planned is that of the first operation; the others are executed after it, on the same cluster.
//! An expected file that is not there is not checked. `UPDATE_CASES=1` rewrites those that are.

mod case;
mod recording;
mod show;
mod world;

use std::fmt::Write as _;
use std::path::Path;

use case::{Case, Reading};

/// An expected file and what makes its text.
type Expected<T> = (&'static str, fn(&T) -> String);

/// Expected files of what was read and planned.
const READING: [Expected<Reading>; 7] = [
    ("documents.txt", show::documents),
    ("hooks.txt", show::hooks),
    ("manifest.yaml", show::manifest),
    ("objects.jsonl", show::objects),
    ("plan.txt", show::plan),
    ("uninstall.txt", show::uninstall),
    ("diagnostics.txt", show::diagnostics),
];

/// Expected files of what was executed. A case with one of them runs.
const RUNNING: [Expected<world::Story>; 8] = [
    ("requests.txt", show::requests),
    ("reads.txt", show::reads),
    ("withheld.txt", show::withheld),
    ("stored.txt", show::stored),
    ("outcome.txt", show::outcome),
    ("logs.txt", show::logs),
    ("left.txt", show::left),
    ("report.json", show::report),
];

fn run(path: &Path) -> datatest_stable::Result<()> {
    let folder = path.parent().ok_or("a case lies in a folder")?;
    let case = Case::read(folder)?;
    let mut differences = String::new();
    if let [first, ..] = case.doings.as_slice() {
        let reading = case.plan(first, &[])?.map_err(|refusal| refusal.message)?;
        for (name, render) in READING {
            compare(&folder.join(name), || render(&reading), &mut differences)?;
        }
    }
    if RUNNING.iter().any(|(name, _)| folder.join(name).is_file()) {
        let story = world::execute(&case)?;
        for (name, render) in RUNNING {
            compare(&folder.join(name), || render(&story), &mut differences)?;
        }
    }
    // A panic, because the harness prints errors on one line.
    assert!(
        differences.is_empty(),
        "{}\n{differences}\nUPDATE_CASES=1 rewrites the files that are there",
        case.why.trim()
    );
    Ok(())
}

/// Compares one expected file, if it is there, and notes how it differs.
fn compare(
    expected: &Path,
    actual: impl FnOnce() -> String,
    differences: &mut String,
) -> datatest_stable::Result<()> {
    if !expected.is_file() {
        return Ok(());
    }
    let (wanted, actual) = (std::fs::read_to_string(expected)?, actual());
    if wanted == actual {
        return Ok(());
    }
    if std::env::var_os("UPDATE_CASES").is_some_and(|value| value == "1") {
        std::fs::write(expected, actual)?;
        return Ok(());
    }
    write!(differences, "\n{}\n--- expected\n{wanted}\n--- actual\n{actual}\n", expected.display())?;
    Ok(())
}

datatest_stable::harness! {
    { test = run, root = "conformance/cases", pattern = r"case\.toml$" },
}
