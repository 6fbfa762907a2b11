//! Helm's annotations: documents become hooks, ordinary resources, or nothing at all, exactly as Helm 4's
//! `SortManifests` decides (`pkg/release/v1/util/manifest_sorter.go`). What Helm does silently is done here as well,
//! and said.

use crate::hook::{DeletePolicy, OutputLogPolicy};
use crate::manifest::{Document, yaml};
use crate::{Diagnostic, Hook, HookEvent, check, order, wasm_hook};

use super::similar::closest;
use super::wasm;

/// Makes a document a hook: a comma list of events.
pub const HOOK: &str = "helm.sh/hook";
/// Where the hook stands among those of its event: an integer.
pub const WEIGHT: &str = "helm.sh/hook-weight";
/// When the hook's object is deleted: a comma list.
pub const DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
/// When the hook's logs are printed: a comma list.
pub const OUTPUT_LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

/// What [`read`] gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// The hooks of all events, in the order in which Helm stores them.
    pub hooks: Vec<Hook>,
    /// The ordinary documents, in install order.
    pub resources: Vec<Document>,
    /// What is wrong or surprising: of single documents here, and everything of [`crate::check`].
    pub diagnostics: Vec<Diagnostic>,
}

/// What Helm makes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// An ordinary resource.
    Ordinary,
    /// A hook of these events.
    Hook(Vec<HookEvent>),
    /// Nothing: it names an event that Helm does not know. This is the annotation's text.
    Dropped(String),
}

/// Tells hooks from ordinary documents as Helm does, and says nothing of what is wrong with them.
pub fn classify(document: &Document) -> Class {
    match document.head.annotations.get(HOOK) {
        None => Class::Ordinary,
        Some(annotation) => {
            let events: Option<Vec<HookEvent>> =
                Item::list(annotation).map(|item| event(&item.word)).collect();
            events.map_or_else(|| Class::Dropped(annotation.clone()), Class::Hook)
        }
    }
}

/// Sorts documents (in the order of [`crate::manifest::parse`]) into hooks and ordinary resources.
///
/// Both lists are sorted stably by the install kind table, as Helm stores them. The default delete policy is not
/// filled in: Helm does that when a hook runs.
pub fn read(documents: Vec<Document>) -> Read {
    match yaml::on_own_stack(|| read_all(documents)) {
        Ok(read) => read,
        Err(error) => {
            let message = format!("cannot start the parser's thread: {error}");
            Read { diagnostics: vec![Diagnostic::error("parser-thread", message)], ..Read::default() }
        }
    }
}

fn read_all(documents: Vec<Document>) -> Read {
    let mut read = Read::default();
    let mut kept = check::Checks::default();
    for document in documents {
        check::document(&document, &mut read.diagnostics);
        let Some(annotation) = document.head.annotations.get(HOOK) else {
            wasm::without_hook(&document, &mut read.diagnostics);
            match document.into_ordinary() {
                Ok(document) => {
                    kept.resource(&document);
                    read.resources.push(document);
                }
                Err(diagnostic) => read.diagnostics.push(diagnostic),
            }
            continue;
        };
        let Some(events) = events(&document, annotation, &mut read.diagnostics) else { continue };
        let Some((action, spec_places)) = wasm::action(&document, &mut read.diagnostics) else { continue };
        kept.hook(&document, &events);
        read.hooks.push(Hook {
            events,
            weight: weight(&document, &mut read.diagnostics),
            delete_policies: delete_policies(&document, &mut read.diagnostics),
            output_log_policies: output_log_policies(&document, &mut read.diagnostics),
            api_version: document.head.api_version,
            kind: document.head.kind,
            name: document.head.name,
            origin: document.origin,
            manifest: document.text,
            objects: document.objects,
            action,
            spec_places,
        });
    }
    kept.finish(&mut read.diagnostics);
    read.hooks.sort_by(|a, b| order::by_install_kind(&a.kind, &b.kind));
    read.resources.sort_by(|a, b| order::by_install_kind(&a.head.kind, &b.head.kind));
    read
}

