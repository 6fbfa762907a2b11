//! Manifest text to documents, exactly as Helm 4 reads it: which files, in which order, split where, each document
//! with the head by which Helm sorts it and the objects that Helm builds from it. What a document *means* (hook or
//! ordinary) is the dialect's affair; this file never looks at an annotation's text.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is built once per wrong input, never on a fast path, and a box would be in every signature"
)]

mod head;
mod scalar;
mod split;
mod stored;
mod tree;
pub(crate) mod yaml;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

pub use head::Head;
pub use stored::parse_stored;
pub(crate) use stored::parse_stored_hook;

use self::head::HeadError;
use self::tree::Walk;
use self::yaml::{Place, Reading, Style, Tape, YamlError};
use crate::source::Origin;
use crate::{Diagnostic, Object, Source};

/// Limits of one operation's input.
pub mod limit {
    /// Bytes of all sources together.
    pub const TOTAL_BYTES: usize = 64 << 20;
    /// Documents of all sources together.
    pub const DOCUMENTS: usize = 20_000;
    /// YAML nodes of all documents together, those that aliases repeat included: bounds the memory of the objects.
    pub const TOTAL_NODES: usize = 1_000_000;
}

/// Threads that read at most; more gain little, and each is a stack and a heap of its own.
const THREADS: usize = 4;
/// Documents that are worth a thread of their own: starting one takes as long as reading ten.
const DOCUMENTS_PER_THREAD: usize = 100;

/// One document of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it stands.
    pub origin: Origin,
    /// The text as Helm 4 stores it: white space before it is gone, line breaks behind it are kept.
    pub text: String,
    /// What Helm sorts it by. An empty kind is a document of comments, null or `{}`.
    pub head: Head,
    /// What Helm's `Build` reads from the text: none for an empty document, the items for a list.
    pub objects: Vec<Object>,
    /// The JSON pointer of each of `objects` in the document: empty, or `/items/0`.
    pointers: Vec<String>,
    /// Where each of `objects` starts in its file; an item of a list inside a list stands where that one does.
    places: Vec<Place>,
    /// The place of the text's first character in its file.
    start: Place,
    ends_in_block: bool,
    reading: Reading,
}

/// What [`parse`] gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The documents that could be read, by path and then in file order.
    pub documents: Vec<Document>,
    /// Everything that could not.
    pub diagnostics: Vec<Diagnostic>,
}

/// The documents of a text, where Helm splits it: without white space before them.
pub fn split_documents(text: &str) -> impl Iterator<Item = &str> {
    split::split(text).map(|piece| piece.text)
}

/// Reads all sources. Paths are visited in byte order; files whose base name starts with `_` hold no documents for
/// Helm and are skipped. An error in one document does not hide those of the next.
pub fn parse(sources: &[Source]) -> Parsed {
    parse_as(sources, Reading::Strict)
}

fn parse_as(sources: &[Source], reading: Reading) -> Parsed {
    let mut parsed = Parsed::default();
    let total: usize = sources.iter().map(|source| source.text.len()).sum();
    if total > limit::TOTAL_BYTES {
        let message = format!("input of {total} bytes exceeds the limit of {} bytes", limit::TOTAL_BYTES);
        parsed.diagnostics.push(Diagnostic::error("input-limit", message));
        return parsed;
    }
    let (pieces, too_many) = pieces(sources);
    let read = match read_pieces(&pieces, reading) {
        Ok(read) => read,
        Err(error) => {
            let message = format!("cannot start the parser's thread: {error}");
            parsed.diagnostics.push(Diagnostic::error("parser-thread", message));
            return parsed;
        }
    };
    let mut nodes = 0;
    for (piece, (document, spent)) in pieces.iter().zip(read) {
        match document {
            Ok(document) => parsed.documents.push(document),
            Err(diagnostic) => parsed.diagnostics.push(diagnostic),
        }
        nodes += spent;
        if nodes > limit::TOTAL_NODES {
            let message =
                format!("input exceeds the limit of {} values in all documents", limit::TOTAL_NODES);
            let diagnostic = Diagnostic::error("input-limit", message);
            parsed.diagnostics.push(at(diagnostic, &piece.origin.path, piece.start));
            return parsed;
        }
    }
    parsed.diagnostics.extend(too_many);
    parsed
}

