//! A tape of nodes as values: merge keys expanded and keys resolved as go-yaml does it, JSON built, places found.
//! Every walk draws on one budget, so aliases and merges cannot multiply without end.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::scalar::{self, Scalar};
use super::yaml::{Kind, Node, Place, Reason, Tape, YamlError, limit};

/// One entry of a map after merging: the key's text, and the indices of key and value on the tape.
pub(crate) struct Entry<'a> {
    /// The key as text.
    pub(crate) key: Cow<'a, str>,
    /// Its node.
    pub(crate) key_node: usize,
    /// The value's node (an alias is not yet followed).
    pub(crate) value: usize,
    /// Whether a merge brought it.
    merged: bool,
}

/// A walk over a tape with what is left of its budget.
pub(crate) struct Walk<'a, 't> {
    tape: &'a Tape<'t>,
    nodes: usize,
    bytes: usize,
}

impl<'a, 't> Walk<'a, 't> {
    /// A walk with the budget of one document.
    pub(crate) fn new(tape: &'a Tape<'t>) -> Self {
        Self { tape, nodes: limit::NODES, bytes: limit::SCALAR_BYTES }
    }

    fn node(&self, index: usize) -> &'a Node<'t> {
        &self.tape.nodes[index]
    }

    /// How many nodes were visited.
    pub(crate) fn spent(&self) -> usize {
        limit::NODES - self.nodes
    }

    /// Whether the node at an index is a map.
    pub(crate) fn is_map(&self, index: usize) -> bool {
        matches!(self.node(self.tape.target(index)).kind, Kind::Map { .. })
    }

    /// Where a node stands.
    pub(crate) fn place(&self, index: usize) -> Place {
        self.node(index).place
    }