/// The events of a hook, in written order; `None` if there is one that Helm does not know: then Helm drops the
/// whole document, and only its debug log says so.
fn events(
    document: &Document,
    annotation: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<HookEvent>> {
    let mut events = Vec::new();
    let mut unknown = 0;
    for item in Item::list(annotation) {
        match event(&item.word) {
            Some(event) => events.push(event),
            None => {
                unknown += 1;
                if unknown <= check::SHOWN {
                    diagnostics.push(unknown_event(document, &item));
                }
            }
        }
    }
    (unknown == 0).then_some(events)
}

fn event(word: &str) -> Option<HookEvent> {
    match word {
        "test-success" => Some(HookEvent::Test),
        word => HookEvent::ALL.into_iter().find(|event| event.as_str() == word),
    }
}

fn unknown_event(document: &Document, item: &Item) -> Diagnostic {
    const DROPPED: &str = "Helm drops the whole document too, and says so only in its debug log";
    let message = match item.word.as_str() {
        "" => format!("document dropped, {HOOK} holds an empty event"),
        word => format!("document dropped, {word:?} is no hook event"),
    };
    let help = match item.word.as_str() {
        "crd-install" => {
            format!(
                "crd-install ended with Helm 2: put the definition into the chart's crds folder. {DROPPED}"
            )
        }
        "test-failure" => {
            format!("test-failure ended with Helm 2: use test and let the hook succeed. {DROPPED}")
        }
        word => match closest(word, HookEvent::ALL.map(HookEvent::as_str)) {
            Some(event) => format!("did you mean {event:?}? {DROPPED}"),
            None => format!("events are {}. {DROPPED}", HookEvent::ALL.map(HookEvent::as_str).join(", ")),
        },
    };
    item.diagnose(document, HOOK, Diagnostic::warning("unknown-event", message).help(help))
}

/// Go's `strconv.Atoi`, untrimmed; anything else is 0.
fn weight(document: &Document, diagnostics: &mut Vec<Diagnostic>) -> i64 {
    let Some(text) = document.head.annotations.get(WEIGHT) else { return 0 };
    match text.parse() {
        Ok(weight) => weight,
        Err(_) => {
            let message = format!("{WEIGHT} {text:?} is no integer, so the weight is 0");
            let help = match text.trim().parse::<i64>() {
                Ok(weight) => {
                    format!("write \"{weight}\": Helm does not trim the value, and takes 0 as well")
                }
                Err(_) => "write an integer in quotes, e.g. \"5\"; Helm takes 0 as well, silently".to_owned(),
            };
            let diagnostic = Diagnostic::warning("bad-weight", message).help(help);
            diagnostics.push(document.diagnose(diagnostic, &pointer(WEIGHT)));
            0
        }
    }
}

fn delete_policies(document: &Document, diagnostics: &mut Vec<Diagnostic>) -> Vec<DeletePolicy> {
    const KNOWN: [DeletePolicy; 3] =
        [DeletePolicy::BeforeHookCreation, DeletePolicy::HookSucceeded, DeletePolicy::HookFailed];
    let Some(text) = document.head.annotations.get(DELETE_POLICY) else { return Vec::new() };
    let mut unknown = 0;
    let read = |item: Item| {
        let policy = DeletePolicy::from(item.word.clone());
        unknown += usize::from(matches!(policy, DeletePolicy::Other(_)));
        if matches!(policy, DeletePolicy::Other(_)) && unknown <= check::SHOWN {
            let consequence = "Helm keeps the word and does nothing for it; the default before-hook-creation does \
                               not apply either";
            let known = KNOWN.each_ref().map(DeletePolicy::as_str);
            diagnostics.push(unknown_policy(document, DELETE_POLICY, &item, &known, consequence));
        }
        policy
    };
    Item::list(text).map(read).collect()
}

fn output_log_policies(document: &Document, diagnostics: &mut Vec<Diagnostic>) -> Vec<OutputLogPolicy> {
    let Some(text) = document.head.annotations.get(OUTPUT_LOG_POLICY) else { return Vec::new() };
    let mut unknown = 0;
    let read = |item: Item| {
        let policy = OutputLogPolicy::from(item.word.clone());
        unknown += usize::from(matches!(policy, OutputLogPolicy::Other(_)));
        if matches!(policy, OutputLogPolicy::Other(_)) && unknown <= check::SHOWN {
            let known = ["hook-succeeded", "hook-failed"];
            let consequence = "Helm keeps the word and does nothing for it";
            diagnostics.push(unknown_policy(document, OUTPUT_LOG_POLICY, &item, &known, consequence));
        }
        policy
    };
    Item::list(text).map(read).collect()
}

fn unknown_policy(
    document: &Document,
    annotation: &str,
    item: &Item,
    known: &[&str],
    consequence: &str,
) -> Diagnostic {
    let code =
        if annotation == DELETE_POLICY { "unknown-delete-policy" } else { "unknown-output-log-policy" };
    let message = format!("{:?} is no policy of {annotation}", item.word);
    let help = match closest(&item.word, known.iter().copied()) {
        Some(policy) => format!("did you mean {policy:?}? {consequence}"),
        None => format!("policies are {}. {consequence}", known.join(", ")),
    };
    item.diagnose(document, annotation, Diagnostic::warning(code, message).help(help))
}

/// One item of a comma list, trimmed and lower-cased as Helm does it, and its column in the list.
struct Item {
    word: String,
    column: usize,
}

impl Item {
    fn list(text: &str) -> impl Iterator<Item = Self> {
        let mut column = 1;
        text.split(',').map(move |item| {
            let blanks = item.chars().take_while(|c| c.is_whitespace()).count();
            let at = column + blanks;
            column += item.chars().count() + 1;
            // Go lower-cases rune by rune: U+0130 becomes a plain i, where Rust's whole-string rule gives two
            // characters.
            let word = item.trim().chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect();
            Self { word, column: at }
        })
    }

    fn diagnose(&self, document: &Document, annotation: &str, diagnostic: Diagnostic) -> Diagnostic {
        let (line, column) = document.place_inside(&pointer(annotation), 1, self.column);
        diagnostic.at(&document.origin.path, line, column)
    }
}

/// The JSON pointer of an annotation.
pub(crate) fn pointer(annotation: &str) -> String {
    format!("/metadata/annotations/{}", annotation.replace('~', "~0").replace('/', "~1"))
}

/// Whether a document is of our own kind.
pub(crate) fn is_wasm_hook(document: &Document) -> bool {
    document.head.kind == wasm_hook::KIND && document.head.api_version.starts_with("boathook.dev/")
}