/// The text of one document.
struct Piece<'s> {
    origin: Origin,
    text: &'s str,
    start: Place,
}

/// The documents of all sources in order, and what to say where there are more than allowed.
fn pieces(sources: &[Source]) -> (Vec<Piece<'_>>, Option<Diagnostic>) {
    let mut pieces = Vec::new();
    let mut ordered: Vec<&Source> = sources.iter().filter(|source| !is_partial(&source.path)).collect();
    ordered.sort_by(|a, b| a.path.cmp(&b.path));
    for source in ordered {
        // Helm's chart loader drops a byte-order mark before anything else sees the file.
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        let mut places = Places { text, offset: 0, place: Place { line: 1, column: 1 } };
        for (index, split::Piece { offset, text }) in split::split(text).enumerate() {
            let start = places.of(offset);
            if pieces.len() == limit::DOCUMENTS {
                let message = format!("input exceeds the limit of {} documents", limit::DOCUMENTS);
                let diagnostic = Diagnostic::error("input-limit", message);
                return (pieces, Some(at(diagnostic, &source.path, start)));
            }
            let line = start.line + leading_comment_lines(text);
            let origin = Origin { path: source.path.clone(), document: index, line };
            pieces.push(Piece { origin, text, start });
        }
    }
    (pieces, None)
}

/// A document, or what is wrong with it, and the YAML nodes it took.
type ReadPiece = (Result<Document, Diagnostic>, usize);

/// Reads documents, many of them on several threads, until all are read or there are more nodes than allowed. A
/// thread takes the next one and reads it to its end, so what comes back are the first ones without a gap.
fn read_pieces(pieces: &[Piece<'_>], reading: Reading) -> std::io::Result<Vec<ReadPiece>> {
    let (next, nodes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let read = || {
        let mut read: Vec<(usize, ReadPiece)> = Vec::new();
        while nodes.load(Ordering::Relaxed) <= limit::TOTAL_NODES {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(index) else { break };
            let mut spent = 0;
            let document = read_document(piece, reading, &mut spent);
            nodes.fetch_add(spent, Ordering::Relaxed);
            read.push((index, (document, spent)));
        }
        read
    };
    let threads = (pieces.len() / DOCUMENTS_PER_THREAD).clamp(1, THREADS);
    let mut all: Vec<_> = yaml::on_own_stacks(threads, read)?.into_iter().flatten().collect();
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, piece)| piece).collect())
}

/// Helm skips files whose base name starts with `_`: they hold template definitions.
fn is_partial(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('_'))
}

fn read_document(piece: &Piece<'_>, reading: Reading, nodes: &mut usize) -> Result<Document, Diagnostic> {
    let Piece { origin, text, start } = piece;
    let (path, start) = (&origin.path, *start);
    let fail = |error: YamlError| yaml_diagnostic(path, start, &error);
    let tape = yaml::read_as(text, reading).map_err(fail)?;
    let mut document = Document {
        origin: origin.clone(),
        text: (*text).to_owned(),
        head: Head::default(),
        objects: Vec::new(),
        pointers: Vec::new(),
        places: Vec::new(),
        start,
        ends_in_block: tape.as_ref().is_some_and(|tape| tape.ends_in_block),
        reading,
    };
    let Some(tape) = tape else { return Ok(document) };
    document.head = head::read(&mut Walk::new(&tape), tape.nodes[0].place).map_err(|error| match error {
        HeadError::Yaml(error) => fail(error),
        HeadError::Type { place, .. } => {
            let help = "Helm refuses the whole render for this";
            at(Diagnostic::error("wrong-type", error.to_string()).help(help), path, inside(start, place))
        }
    })?;
    // The reader that feeds the cluster goes line by line: it takes `---` at the start for a separator, adds the last
    // line break if it is missing, and drops one carriage return per line.
    if let Some(rest) = text.strip_prefix("---") {
        let line = rest.lines().next().unwrap_or_default().trim();
        if !line.is_empty() && !line.starts_with('#') {
            let message = "text on the line of a document separator";
            let help = "put it on a line of its own";
            return Err(at(Diagnostic::error("invalid-separator", message).help(help), path, start));
        }
    }
    let unterminated_block = document.ends_in_block && !text.ends_with('\n');
    if unterminated_block || text.contains("\r\r\n") {
        document.build(&format!("{}\n", text.replace("\r\n", "\n").trim_end_matches('\n')), nodes)?;
    } else {
        document.build_from(&tape, nodes).map_err(fail)?;
    }
    Ok(document)
}

