//! YAML text to a tape of nodes: the only file that names the YAML crate. Parsing and syntax errors are its own;
//! what scalars mean is decided in `scalar.rs` by Go's rules, from the text and style that the parser reports.
//!
//! Nothing here recurses, so no input can overflow a stack; every limit is checked while events arrive. Errors name
//! a place and never show a value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::thread::{Builder, ScopedJoinHandle};

use serde_saphyr::granit_parser::{
    ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, StrInput, Tag as ParserTag,
};

use super::scalar::Tag;

/// Limits of one document. Go's own depth limit is 10,000; 128 is what JSON readers of the field take, and no
/// object of Kubernetes comes near it.
pub(crate) mod limit {
    /// Bytes of one document: what the API server takes as a request body.
    pub(crate) const BYTES: usize = 3 << 20;
    /// Nested lists and maps.
    pub(crate) const DEPTH: usize = 128;
    /// Nodes, those that aliases repeat included.
    pub(crate) const NODES: usize = 250_000;
    /// Bytes of all scalars, those that aliases repeat included.
    pub(crate) const SCALAR_BYTES: usize = 16 << 20;
    /// Anchors.
    pub(crate) const ANCHORS: usize = 1_000;
    /// Aliases.
    pub(crate) const ALIASES: usize = 10_000;
}

/// A place in a text: line and column (in characters), both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line.
    pub(crate) line: usize,
    /// Column.
    pub(crate) column: usize,
}

impl Place {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct YamlError {
    /// Where.
    pub(crate) place: Place,
    /// Why.
    pub(crate) reason: Reason,
}

/// The kinds of [`YamlError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// The parser's own words, which hold no text of the input but single characters.
    #[error("invalid YAML: {0}")]
    Syntax(String),
    /// A limit of [`limit`].
    #[error("document exceeds the limit of {limit} {what}")]
    Limit {
        /// The number.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// One key twice in a map; Helm takes the last one, silently.
    #[error("key {0} stands twice in the same map")]
    DuplicateKey(String),
    /// Something behind the end of the document; Helm ignores it, silently.
    #[error("text after the end of the document")]
    Trailing,
    /// A line break of YAML 1.1 only.
    #[error("raw line separator U+{0:04X}")]
    LineSeparator(u32),
    /// An alias inside the node it refers to.
    #[error("anchor contains itself")]
    SelfReference,
    /// A scalar that contradicts its tag.
    #[error("{0}")]
    Scalar(#[from] super::scalar::ScalarError),
    /// A number that JSON does not have.
    #[error("infinite and not-a-number have no JSON form; quote the value")]
    NonFinite,
    /// A key that is a list, a map, null or an integer beyond 64 bits.
    #[error("map key is neither text, number nor boolean")]
    Key,
    /// `<<` with something other than a map or a list of maps.
    #[error("merge key << needs a map or a list of maps")]
    Merge,
}

impl Reason {
    /// The stable word of diagnostics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Limit { .. } => "document-limit",
            Self::DuplicateKey(_) => "duplicate-key",
            Self::Trailing => "text-after-document",
            Self::LineSeparator(_) => "line-separator",
            _ => "invalid-yaml",
        }
    }

    /// The way out, where there is one to name.
    pub(crate) fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::DuplicateKey(_) => "remove one of them; Helm silently takes the last one",
            Self::Trailing => {
                "start a new document with ---, or indent the line as the ones above; Helm silently ignores this text"
            }
            Self::LineSeparator(_) => {
                "write it as an escape in double quotes, e.g. \"\\u2028\"; Helm reads the raw character as a line break"
            }
            Self::NonFinite => "put the value in quotes",
            Self::Key => "text in {{ }} must be rendered first: name the chart, not its templates",
            _ => return None,
        })
    }

    pub(crate) fn at(self, place: Place) -> YamlError {
        YamlError { place, reason: self }
    }
}

/// How a scalar stands in the text, as far as places inside it depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Plain.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// `|`: lines of the value are lines of the text.
    Literal,
    /// `>`.
    Folded,
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node<'t> {
    /// What it is.
    pub(crate) kind: Kind<'t>,
    /// Where it starts: its tag and anchor lie before.
    pub(crate) place: Place,
}

/// What a node is. Children follow their parent on the tape; `end` is the place behind the last one.
#[derive(Clone, Debug)]
pub(crate) enum Kind<'t> {
    /// A scalar, unresolved.
    Scalar { text: Cow<'t, str>, tag: Tag, style: Style },
    /// A list.
    List { end: usize },
    /// A map: key, value, key, value...
    Map { end: usize },
    /// The node at that index once more.
    Alias(usize),
}

