//! Charts, rendered by the user's own `helm` program. A dry run of an install gives everything that a release record holds:
//! documents, notes, the user's values, the chart itself. For the hooks of one event, and for a Helm 3 that does without a
//! cluster only in `helm template`, the documents and what the chart says of itself must do. An upgrade needs both: its dry
//! run wants a cluster that holds the release, so the record's parts come from an install, the documents from a template.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use boathook_core::manifest::read_yaml;
use boathook_core::plan::ChartInfo;
use boathook_core::{Diagnostic, Source};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::{Input, Lent, Recorded, Rendering, SourceArgs, ValuesArgs, ValuesMode};
use crate::error::{BAD_INPUT, CliError};

/// How Helm 3 says that even its dry run on the client wants a cluster.
const UNREACHABLE: &str = "cluster unreachable";

/// Renders a chart.
pub(super) fn render(args: &SourceArgs, rendering: &Rendering<'_>) -> Result<Input, CliError> {
    let (config, defaults) = lent_files(&args.values, rendering.lent.as_ref())?;
    if !rendering.recorded {
        return template(args, rendering, &paths(&[&defaults, &config]));
    }
    let Some(mut input) = install(args, rendering, &paths(&[&config]))? else {
        let mut input = template(args, rendering, &paths(&[&defaults, &config]))?;
        input.crds = crds(args, rendering)?;
        input.diagnostics.push(
            Diagnostic::warning("values-not-recorded", "the release record will not hold the chart's values")
                .help("this helm tells them only with a cluster at hand; Helm 4 tells them without"),
        );
        return Ok(input);
    };
    if rendering.is_upgrade {
        let rendered = template(args, rendering, &paths(&[&defaults, &config]))?;
        input.sources = rendered.sources;
        input.diagnostics = rendered.diagnostics;
    }
    input.crds = crds(args, rendering)?;
    Ok(input)
}

/// Files of values that go before the user's own: the last revision's values, and the defaults of its chart. What they hold
/// may be secret: only the user can read them, and they are gone at the end.
type LentFile = Option<NamedTempFile>;

fn lent_files(values: &ValuesArgs, lent: Option<&Lent<'_>>) -> Result<(LentFile, LentFile), CliError> {
    let Some(lent) = lent else { return Ok((None, None)) };
    let (config, defaults) = match lent.mode {
        ValuesMode::Reset => (false, false),
        ValuesMode::LastIfNoneGiven => (values_flags(values).is_empty(), false),
        ValuesMode::Reuse => (true, true),
        ValuesMode::ResetThenReuse => (true, false),
    };
    let config = config.then(|| values_file(lent.config)).transpose()?;
    let defaults = defaults.then(|| values_file(lent.defaults)).transpose()?;
    Ok((config, defaults))
}

fn values_file(values: &Map<String, Value>) -> Result<NamedTempFile, CliError> {
    let cannot = |error: std::io::Error| {
        CliError::internal(format!("cannot hand the last revision's values to helm: {error}"))
    };
    let mut file = NamedTempFile::new().map_err(cannot)?;
    serde_json::to_writer(&mut file, values).map_err(|error| cannot(error.into()))?;
    file.flush().map_err(cannot)?;
    Ok(file)
}

fn paths(files: &[&LentFile]) -> Vec<String> {
    files.iter().filter_map(|file| Some(file.as_ref()?.path().to_string_lossy().into_owned())).collect()
}

/// The release that `helm install --dry-run=client -o json` prints.
#[derive(Deserialize)]
struct DryRun {
    #[serde(default)]
    manifest: String,
    hooks: Option<Vec<DryRunHook>>,
    chart: Value,
    config: Option<Map<String, Value>>,
    #[serde(default)]
    info: DryRunInfo,
}

#[derive(Deserialize)]
struct DryRunHook {
    path: String,
    manifest: String,
}

#[derive(Default, Deserialize)]
struct DryRunInfo {
    notes: Option<String>,
}

/// The dry run of an install; nothing if this helm does not do it without a cluster.
fn install(args: &SourceArgs, rendering: &Rendering<'_>, lent: &[String]) -> Result<Option<Input>, CliError> {
    let values = &args.values;
    let release = rendering.release;
    let mut words = vec!["install", &release.name, &args.source, "--namespace", &release.namespace];
    words.extend(["--dry-run=client", "--output", "json"]);
    words.extend(lent.iter().flat_map(|path| ["--values", path]));
    words.extend(flags(values));
    let output = helm(&values.helm(), &words)?;
    if !output.status.success() && said(&output).contains(UNREACHABLE) {
        return Ok(None);
    }
    let diagnostics = warnings(&output);
    let text = text(output, &args.source)?;
    let DryRun { manifest, hooks, chart, config, info } = serde_json::from_str(&text).map_err(|error| {
        CliError::new(BAD_INPUT, format!("{}: helm printed no release: {error}", args.source))
    })?;
    let mut sources = by_path(&manifest);
    for DryRunHook { path, manifest } in hooks.unwrap_or_default() {
        add(&mut sources, &path, &manifest);
    }
    Ok(Some(Input {
        sources,
        crds: Vec::new(),
        base: base(args),
        chart: ChartInfo::of(chart.get("metadata").unwrap_or(&Value::Null)),
        recorded: Recorded { chart: Some(chart), config: config.unwrap_or_default(), notes: info.notes },
        diagnostics,
    }))
}