impl Document {
    /// The document as Helm stores and reads it among the ordinary ones: a line break more behind the text, which a
    /// block scalar that keeps its line breaks (`|+`) takes into its value.
    ///
    /// # Errors
    /// A diagnostic, where the text cannot be read again so.
    pub fn into_ordinary(mut self) -> Result<Self, Diagnostic> {
        // Only a block whose header has a `+` keeps the line break; a `+` elsewhere costs a second reading.
        if self.ends_in_block && self.text.contains('+') {
            let text = format!("{}\n", self.text.replace("\r\n", "\n"));
            self.build(&text, &mut 0)?;
        }
        Ok(self)
    }

    /// The document in a release's stored manifest.
    pub fn stored(&self) -> String {
        format!("---\n# Source: {}\n{}\n", self.origin.path, self.text)
    }

    /// Line and column in the file (both from 1) of what a JSON pointer names, or of the deepest value above it.
    /// The place of a map's entry is its key's.
    pub fn place(&self, pointer: &str) -> (usize, usize) {
        let place = self.look_up(pointer, |_, place| place).unwrap_or(self.start);
        (place.line, place.column)
    }

    /// A finding at the place of a JSON pointer.
    pub fn diagnose(&self, diagnostic: Diagnostic, pointer: &str) -> Diagnostic {
        let (line, column) = self.place(pointer);
        diagnostic.at(&self.origin.path, line, column)
    }

    /// Findings at the places of JSON pointers, for which the document is read again once.
    pub(crate) fn diagnose_all(
        &self,
        findings: Vec<(Diagnostic, String)>,
    ) -> impl Iterator<Item = Diagnostic> {
        let tape = if findings.is_empty() { None } else { yaml::read(&self.text).ok().flatten() };
        findings.into_iter().map(move |(diagnostic, pointer)| {
            let found = tape.as_ref().and_then(|tape| Walk::new(tape).find(&pointer).ok());
            let place = found.map_or(self.start, |found| inside(self.start, found.place));
            at(diagnostic, &self.origin.path, place)
        })
    }

    /// The JSON pointer of one of `objects` in the document.
    pub fn object_pointer(&self, object: usize) -> &str {
        self.pointers.get(object).map_or("", String::as_str)
    }

    /// Line and column in the file of one of `objects`. Unlike [`Document::place`] it reads nothing again.
    pub fn object_place(&self, object: usize) -> (usize, usize) {
        if self.object_pointer(object).is_empty() {
            return (self.origin.line, 1);
        }
        let place = self.places.get(object).copied().unwrap_or(self.start);
        (place.line, place.column)
    }

    /// Where a place *inside* the text of a scalar stands in the file. Exact for block scalars that keep lines
    /// (`|`) and for one-line scalars without escapes; the start of the scalar for others.
    pub fn place_inside(&self, pointer: &str, line: usize, column: usize) -> (usize, usize) {
        let place = self
            .look_up(pointer, |node, key| {
                let yaml::Kind::Scalar { style, .. } = node.kind else { return key };
                let value = inside(self.start, node.place);
                match style {
                    Style::Literal => self.literal_line(value.line, line, column).unwrap_or(value),
                    Style::Plain if line == 1 => Place { column: value.column + column - 1, ..value },
                    Style::Quoted if line == 1 => Place { column: value.column + column, ..value },
                    Style::Plain | Style::Quoted | Style::Folded => value,
                }
            })
            .unwrap_or(self.start);
        (place.line, place.column)
    }