/// The nodes of one document, in the order of the text; the root is the first.
#[derive(Clone, Debug)]
pub(crate) struct Tape<'t> {
    /// The nodes.
    pub(crate) nodes: Vec<Node<'t>>,
    /// The last scalar is a block: adding a line break to the text may add one to its value.
    pub(crate) ends_in_block: bool,
    /// A key may stand twice.
    pub(crate) last_key_wins: bool,
}

impl Tape<'_> {
    /// The index behind a node and all its children.
    pub(crate) fn next(&self, index: usize) -> usize {
        match self.nodes[index].kind {
            Kind::List { end } | Kind::Map { end } => end,
            Kind::Scalar { .. } | Kind::Alias(_) => index + 1,
        }
    }

    /// The node that an alias stands for, or the node itself.
    pub(crate) fn target(&self, index: usize) -> usize {
        match self.nodes[index].kind {
            Kind::Alias(target) => target,
            _ => index,
        }
    }
}

/// How strictly a text is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// What its author probably did not mean is refused.
    #[default]
    Strict,
    /// The text is part of a release already: of two equal keys the last one counts, and text behind the end of a document
    /// does not, as Helm has it. Refusing would not change what is on the cluster.
    AsHelm,
}

/// Reads the one document of a text; `None` where there is none (empty, or comments only).
pub(crate) fn read(text: &str) -> Result<Option<Tape<'_>>, YamlError> {
    read_as(text, Reading::Strict)
}

/// The same, as strictly as asked for.
pub(crate) fn read_as(text: &str, reading: Reading) -> Result<Option<Tape<'_>>, YamlError> {
    if text.len() > limit::BYTES {
        return Err(Reason::Limit { limit: limit::BYTES, what: "bytes" }.at(Place { line: 1, column: 1 }));
    }
    refuse_line_separators(text)?;
    if text.starts_with('\u{feff}') {
        // The parser would skip it; Helm makes it part of the first key, as it does anywhere inside a file.
        let reason = Reason::Syntax("a BOM must not appear inside a file".to_owned());
        return Err(reason.at(Place { line: 1, column: 1 }));
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.block_scalar_eof_without_line_feed = true;
    let mut tape = TapeBuilder::default();
    let mut parser = Parser::with_options(StrInput::new(text), options);
    let as_helm = reading == Reading::AsHelm;
    while let Some(event) = parser.next_event() {
        let (event, span) = match event.map_err(|error| syntax(&error)) {
            Ok(event) => event,
            Err(YamlError { reason: Reason::Trailing, .. }) if as_helm && tape.is_whole() => break,
            Err(error) => return Err(error),
        };
        let place = Place::of(&span.start);
        match event {
            Event::DocumentEnd => break,
            event => tape.push(event, place)?,
        }
    }
    if as_helm {
        return Ok(tape.finish().map(|tape| Tape { last_key_wins: true, ..tape }));
    }
    match parser.next_event().transpose().map_err(|error| syntax(&error))? {
        None | Some((Event::StreamEnd, _)) => Ok(tape.finish()),
        Some((_, span)) => Err(Reason::Trailing.at(Place::of(&span.start))),
    }
}

/// What the parser cannot read behind the end of a document is text that does not belong there, such as a key
/// that stands further left than the first one.
fn syntax(error: &ScanError) -> YamlError {
    let reason = match error.kind() {
        ErrorKind::ExpectedDocumentStart
        | ErrorKind::MissingDocumentEndBeforeDirective
        | ErrorKind::InvalidDocumentEnd => Reason::Trailing,
        ErrorKind::RecursionLimitExceeded => {
            Reason::Limit { limit: limit::DEPTH, what: "nested lists and maps" }
        }
        _ => Reason::Syntax(error.info()),
    };
    reason.at(Place::of(error.marker()))
}

/// U+0085, U+2028 and U+2029 are line breaks for Go (YAML 1.1) and text for the parser (YAML 1.2): the two would
/// read different documents.
fn refuse_line_separators(text: &str) -> Result<(), YamlError> {
    if text.is_ascii() {
        return Ok(());
    }
    let (mut line, mut column) = (1, 1);
    for c in text.chars() {
        match c {
            '\u{85}' | '\u{2028}' | '\u{2029}' => {
                return Err(Reason::LineSeparator(u32::from(c)).at(Place { line, column }));
            }
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
    }
    Ok(())
}

#[derive(Default)]
struct TapeBuilder<'t> {
    nodes: Vec<Node<'t>>,
    open: Vec<usize>,
    anchors: HashMap<usize, usize>,
    aliases: usize,
    scalar_bytes: usize,
    ends_in_block: bool,
}