fn template(args: &SourceArgs, rendering: &Rendering<'_>, lent: &[String]) -> Result<Input, CliError> {
    let values = &args.values;
    let release = rendering.release;
    let mut words = vec!["template", &release.name, &args.source, "--namespace", &release.namespace];
    if rendering.is_upgrade {
        words.push("--is-upgrade");
    }
    words.extend(lent.iter().flat_map(|path| ["--values", path]));
    words.extend(flags(values));
    let output = helm(&values.helm(), &words)?;
    let diagnostics = warnings(&output);
    let rendered = text(output, &args.source)?;
    let yaml = text(helm(&values.helm(), &["show", "chart", &args.source])?, &args.source)?;
    let metadata = read_yaml("Chart.yaml", &yaml)
        .map_err(|diagnostic| CliError::new(BAD_INPUT, format!("{}: {}", args.source, diagnostic.message)))?;
    Ok(Input {
        sources: by_path(&rendered),
        crds: Vec::new(),
        base: base(args),
        chart: ChartInfo::of(&metadata),
        recorded: Recorded { chart: Some(json!({ "metadata": metadata })), ..Recorded::default() },
        diagnostics,
    })
}

/// What `helm template` prints, with these words before the values.
pub(crate) fn template_text(chart: &str, values: &ValuesArgs, words: &[String]) -> Result<String, CliError> {
    let mut all = vec!["template"];
    all.extend(words.iter().map(String::as_str));
    all.extend(flags(values));
    text(helm(&values.helm(), &all)?, chart)
}

fn values_flags(values: &ValuesArgs) -> Vec<&str> {
    let mut words = Vec::new();
    for (flag, list) in [
        ("--values", &values.values),
        ("--set", &values.set),
        ("--set-string", &values.set_string),
        ("--set-file", &values.set_file),
        ("--set-json", &values.set_json),
        ("--set-literal", &values.set_literal),
    ] {
        for value in list {
            words.extend([flag, value.as_str()]);
        }
    }
    words
}

/// All flags that are about charts.
fn flags(values: &ValuesArgs) -> Vec<&str> {
    let mut words = values_flags(values);
    for (flag, value) in [("--version", &values.version), ("--repo", &values.repo)] {
        words.extend(value.iter().flat_map(|value| [flag, value.as_str()]));
    }
    words.extend(values.plain_http.then_some("--plain-http"));
    words.extend(values.skip_schema_validation.then_some("--skip-schema-validation"));
    words.extend(values.render_subchart_notes.then_some("--render-subchart-notes"));
    words
}

fn base(args: &SourceArgs) -> PathBuf {
    PathBuf::from(if Path::new(&args.source).is_dir() { args.source.as_str() } else { "." })
}

/// The files of `crds/` of the chart and its subcharts, which only an install applies. Helm prints them without their paths.
fn crds(args: &SourceArgs, rendering: &Rendering<'_>) -> Result<Vec<Source>, CliError> {
    if rendering.is_upgrade {
        return Ok(Vec::new());
    }
    let text = text(helm(&args.values.helm(), &["show", "crds", &args.source])?, &args.source)?;
    let empty = text.trim().is_empty();
    Ok(if empty { Vec::new() } else { vec![Source { path: "crds".to_owned(), text }] })
}

fn helm(program: &str, args: &[&str]) -> Result<Output, CliError> {
    Command::new(program).args(args).output().map_err(|error| {
        CliError::new(BAD_INPUT, format!("cannot render the chart: no {program:?} program ({error})")).hint(
            "charts are rendered by Helm: install helm 3 or 4, or name it with --helm or BOATHOOK_HELM;\n\
             rendered manifests work without it: boathook … FILE",
        )
    })
}

/// What Helm wrote on stderr. The dry run of an install is how charts are read here; that it "failed" must not alarm anybody.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().replacen("INSTALLATION FAILED: ", "", 1)
}

/// What Helm says although it renders: documents that it drops, values that are no tables.
fn warnings(output: &Output) -> Vec<Diagnostic> {
    said(output).lines().map(|line| Diagnostic::warning("helm", line.trim())).collect()
}