    /// Reads the YAML text of a scalar (an annotation): what stands at `pointer` in this document.
    ///
    /// # Errors
    /// A diagnostic at the place in the file, as near as it can be known.
    pub(crate) fn read_embedded(&self, pointer: &str, text: &str) -> Result<Value, Diagnostic> {
        let read = || match yaml::read(text)? {
            Some(tape) => Walk::new(&tape).value(0),
            None => Ok(Value::Null),
        };
        read().map_err(|error: YamlError| {
            let (line, column) = self.place_inside(pointer, error.place.line, error.place.column);
            let start = Place { line: 1, column: 1 };
            yaml_diagnostic(&self.origin.path, start, &error).at(&self.origin.path, line, column)
        })
    }

    /// The place in the file of what a JSON pointer names *inside* the YAML text of a scalar.
    pub(crate) fn place_embedded(&self, pointer: &str, text: &str, inner: &str) -> (usize, usize) {
        let place = yaml::read(text)
            .ok()
            .flatten()
            .and_then(|tape| Walk::new(&tape).find(inner).ok().map(|found| found.place));
        match place {
            Some(place) => self.place_inside(pointer, place.line, place.column),
            None => self.place(pointer),
        }
    }

    /// The keys of the map at a JSON pointer, with their places in the file.
    pub(crate) fn places_below(&self, pointer: &str) -> Vec<(String, (usize, usize))> {
        let places = map_places(&self.text, pointer).unwrap_or_default();
        let in_file = |(key, place)| {
            let place = inside(self.start, place);
            (key, (place.line, place.column))
        };
        places.into_iter().map(in_file).collect()
    }

    /// The keys of the map that is the YAML text of a scalar, with their places in the file.
    pub(crate) fn places_embedded(&self, pointer: &str, text: &str) -> Vec<(String, (usize, usize))> {
        let places = map_places(text, "").unwrap_or_default();
        let in_file =
            |(key, place): (String, Place)| (key, self.place_inside(pointer, place.line, place.column));
        places.into_iter().map(in_file).collect()
    }

    /// Line `line` of a literal block whose content starts at `first` of the file.
    fn literal_line(&self, first: usize, line: usize, column: usize) -> Option<Place> {
        let content = self.text.lines().nth(first.checked_sub(self.start.line)?)?;
        let indent = content.len() - content.trim_start_matches(' ').len();
        Some(Place { line: first + line - 1, column: indent + column })
    }

