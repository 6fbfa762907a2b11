//! Objects by resource, namespace and name, one revision counter for all, and the history of changes that watches and
//! paged lists read. It knows nothing of kinds, rules or HTTP.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

/// Changes that are kept for watches and paged lists; older ones answer 410 (etcd compacts every five minutes).
const HISTORY: usize = 16_384;

/// Namespace (empty for cluster-scoped objects) and name.
pub(crate) type Key = (String, String);

/// An object at one revision. Never changed in place: readers share it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The revision that wrote it.
    pub(crate) revision: u64,
    /// The object, with its resourceVersion.
    pub(crate) value: Value,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// It is new.
    Added,
    /// It was there before.
    Modified,
    /// It is gone; the entry is its last state at the revision of the deletion.
    Deleted,
}

/// One step of the history.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// What happened.
    pub(crate) kind: ChangeKind,
    /// `group/plural` of the resource.
    pub(crate) resource: Arc<str>,
    /// Which object.
    pub(crate) key: Key,
    /// The object after the change.
    pub(crate) entry: Arc<Entry>,
    /// The object before it.
    pub(crate) previous: Option<Arc<Entry>>,
}

/// All objects of one resource.
type Collection = BTreeMap<Key, Arc<Entry>>;

/// The objects and their history.
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    /// Revisions up to this one can no longer be watched from.
    compacted: u64,
    collections: HashMap<Arc<str>, Collection>,
    /// Objects by the UIDs that their ownerReferences name.
    dependents: HashMap<String, BTreeSet<(Arc<str>, Key)>>,
    history: VecDeque<Change>,
}

impl Store {
    /// An empty store; revisions start at 1, since 0 means "any" to clients.
    pub(crate) fn new() -> Self {
        Self {
            revision: 1,
            compacted: 1,
            collections: HashMap::new(),
            dependents: HashMap::new(),
            history: VecDeque::new(),
        }
    }

    /// A store with objects of an earlier run; its history starts empty.
    pub(crate) fn restore(revision: u64, objects: impl IntoIterator<Item = (String, Value)>) -> Self {
        let mut store = Self { revision, compacted: revision, ..Self::new() };
        for (resource, value) in objects {
            let key = key_of(&value);
            let written = value["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok());
            let entry = Arc::new(Entry { revision: written.unwrap_or(revision), value });
            let resource = store.intern(&resource);
            store.index(&resource, &key, &entry.value);
            store.collections.entry(resource).or_default().insert(key, entry);
        }
        store
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The oldest revision that a watch may start after.
    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Forgets the history.
    pub(crate) fn compact(&mut self) {
        self.history.clear();
        self.compacted = self.revision;
    }

    /// One object.
    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Arc<Entry>> {
        self.collections.get(resource)?.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The objects of a resource in the order of namespace and name, of one namespace or of all.
    pub(crate) fn iter<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Entry>)> + 'a {
        let start = match namespace {
            Some(namespace) => Bound::Included((namespace.to_owned(), String::new())),
            None => Bound::Unbounded,
        };
        let range = self.collections.get(resource).map(|all| all.range((start, Bound::Unbounded)));
        range
            .into_iter()
            .flatten()
            .take_while(move |((of, _), _)| namespace.is_none_or(|namespace| namespace == of))
    }

    /// The resources (`group/plural`) that have objects, sorted.
    pub(crate) fn resources(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self
            .collections
            .iter()
            .filter(|(_, all)| !all.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }

    /// The objects of a resource as they were at a revision, or `None` if that is too old to know.
    pub(crate) fn at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Option<BTreeMap<Key, Arc<Entry>>> {
        if revision < self.compacted {
            return None;
        }
        let mut objects: BTreeMap<Key, Arc<Entry>> =
            self.iter(resource, namespace).map(|(key, entry)| (key.clone(), entry.clone())).collect();
        let undone = self.history.iter().rev().take_while(|change| change.entry.revision > revision);
        for change in undone.filter(|change| &*change.resource == resource) {
            if namespace.is_some_and(|namespace| namespace != change.key.0) {
                continue;
            }
            match &change.previous {
                Some(previous) => objects.insert(change.key.clone(), previous.clone()),
                None => objects.remove(&change.key),
            };
        }
        Some(objects)
    }

    /// The changes after a revision, or `None` if some of them are forgotten.
    pub(crate) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        if revision < self.compacted {
            return None;
        }
        let first = self.history.partition_point(|change| change.entry.revision <= revision);
        Some(self.history.range(first..))
    }

    /// Writes an object at the next revision and returns it as stored.
    pub(crate) fn put(&mut self, resource: &str, mut value: Value) -> Arc<Entry> {
        self.revision += 1;
        value["metadata"]["resourceVersion"] = Value::String(self.revision.to_string());
        let key = key_of(&value);
        let entry = Arc::new(Entry { revision: self.revision, value });
        let resource = self.intern(resource);
        let previous =
            self.collections.entry(resource.clone()).or_default().insert(key.clone(), entry.clone());
        if let Some(previous) = &previous {
            self.unindex(&resource, &key, &previous.value);
        }
        self.index(&resource, &key, &entry.value);
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.record(Change { kind, resource, key, entry: entry.clone(), previous });
        entry
    }

    /// Removes an object at the next revision; its last state is what `value` says.
    pub(crate) fn remove(&mut self, resource: &str, mut value: Value) -> Arc<Entry> {
        self.revision += 1;
        value["metadata"]["resourceVersion"] = Value::String(self.revision.to_string());
        let key = key_of(&value);
        let entry = Arc::new(Entry { revision: self.revision, value });
        let resource = self.intern(resource);
        let previous = self.collections.get_mut(&resource).and_then(|all| all.remove(&key));
        if let Some(previous) = &previous {
            self.unindex(&resource, &key, &previous.value);
        }
        self.record(Change { kind: ChangeKind::Deleted, resource, key, entry: entry.clone(), previous });
        entry
    }

    /// The objects that name a UID as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<(Arc<str>, Arc<Entry>)> {
        let keys = self.dependents.get(uid).into_iter().flatten();
        keys.filter_map(|(resource, key)| {
            Some((resource.clone(), self.collections.get(resource)?.get(key)?.clone()))
        })
        .collect()
    }

    fn index(&mut self, resource: &Arc<str>, key: &Key, value: &Value) {
        for uid in owners(value) {
            self.dependents.entry(uid.to_owned()).or_default().insert((resource.clone(), key.clone()));
        }
    }

    fn unindex(&mut self, resource: &Arc<str>, key: &Key, value: &Value) {
        for uid in owners(value) {
            if let Some(objects) = self.dependents.get_mut(uid) {
                objects.remove(&(resource.clone(), key.clone()));
                if objects.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
    }

    fn record(&mut self, change: Change) {
        self.history.push_back(change);
        if self.history.len() > HISTORY
            && let Some(forgotten) = self.history.pop_front()
        {
            self.compacted = forgotten.entry.revision;
        }
    }

    fn intern(&self, resource: &str) -> Arc<str> {
        self.collections.get_key_value(resource).map_or_else(|| Arc::from(resource), |(name, _)| name.clone())
    }
}

/// The UIDs that an object names as owners.
fn owners(value: &Value) -> impl Iterator<Item = &str> {
    let references = value["metadata"]["ownerReferences"].as_array();
    references.into_iter().flatten().filter_map(|reference| reference["uid"].as_str())
}

/// The key in an object's metadata.
fn key_of(value: &Value) -> Key {
    let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}
