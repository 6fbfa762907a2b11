//! Charts, rendered by the user's own `helm` program: `helm template` for the documents, `helm show chart` for what the chart
//! says of itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use boathook_core::Source;
use boathook_core::manifest::read_yaml;
use boathook_core::plan::ChartInfo;

use super::{Input, SourceArgs};
use crate::error::{BAD_INPUT, CliError};

/// Whether a source is a chart: `oci://`, a `.tgz`, or a folder with Chart.yaml.
pub(super) fn is_chart(source: &str, path: &Path) -> bool {
    source.starts_with("oci://") || source.ends_with(".tgz") || path.join("Chart.yaml").is_file()
}

/// Renders a chart.
pub(super) fn render(args: &SourceArgs, release: &str, namespace: &str) -> Result<Input, CliError> {
    let values = &args.values;
    let mut template = vec!["template", release, &args.source, "--namespace", namespace];
    for (flag, list) in [
        ("--values", &values.values),
        ("--set", &values.set),
        ("--set-string", &values.set_string),
        ("--set-file", &values.set_file),
        ("--set-json", &values.set_json),
    ] {
        for value in list {
            template.extend([flag, value]);
        }
    }
    let rendered = text(helm(&values.helm, &template)?, &args.source)?;
    let about = text(helm(&values.helm, &["show", "chart", &args.source])?, &args.source)?;
    let metadata = read_yaml("Chart.yaml", &about)
        .map_err(|diagnostic| CliError::new(BAD_INPUT, format!("{}: {}", args.source, diagnostic.message)))?;
    let field = |name: &str| metadata.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let chart = ChartInfo {
        name: field("name").unwrap_or_default(),
        version: field("version").unwrap_or_default(),
        app_version: field("appVersion"),
    };
    Ok(Input {
        sources: by_path(&rendered),
        base: if Path::new(&args.source).is_dir() { PathBuf::from(&args.source) } else { PathBuf::from(".") },
        chart,
        chart_metadata: Some(metadata),
    })
}

fn helm(program: &str, args: &[&str]) -> Result<Output, CliError> {
    Command::new(program).args(args).output().map_err(|error| {
        CliError::new(BAD_INPUT, format!("cannot render the chart: no {program:?} program ({error})")).hint(
            "charts are rendered by Helm: install helm 3 or 4, or name it with --helm or BOATHOOK_HELM;\n\
             rendered manifests work without it: boathook … FILE",
        )
    })
}

fn text(output: Output, chart: &str) -> Result<String, CliError> {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if !output.status.success() {
        return Err(CliError::new(BAD_INPUT, format!("helm cannot render {chart}"))
            .hint(if said.is_empty() { "it gave no reason".to_owned() } else { said }));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| CliError::new(BAD_INPUT, format!("what helm made of {chart} is not UTF-8 text")))
}

/// Gives each document back to the file it came from: `helm template` prints `# Source: path` above it, sorted by kind and
/// hooks last, but within a file and kind in the file's order, and more than that Helm's order of hooks does not need.
fn by_path(rendered: &str) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for document in rendered.split("---\n# Source: ").skip(1) {
        let Some((path, text)) = document.split_once('\n') else { continue };
        match sources.iter_mut().find(|source| source.path == path) {
            Some(source) => source.text += &format!("---\n{text}"),
            None => sources.push(Source { path: path.to_owned(), text: text.to_owned() }),
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_go_back_to_their_files() {
        let sources = by_path(
            "---\n# Source: c/templates/a.yaml\na: 1\n---\n# Source: c/templates/b.yaml\nb: 1\n---\n# Source: c/templates/a.yaml\na: 2\n",
        );
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].text, "a: 1\n---\na: 2\n");
        assert_eq!(sources[1].path, "c/templates/b.yaml");
    }
}