    fn look_up<T>(&self, pointer: &str, read: impl FnOnce(&yaml::Node<'_>, Place) -> T) -> Option<T> {
        let tape = yaml::read(&self.text).ok()??;
        let found = Walk::new(&tape).find(pointer).ok()?;
        let node = &tape.nodes[tape.target(found.value)];
        Some(read(node, inside(self.start, found.place)))
    }

    fn build(&mut self, text: &str, nodes: &mut usize) -> Result<(), Diagnostic> {
        let fail = |error: YamlError| yaml_diagnostic(&self.origin.path, self.start, &error);
        match yaml::read_as(text, self.reading).map_err(fail)? {
            Some(tape) => {
                let (path, start) = (self.origin.path.clone(), self.start);
                self.build_from(&tape, nodes).map_err(|error| yaml_diagnostic(&path, start, &error))
            }
            None => Ok(()),
        }
    }

    /// Helm's `Build`: the document as an object, or the items if it is a list (`items` is a list, whatever the
    /// kind), lists inside of lists behind them.
    fn build_from(&mut self, tape: &Tape<'_>, nodes: &mut usize) -> Result<(), YamlError> {
        let mut walk = Walk::new(tape);
        let value = walk.value(0)?;
        *nodes += walk.spent();
        self.objects.clear();
        self.pointers.clear();
        self.places.clear();
        let mut item_places = Vec::new();
        if value.get("items").is_some_and(Value::is_array) {
            item_places = walk.item_places("/items")?;
        }
        let mut queue: VecDeque<(String, Place, Value)> = VecDeque::new();
        queue.push_back((String::new(), self.start, value));
        while let Some((pointer, place, value)) = queue.pop_front() {
            let Value::Object(mut map) = value else { continue };
            match map.get_mut("items") {
                Some(Value::Array(items)) => {
                    let items = std::mem::take(items);
                    let list = Object(map);
                    for (index, mut item) in items.into_iter().enumerate() {
                        inherit_type(&mut item, &list);
                        let own = item_places.get(index).filter(|_| pointer.is_empty());
                        let place = own.map_or(place, |own| inside(self.start, *own));
                        queue.push_back((format!("{pointer}/items/{index}"), place, item));
                    }
                }
                _ => {
                    self.objects.push(Object(map));
                    self.pointers.push(pointer);
                    self.places.push(place);
                }
            }
        }
        Ok(())
    }
}

/// The keys of the map at a JSON pointer of a text, with their places.
fn map_places(text: &str, pointer: &str) -> Option<Vec<(String, Place)>> {
    let tape = yaml::read(text).ok()??;
    let mut walk = Walk::new(&tape);
    let found = walk.find(pointer).ok()?;
    let entries = walk.entries(found.value).ok()?;
    Some(entries.into_iter().map(|entry| (entry.key.into_owned(), walk.place(entry.key_node))).collect())
}

/// An item without kind or apiVersion gets both from its list: `Pod` and `v1` in a `PodList` of `v1`. A plain `List`
/// has no kind to give.
fn inherit_type(item: &mut Value, list: &Object) {
    let Value::Object(item) = item else { return };
    let missing = |key: &str| item.get(key).and_then(Value::as_str).is_none_or(str::is_empty);
    if missing("kind") || missing("apiVersion") {
        let kind = list.kind().strip_suffix("List").unwrap_or(list.kind());
        if kind.is_empty() {
            return;
        }
        item.insert("apiVersion".to_owned(), Value::from(list.api_version()));
        item.insert("kind".to_owned(), Value::from(kind));
    }
}

/// Reads a text of one YAML (or JSON) document as manifests are read: a grant, a plugin's settings, a
/// `WasmHookSpec`. Null where the text holds nothing.
///
/// # Errors
/// A diagnostic with the place, which never shows a value of the text.
pub fn read_yaml(path: &str, text: &str) -> Result<Value, Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let read = || match yaml::read(text)? {
        Some(tape) => Walk::new(&tape).value(0),
        None => Ok(Value::Null),
    };
    match yaml::on_own_stack(read) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(yaml_diagnostic(path, Place { line: 1, column: 1 }, &error)),
        Err(error) => {
            Err(Diagnostic::error("parser-thread", format!("cannot start the parser's thread: {error}")))
        }
    }
}

fn yaml_diagnostic(path: &str, start: Place, error: &YamlError) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.reason.code(), error.to_string());
    let diagnostic = match error.reason.help() {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    };
    at(diagnostic, path, inside(start, error.place))
}

fn at(diagnostic: Diagnostic, path: &str, place: Place) -> Diagnostic {
    diagnostic.at(path, place.line, place.column)
}

/// A place in a text, seen from the file in which the text starts at `start`.
fn inside(start: Place, place: Place) -> Place {
    Place {
        line: start.line + place.line - 1,
        column: if place.line == 1 { start.column + place.column - 1 } else { place.column },
    }
}

/// How many lines of a document go before its first one that is neither blank nor a comment.
fn leading_comment_lines(text: &str) -> usize {
    let is_lead = |line: &&str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    };
    let lead = text.lines().take_while(is_lead).count();
    if lead == text.lines().count() { 0 } else { lead }
}

/// Turns offsets into places, going forward only.
struct Places<'t> {
    text: &'t str,
    offset: usize,
    place: Place,
}

impl Places<'_> {
    fn of(&mut self, offset: usize) -> Place {
        let between = &self.text[self.offset..offset];
        match between.rfind('\n') {
            Some(last) => {
                self.place.line += between.bytes().filter(|b| *b == b'\n').count();
                self.place.column = between[last + 1..].chars().count() + 1;
            }
            None => self.place.column += between.chars().count(),
        }
        self.offset = offset;
        self.place
    }
}