    fn spend(&mut self, bytes: usize, place: Place) -> Result<(), YamlError> {
        match (self.nodes.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(nodes), Some(left)) => {
                (self.nodes, self.bytes) = (nodes, left);
                Ok(())
            }
            (None, _) => Err(Reason::Limit { limit: limit::NODES, what: "nodes" }.at(place)),
            (_, None) => {
                Err(Reason::Limit { limit: limit::SCALAR_BYTES, what: "bytes of scalars" }.at(place))
            }
        }
    }

    /// The scalar at an index, `None` for lists and maps.
    pub(crate) fn scalar(&mut self, index: usize) -> Result<Option<Scalar<'a>>, YamlError> {
        let node = self.node(self.tape.target(index));
        let Kind::Scalar { text, tag, .. } = &node.kind else { return Ok(None) };
        let text = Cow::Borrowed(&**text);
        match scalar::resolve(text, tag) {
            Ok(scalar) => Ok(Some(scalar)),
            Err(error) => Err(Reason::Scalar(error).at(node.place)),
        }
    }

    /// The JSON value at an index.
    pub(crate) fn value(&mut self, index: usize) -> Result<Value, YamlError> {
        self.value_below(index, 0)
    }

    fn value_below(&mut self, index: usize, depth: usize) -> Result<Value, YamlError> {
        let at = self.tape.target(index);
        let node = self.node(at);
        if depth > limit::DEPTH {
            let reason = Reason::Limit { limit: limit::DEPTH, what: "nested lists and maps" };
            return Err(reason.at(self.node(index).place));
        }
        match &node.kind {
            Kind::Scalar { text, .. } => {
                self.spend(text.len(), node.place)?;
                match self.scalar(at)? {
                    Some(scalar) => scalar.into_json().ok_or_else(|| Reason::NonFinite.at(node.place)),
                    None => Ok(Value::Null),
                }
            }
            Kind::List { end } => {
                self.spend(0, node.place)?;
                let mut items = Vec::new();
                let mut item = at + 1;
                while item < *end {
                    items.push(self.value_below(item, depth + 1)?);
                    item = self.tape.next(item);
                }
                Ok(Value::Array(items))
            }
            Kind::Map { .. } => {
                self.spend(0, node.place)?;
                let entries = self.entries(at)?;
                let mut map = Map::with_capacity(entries.len());
                for entry in entries {
                    let value = self.value_below(entry.value, depth + 1)?;
                    map.insert(entry.key.into_owned(), value);
                }
                Ok(Value::Object(map))
            }
            Kind::Alias(_) => Ok(Value::Null),
        }
    }

    /// The entries of the map at an index, merged as go-yaml does it: `<<` is expanded where it stands, so it
    /// overwrites keys before it and is overwritten by keys behind it. Empty for anything but a map.
    pub(crate) fn entries(&mut self, index: usize) -> Result<Vec<Entry<'a>>, YamlError> {
        self.entries_below(index, 0)
    }

    fn entries_below(&mut self, index: usize, depth: usize) -> Result<Vec<Entry<'a>>, YamlError> {
        let at = self.tape.target(index);
        let Kind::Map { end } = self.node(at).kind else { return Ok(Vec::new()) };
        if depth > limit::DEPTH {
            let reason = Reason::Limit { limit: limit::DEPTH, what: "nested merges" };
            return Err(reason.at(self.node(index).place));
        }
        let mut entries = Entries::default();
        let mut key_node = at + 1;
        while key_node < end {
            let value = self.tape.next(key_node);
            if self.is_merge(key_node) {
                self.merge(value, &mut entries, depth)?;
            } else {
                let key = self.key(key_node)?;
                self.spend(key.len(), self.node(key_node).place)?;
                let entry = Entry { key, key_node, value, merged: false };
                if self.tape.last_key_wins {
                    entries.merged(entry);
                } else {
                    entries
                        .explicit(entry)
                        .map_err(|key| Reason::DuplicateKey(quoted(&key)).at(self.node(key_node).place))?;
                }
            }
            key_node = self.tape.next(value);
        }
        Ok(entries.list)
    }

    /// The value and the key's place of one entry of a map. Without merges the first match is the only one.
    fn find_entry(
        &mut self,
        map: usize,
        end: usize,
        wanted: &str,
    ) -> Result<Option<(usize, Place)>, YamlError> {
        let mut keys = Vec::new();
        let mut key_node = map + 1;
        while key_node < end {
            keys.push(key_node);
            key_node = self.tape.next(self.tape.next(key_node));
        }
        if keys.iter().any(|key| self.is_merge(*key)) {
            let mut entries = self.entries(map)?.into_iter();
            let entry = entries.find(|entry| entry.key == wanted);
            return Ok(entry.map(|entry| (entry.value, self.node(entry.key_node).place)));
        }
        for key in keys {
            if self.key(key)? == wanted {
                return Ok(Some((self.tape.next(key), self.node(key).place)));
            }
        }
        Ok(None)
    }

    /// The places of the items of the list at a JSON pointer; none if there is no list.
    pub(crate) fn item_places(&mut self, pointer: &str) -> Result<Vec<Place>, YamlError> {
        let at = self.tape.target(self.find(pointer)?.value);
        let mut places = Vec::new();
        if let Kind::List { end } = self.node(at).kind {
            let mut item = at + 1;
            while item < end {
                places.push(self.node(item).place);
                item = self.tape.next(item);
            }
        }
        Ok(places)
    }

    fn is_merge(&self, index: usize) -> bool {
        match &self.node(index).kind {
            Kind::Scalar { text, tag, .. } => {
                text == "<<" && matches!(tag, scalar::Tag::Implicit | scalar::Tag::Merge)
            }
            _ => false,
        }
    }

    fn merge(&mut self, value: usize, entries: &mut Entries<'a>, depth: usize) -> Result<(), YamlError> {
        let at = self.tape.target(value);
        let place = self.node(value).place;
        match self.node(at).kind {
            Kind::Map { .. } => self.merge_map(at, entries, depth),
            Kind::List { end } => {
                let mut items = Vec::new();
                let mut item = at + 1;
                while item < end {
                    items.push(item);
                    item = self.tape.next(item);
                }
                for item in items.into_iter().rev() {
                    if !matches!(self.node(self.tape.target(item)).kind, Kind::Map { .. }) {
                        return Err(Reason::Merge.at(self.node(item).place));
                    }
                    self.merge_map(item, entries, depth)?;
                }
                Ok(())
            }
            _ => Err(Reason::Merge.at(place)),
        }
    }

    fn merge_map(&mut self, map: usize, entries: &mut Entries<'a>, depth: usize) -> Result<(), YamlError> {
        self.spend(0, self.node(map).place)?;
        for entry in self.entries_below(map, depth + 1)? {
            self.spend(entry.key.len(), self.node(entry.key_node).place)?;
            entries.merged(entry);
        }
        Ok(())
    }

    fn key(&mut self, index: usize) -> Result<Cow<'a, str>, YamlError> {
        let place = self.node(index).place;
        let scalar = self.scalar(index)?.ok_or_else(|| Reason::Key.at(place))?;
        scalar.into_key().ok_or_else(|| Reason::Key.at(place))
    }

    /// The node at a JSON pointer (RFC 6901), or the deepest one on the way to it. The place of
    /// a map's entry is its key's.
    pub(crate) fn find(&mut self, pointer: &str) -> Result<Found, YamlError> {
        let mut found = Found { value: 0, place: self.node(0).place };
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let at = self.tape.target(found.value);
            let next = match self.node(at).kind {
                Kind::Map { end } => self.find_entry(at, end, &segment)?,
                Kind::List { end } => {
                    let mut left = segment.parse::<usize>().ok();
                    let mut item = at + 1;
                    while item < end && left.is_some_and(|left| left > 0) {
                        left = left.map(|left| left - 1);
                        item = self.tape.next(item);
                    }
                    (item < end && left.is_some()).then(|| (item, self.node(item).place))
                }
                Kind::Scalar { .. } | Kind::Alias(_) => None,
            };
            match next {
                Some((value, place)) => found = Found { value, place },
                None => break,
            }
        }
        Ok(found)
    }
}