fn text(output: Output, chart: &str) -> Result<String, CliError> {
    if !output.status.success() {
        let said = said(&output);
        return Err(CliError::new(BAD_INPUT, format!("helm cannot render {chart}"))
            .hint(if said.is_empty() { "it gave no reason".to_owned() } else { said }));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| CliError::new(BAD_INPUT, format!("what helm made of {chart} is not UTF-8 text")))
}

/// Gives each document back to the file it came from: Helm prints `# Source: path` above it, sorted by kind and hooks
/// last, but within a file and kind in the file's order, and more than that Helm's order of hooks does not need.
fn by_path(rendered: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for document in format!("\n{rendered}").split("\n---\n# Source: ").skip(1) {
        let Some((path, text)) = document.split_once('\n') else { continue };
        add(&mut sources, path, text);
    }
    sources
}

fn add(sources: &mut Vec<Source>, path: &str, text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match sources.iter_mut().find(|source| source.path == path) {
        Some(source) => source.text += &format!("---\n{text}{end}"),
        None => sources.push(Source { path: path.to_owned(), text: format!("{text}{end}") }),
    }
}

#[cfg(test)]
mod tests {
    use boathook_core::plan::ReleaseRef;

    use super::*;

    fn release() -> ReleaseRef {
        ReleaseRef { name: "web".to_owned(), namespace: "prod".to_owned(), revision: 2 }
    }

    fn render_for(args: &SourceArgs, is_upgrade: bool, recorded: bool) -> Result<Input, CliError> {
        render(args, &Rendering { release: &release(), is_upgrade, recorded, lent: None })
    }

    /// A program that answers as `helm` would, by its first two words. A shell writes it: a file that we had open ourselves
    /// might still be open in the child of another test, and cannot be run then.
    fn helm_that(folder: &Path, answers: &str) -> SourceArgs {
        let program = folder.join("helm");
        let script = format!("#!/bin/sh\ncase \"$1 $2\" in\n{answers}\nesac\n");
        let write = r#"printf '%s' "$1" > "$0" && chmod 755 "$0""#;
        let written = Command::new("sh").args(["-c", write]).arg(&program).arg(script).status().unwrap();
        assert!(written.success());
        let values =
            ValuesArgs { helm: Some(program.to_string_lossy().into_owned()), ..ValuesArgs::default() };
        SourceArgs { source: "c.tgz".to_owned(), values }
    }

    const CHART: &str = r#""show chart") echo '{"name": "c", "version": "1.0.0"}';;"#;
    const NO_CRDS: &str = r#""show crds") ;;"#;
    const TEMPLATE: &str =
        r##""template web") printf -- '---\n# Source: c/templates/a.yaml\nargs: "%s"\n' "$*";;"##;

