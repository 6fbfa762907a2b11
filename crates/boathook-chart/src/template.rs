//! The text that `helm template` prints, byte for byte, from rendered templates. Documents are split and sorted by
//! `boathook_core`; where that refuses one that Helm may take, Helm is asked.

use boathook_core::dialect::{Class, classify};
use boathook_core::plan::ReleaseRef;
use boathook_core::{HookEvent, Severity, Source, manifest, order};

use crate::Chart;
use crate::engine::{Engine, RenderError};
use crate::glob::Pattern;
use crate::render::{RenderOptions, Rendered, Sorted, SortedDocument, render, render_sorted};
use crate::source::log_quoted;

/// What of the documents is printed.
#[derive(Clone, Debug, Default)]
pub struct TemplateOptions {
    /// The files of `crds/`, too.
    pub include_crds: bool,
    /// No hooks.
    pub no_hooks: bool,
    /// No hooks that are tests.
    pub skip_tests: bool,
}

/// Documents in the order in which they are printed.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// `crds/`.
    pub crds: Vec<Source>,
    /// The ordinary documents, then the hooks: path and text.
    pub manifests: Vec<SortedDocument>,
    /// The hooks.
    pub hooks: Vec<SortedDocument>,
    /// What Helm logged meanwhile.
    pub log: Vec<String>,
}

/// Renders a chart for printing.
///
/// # Errors
/// As [`render`].
pub async fn template(
    engine: &Engine,
    chart: &Chart,
    release: &ReleaseRef,
    options: &RenderOptions,
    what: &TemplateOptions,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Template, RenderError> {
    let Rendered { sources, crds, mut log, .. } = render(engine, chart, release, options, progress).await?;
    let Sorted { manifests, mut hooks } = match sorted(&sources, &mut log) {
        Some(sorted) => sorted,
        None => render_sorted(engine, chart, release, options).await?,
    };
    let test = HookEvent::Test.as_str();
    let is_test = |hook: &SortedDocument| hook.events.iter().any(|event| event == test);
    hooks.retain(|hook| !(what.no_hooks || what.skip_tests && is_test(hook)));
    let crds = if what.include_crds { crds } else { Vec::new() };
    Ok(Template { crds, manifests, hooks, log })
}

/// The documents as Helm sorts them; `None` if there is one that we do not read.
fn sorted(sources: &[Source], log: &mut Vec<String>) -> Option<Sorted> {
    let parsed = manifest::parse(sources);
    if parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return None;
    }
    let (mut manifests, mut hooks) = (Vec::new(), Vec::new());
    for document in parsed.documents {
        let (list, events) = match classify(&document) {
            Class::Ordinary => (&mut manifests, Vec::new()),
            Class::Hook(events) => {
                (&mut hooks, events.iter().map(|event| event.as_str().to_owned()).collect())
            }
            Class::Dropped(types) => {
                let types = log_quoted(&types);
                log.push(format!("level=INFO msg=\"skipping unknown hooks\" hookTypes={types}"));
                continue;
            }
        };
        let printed = SortedDocument { path: document.origin.path, text: document.text, events };
        list.push((document.head.kind, printed));
    }
    let by_kind = |mut list: Vec<(String, SortedDocument)>| {
        list.sort_by(|(a, _), (b, _)| order::by_install_kind(a, b));
        list.into_iter().map(|(_, document)| document).collect()
    };
    Some(Sorted { manifests: by_kind(manifests), hooks: by_kind(hooks) })
}

impl Template {
    /// Everything, as `helm template` prints it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for crd in &self.crds {
            print(&mut text, &crd.path, &crd.text);
        }
        for document in &self.manifests {
            print(&mut text, &document.path, &document.text);
        }
        let mut text = text.trim().to_owned() + "\n";
        for hook in &self.hooks {
            print(&mut text, &hook.path, &hook.text);
        }
        text
    }

    /// What `--show-only` prints: the documents of the templates that match one of the patterns, pattern by pattern.
    ///
    /// # Errors
    /// The pattern that matches none.
    pub fn only(&self, patterns: &[String]) -> Result<String, String> {
        let all = self.text();
        let mut text = String::new();
        for pattern in patterns {
            let matcher = Pattern::read(pattern).unwrap_or_else(|_| Pattern::nothing());
            let before = text.len();
            for document in manifest::split_documents(&all) {
                if path_in_chart(document).is_some_and(|path| matcher.matches(path)) {
                    text.push_str("---\n");
                    text.push_str(document);
                    text.push('\n');
                }
            }
            if text.len() == before {
                return Err(format!("could not find template {pattern} in chart"));
            }
        }
        Ok(text)
    }
}

/// One document, as Helm prints and stores it.
fn print(text: &mut String, path: &str, document: &str) {
    for part in ["---\n# Source: ", path, "\n", document, "\n"] {
        text.push_str(part);
    }
}

/// The path that a document's comment gives, without the chart's name. Helm looks for the comment anywhere in the document.
fn path_in_chart(document: &str) -> Option<&str> {
    document.match_indices("# Source: ").find_map(|(at, comment)| {
        let (chart, path) = document[at + comment.len()..].split_once('/')?;
        let path = path.split('\n').next().filter(|path| !path.is_empty())?;
        (!chart.is_empty()).then_some(path)
    })
}