/// What [`Walk::find`] found.
pub(crate) struct Found {
    /// The node's index.
    pub(crate) value: usize,
    /// The place of its key, or its own in a list.
    pub(crate) place: Place,
}

/// The entries of a map that is being merged. A short map is searched, a long one indexed.
#[derive(Default)]
struct Entries<'a> {
    list: Vec<Entry<'a>>,
    index: Option<HashMap<Cow<'a, str>, usize>>,
}

impl<'a> Entries<'a> {
    const INDEXED_FROM: usize = 16;

    fn position(&mut self, key: &str) -> Option<usize> {
        if self.list.len() < Self::INDEXED_FROM {
            return self.list.iter().position(|entry| entry.key == key);
        }
        let list = &self.list;
        let index = self.index.get_or_insert_with(|| {
            list.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect()
        });
        index.get(key).copied()
    }

    fn push(&mut self, entry: Entry<'a>) {
        if let Some(index) = &mut self.index {
            index.insert(entry.key.clone(), self.list.len());
        }
        self.list.push(entry);
    }

    /// Adds a key that stands in the map itself; gives it back if it stands there twice.
    fn explicit(&mut self, entry: Entry<'a>) -> Result<(), Cow<'a, str>> {
        match self.position(&entry.key) {
            // A second explicit key is a duplicate also where a merge came between.
            Some(at) if self.list[at].merged => self.list[at] = entry,
            Some(_) => return Err(entry.key),
            None => self.push(entry),
        }
        Ok(())
    }

    /// Adds a key that a merge brings, or one that may stand twice.
    fn merged(&mut self, entry: Entry<'a>) {
        match self.position(&entry.key) {
            Some(at) => self.list[at] = Entry { merged: self.list[at].merged, ..entry },
            None => self.push(Entry { merged: true, ..entry }),
        }
    }
}

/// A key for a message: in quotes, control characters escaped, cut where it is long.
pub(crate) fn quoted(key: &str) -> String {
    const SHOWN: usize = 64;
    if key.chars().count() <= SHOWN {
        format!("{key:?}")
    } else {
        let start: String = key.chars().take(SHOWN).collect();
        format!("{start:?}...")
    }
}