impl<'t> TapeBuilder<'t> {
    fn push(&mut self, event: Event<'t>, place: Place) -> Result<(), YamlError> {
        let index = self.nodes.len();
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar_bytes += text.len();
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                self.ends_in_block = matches!(style, Style::Literal | Style::Folded);
                (Kind::Scalar { text, tag: scalar_tag(style, tag.as_deref()), style }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (Kind::List { end: 0 }, anchor),
            Event::MappingStart(_, anchor, _) => (Kind::Map { end: 0 }, anchor),
            Event::Alias(id) => {
                self.aliases += 1;
                if self.aliases > limit::ALIASES {
                    return Err(Reason::Limit { limit: limit::ALIASES, what: "aliases" }.at(place));
                }
                match self.anchors.get(&id) {
                    Some(target) if !self.open.contains(target) => (Kind::Alias(*target), 0),
                    _ => return Err(Reason::SelfReference.at(place)),
                }
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(opened) = self.open.pop()
                    && let Kind::List { end } | Kind::Map { end } = &mut self.nodes[opened].kind
                {
                    *end = index;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, index);
            if self.anchors.len() > limit::ANCHORS {
                return Err(Reason::Limit { limit: limit::ANCHORS, what: "anchors" }.at(place));
            }
        }
        if matches!(kind, Kind::List { .. } | Kind::Map { .. }) {
            self.open.push(index);
            if self.open.len() > limit::DEPTH {
                return Err(Reason::Limit { limit: limit::DEPTH, what: "nested lists and maps" }.at(place));
            }
        }
        if index >= limit::NODES {
            return Err(Reason::Limit { limit: limit::NODES, what: "nodes" }.at(place));
        }
        if self.scalar_bytes > limit::SCALAR_BYTES {
            return Err(Reason::Limit { limit: limit::SCALAR_BYTES, what: "bytes of scalars" }.at(place));
        }
        self.nodes.push(Node { kind, place });
        Ok(())
    }

    /// Whether every list and map that was begun is at its end.
    fn is_whole(&self) -> bool {
        self.open.is_empty() && !self.nodes.is_empty()
    }

    fn finish(self) -> Option<Tape<'t>> {
        let tape = Tape { nodes: self.nodes, ends_in_block: self.ends_in_block, last_key_wins: false };
        (!tape.nodes.is_empty()).then_some(tape)
    }
}

/// The parser's tag, in go-yaml's terms. `!` alone makes a scalar text, whatever its style.
fn scalar_tag(style: Style, tag: Option<&ParserTag>) -> Tag {
    let Some(tag) = tag else {
        return if style == Style::Plain { Tag::Implicit } else { Tag::Quoted };
    };
    let (handle, suffix) = tag.parts();
    let suffix = match (handle, suffix) {
        ("tag:yaml.org,2002:", suffix) => suffix,
        ("", whole) => match whole.strip_prefix("tag:yaml.org,2002:") {
            Some(suffix) => suffix,
            None => return Tag::Unknown,
        },
        _ => return Tag::Unknown,
    };
    match suffix {
        "str" => Tag::Str,
        "int" => Tag::Int,
        "float" => Tag::Float,
        "bool" => Tag::Bool,
        "null" => Tag::Null,
        "binary" => Tag::Binary,
        "timestamp" => Tag::Timestamp,
        "merge" => Tag::Merge,
        _ => Tag::Unknown,
    }
}

/// Runs on a thread whose stack holds any document within the limits: what follows parsing (building values,
/// dropping them) recurses as deep as the document, and the caller's thread may have 2 MiB or less.
///
/// # Errors
/// The system's, where it gives no thread.
pub(crate) fn on_own_stack<T: Send>(run: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| thread().spawn_scoped(scope, run).map(joined))
}

/// Runs on several such threads at once.
///
/// # Errors
/// The system's, where it gives no thread.
pub(crate) fn on_own_stacks<T: Send>(threads: usize, run: impl Fn() -> T + Sync) -> std::io::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let started: std::io::Result<Vec<_>> =
            (0..threads).map(|_| thread().spawn_scoped(scope, &run)).collect();
        Ok(started?.into_iter().map(joined).collect())
    })
}

fn thread() -> Builder {
    Builder::new().name("manifest".to_owned()).stack_size(16 << 20)
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
