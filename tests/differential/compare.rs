//! How a tool's story differs from that of Helm 4, held against the differences that are listed.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use crate::everywhere::Everywhere;
use crate::scenario::Scenario;
use crate::story::Story;
use crate::tool::Tool;

/// A line is compared up to here.
const LONGEST: usize = 160;

/// Differences that are not listed, and listed ones that are not there.
#[derive(Default)]
pub(crate) struct Differences {
    pub(crate) unlisted: Vec<String>,
    pub(crate) gone: Vec<String>,
}

/// Holds a tool's story against Helm 4's.
pub(crate) fn compare(
    scenario: &Scenario,
    everywhere: &Everywhere,
    helm4: &Story,
    tool: Tool,
    story: &Story,
) -> Differences {
    let intent = tool == Tool::Helm3;
    let stories =
        everywhere.apply(tool, helm4.compared(story, intent), story.compared(helm4, intent)).map(shortened);
    let [old, new] = stories.each_ref().map(|story| story.iter().map(String::as_str).collect::<Vec<&str>>());
    let listed = scenario.differences.iter().filter(|difference| difference.tool == tool);
    let listed = listed.flat_map(|difference| difference.lines.lines()).map(str::trim);
    let mut gone: Vec<String> = listed.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let mut unlisted = Vec::new();
    for change in TextDiff::from_slices(&old, &new).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        let line = format!("{sign} {}", change.value());
        match gone.iter().position(|listed| *listed == line) {
            Some(at) => drop(gone.remove(at)),
            None => unlisted.push(line),
        }
    }
    Differences { unlisted, gone }
}

/// Errors of the API server show whole objects.
fn shortened(story: Vec<String>) -> Vec<String> {
    story
        .into_iter()
        .map(|line| line.chars().take(LONGEST).collect::<String>().trim_end().to_owned())
        .collect()
}

impl Differences {
    /// For people; empty: nothing is wrong.
    pub(crate) fn text(&self, tool: Tool) -> String {
        let (name, mut text) = (tool.name(), String::new());
        for (lines, what) in [
            (&self.unlisted, "does otherwise than helm4 (- helm4, + it)"),
            (&self.gone, "is listed to differ from helm4 in this, and does not"),
        ] {
            if !lines.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n{name} {what}:\n{}\n", lines.join("\n"));
            }
        }
        text
    }

    /// A table for the scenario's file, without its reason.
    pub(crate) fn table(&self, tool: Tool) -> String {
        if self.unlisted.is_empty() {
            return String::new();
        }
        let (name, lines) = (tool.name(), self.unlisted.join("\n"));
        let key = if tool == Tool::Boathook { "row" } else { "why" };
        format!("\n[[difference]]\ntool = \"{name}\"\n{key} = \"\"\nlines = '''\n{lines}\n'''\n")
    }
}

/// What is wrong with the reason of a difference: Boathook's is a row of the page, Helm 3's are words.
pub(crate) fn reason(tool: Tool, row: Option<&str>, why: &str, page: &str) -> Option<String> {
    match (tool, row) {
        (Tool::Boathook, Some(row)) if page.contains(&format!("\n| {row} |")) => None,
        (Tool::Boathook, Some(row)) => Some(format!("docs/differences-from-helm.md has no row {row:?}")),
        (Tool::Boathook, None) => {
            Some("a difference of boathook names no row of docs/differences-from-helm.md".to_owned())
        }
        (Tool::Helm3 | Tool::Helm4, _) if why.trim().is_empty() => {
            Some("a difference of helm3 has no reason".to_owned())
        }
        (Tool::Helm3 | Tool::Helm4, _) => None,
    }
}