    #[test]
    fn a_dry_run_gives_the_record_its_values_notes_and_chart() {
        let folder = tempfile::tempdir().unwrap();
        let release = r##"{"manifest": "---\n# Source: c/templates/a.yaml\na: 1\n", "config": {"k": 1},
            "info": {"notes": "hi"}, "chart": {"metadata": {"name": "c", "version": "1.0.0"}, "values": {"d": 2}},
            "hooks": [{"path": "c/templates/h.yaml", "manifest": "b: 1"}]}"##;
        let said = "level=INFO msg=\"skipping unknown hooks\"";
        let install = format!("\"install web\") echo '{said}' >&2; cat <<'END'\n{release}\nEND\n;;");
        let args = helm_that(folder.path(), &format!("{install}\n{NO_CRDS}"));
        let input = render_for(&args, false, true).unwrap();
        let paths: Vec<&str> = input.sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(paths, ["c/templates/a.yaml", "c/templates/h.yaml"]);
        assert_eq!(Value::Object(input.recorded.config), json!({"k": 1}));
        assert_eq!(input.recorded.notes.as_deref(), Some("hi"));
        assert_eq!(input.recorded.chart.unwrap()["values"], json!({"d": 2}));
        assert_eq!((input.chart.name.as_str(), input.chart.version.as_str()), ("c", "1.0.0"));
        let codes: Vec<(&str, &str)> =
            input.diagnostics.iter().map(|one| (one.code.as_str(), one.message.as_str())).collect();
        assert_eq!(codes, [("helm", said)]);
    }

    #[test]
    fn crds_come_with_an_install_only() {
        let folder = tempfile::tempdir().unwrap();
        let answers =
            r#""install web") echo '{"chart": {}}';; "show crds") echo 'kind: CustomResourceDefinition';;"#;
        let args = helm_that(folder.path(), &format!("{answers}\n{TEMPLATE}\n{CHART}"));
        let crds = |is_upgrade| render_for(&args, is_upgrade, true).unwrap().crds;
        assert_eq!(crds(false)[0].text, "kind: CustomResourceDefinition\n");
        assert!(crds(true).is_empty());
    }

    /// `install` answers with the values files it was given, `template` makes a document of them.
    #[test]
    fn an_upgrade_starts_from_the_values_of_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let each = r#"v=""; while [ $# -gt 0 ]; do [ "$1" = --values ] && v="$v$(cat "$2")"; shift; done"#;
        let answers = format!(
            r##""install web") {each}; printf '{{"chart": {{}}, "info": {{"notes": "%s"}}}}' "$(echo "$v" | tr -d '"')";;
            "template web") {each}; printf -- '---\n# Source: a.yaml\n# %s\n' "$v";;"##
        );
        let mut args = helm_that(folder.path(), &format!("{answers}\n{CHART}"));
        let own = folder.path().join("own.json");
        std::fs::write(&own, "{own}").unwrap();
        let map = |key: &str| Map::from_iter([(key.to_owned(), json!(1))]);
        let (config, defaults) = (map("config"), map("defaults"));
        let (own, none) = (vec![own.to_string_lossy().into_owned()], Vec::new());
        let (c, d) = (r#"{"config":1}"#, r#"{"defaults":1}"#);
        for (mode, values, recorded, rendered) in [
            (ValuesMode::LastIfNoneGiven, &none, "{config:1}", c.to_owned()),
            (ValuesMode::LastIfNoneGiven, &own, "{own}", "{own}".to_owned()),
            (ValuesMode::Reset, &none, "", String::new()),
            (ValuesMode::Reuse, &own, "{config:1}{own}", format!("{d}{c}{{own}}")),
            (ValuesMode::ResetThenReuse, &own, "{config:1}{own}", format!("{c}{{own}}")),
        ] {
            args.values.values.clone_from(values);
            let lent = Some(Lent { config: &config, defaults: &defaults, mode });
            let rendering = Rendering { release: &release(), is_upgrade: true, recorded: true, lent };
            let input = render(&args, &rendering).unwrap();
            assert_eq!(input.recorded.notes.as_deref(), Some(recorded), "{mode:?}");
            assert_eq!(input.sources[0].text, format!("# {rendered}\n"), "{mode:?}");
        }
    }

    #[test]
    fn a_helm_that_wants_a_cluster_renders_without_values() {
        let folder = tempfile::tempdir().unwrap();
        let install = r#""install web") echo 'Error: INSTALLATION FAILED: Kubernetes cluster unreachable: …' >&2; exit 1;;"#;
        let args = helm_that(folder.path(), &format!("{install}\n{TEMPLATE}\n{CHART}\n{NO_CRDS}"));
        let input = render_for(&args, false, true).unwrap();
        assert_eq!(input.sources[0].text, "args: \"template web c.tgz --namespace prod\"\n");
        assert_eq!(input.chart.name, "c");
        assert_eq!(input.diagnostics[0].code, "values-not-recorded");
    }

    #[test]
    fn any_other_failure_is_helms_to_explain() {
        let folder = tempfile::tempdir().unwrap();
        let args = helm_that(folder.path(), r#"*) echo 'Error: INSTALLATION FAILED: no way' >&2; exit 1;;"#);
        let error = render_for(&args, false, true).unwrap_err();
        assert_eq!((error.exit_code, error.message.as_str()), (BAD_INPUT, "helm cannot render c.tgz"));
        assert_eq!(error.hint.as_deref(), Some("Error: no way"));
    }

    #[test]
    fn hooks_of_an_upgrade_see_one() {
        let folder = tempfile::tempdir().unwrap();
        let args = helm_that(folder.path(), &format!("{TEMPLATE}\n{CHART}"));
        let text = |is_upgrade| render_for(&args, is_upgrade, false).unwrap().sources[0].text.clone();
        assert!(text(true).contains("--is-upgrade"));
        assert!(!text(false).contains("--is-upgrade"));
    }

    #[test]
    fn documents_go_back_to_their_files() {
        let sources = by_path(
            "---\n# Source: c/templates/a.yaml\na: 1\n---\n# Source: c/templates/b.yaml\nb: 1\n---\n# Source: c/templates/a.yaml\na: 2\n",
        );
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].text, "a: 1\n---\na: 2\n");
        assert_eq!(sources[1].path, "c/templates/b.yaml");
    }

    #[test]
    fn only_a_whole_line_begins_a_document() {
        let sources = by_path("---\n# Source: a.yaml\ntext: |\n  x---\n  # Source: b.yaml\n");
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].text, "text: |\n  x---\n  # Source: b.yaml\n");
    }

    #[test]
    fn a_hook_of_a_dry_run_is_a_document_of_its_file() {
        let mut sources = by_path("---\n# Source: a.yaml\na: 1\n");
        add(&mut sources, "a.yaml", "b: 1");
        add(&mut sources, "h.yaml", "c: 1");
        let texts: Vec<&str> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["a: 1\n---\nb: 1\n", "c: 1\n"]);
    }
}
