//! Sets of fields, as `managedFields` records them (`fieldsV1`): which fields an object has, which a write changed,
//! and the algebra that ownership needs. Follows structured-merge-diff's `fieldpath` and `typed`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::schema::{ListKind, Type, key_default};

/// A tree of path elements (`f:name`, `k:{…}`, `v:…`); a node says whether its own path is in the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    member: bool,
    children: BTreeMap<String, FieldSet>,
}

/// How the items of a list are addressed.
pub enum Items<'a> {
    /// The list is one value.
    Whole,
    /// Each item by its element.
    Each(Vec<(String, &'a Value)>),
}

/// The elements of a list's items; a list whose keys are missing or double is one value.
pub fn items<'a>(list: &'a [Value], kind: &ListKind) -> Items<'a> {
    let element = |item: &Value| match kind {
        ListKind::Atomic => None,
        ListKind::Set => Some(format!("v:{item}")),
        ListKind::Keyed(keys) => {
            let mut named: Vec<&String> = keys.iter().collect();
            named.sort();
            let mut map = Map::new();
            for key in named {
                map.insert(key.clone(), item.get(key).cloned().or_else(|| key_default(key))?);
            }
            Some(format!("k:{}", Value::Object(map)))
        }
    };
    let mut seen = std::collections::HashSet::new();
    let each: Option<Vec<_>> = list
        .iter()
        .map(|item| {
            let element = element(item)?;
            seen.insert(element.clone()).then_some((element, item))
        })
        .collect();
    each.map_or(Items::Whole, Items::Each)
}

impl FieldSet {
    /// All fields of a value.
    pub fn of(value: &Value, kind: &Type) -> Self {
        let mut set = Self::default();
        set.add_all(value, kind);
        set.prune_empty();
        set
    }

    fn add_all(&mut self, value: &Value, kind: &Type) {
        if kind.is_leaf(value) {
            self.member = true;
            return;
        }
        match value {
            Value::Object(map) => {
                self.member |= map.is_empty();
                for (key, value) in map {
                    let Some((field, declared)) = kind.field(key) else { continue };
                    let child = self.children.entry(format!("f:{key}")).or_default();
                    child.member |= !declared;
                    child.add_all(value, field);
                }
            }
            Value::Array(list) => {
                let (element, merge) = kind.list();
                match items(list, merge) {
                    Items::Each(items) if !items.is_empty() => {
                        for (path, item) in items {
                            let child = self.children.entry(path).or_default();
                            child.member = true;
                            if *merge != ListKind::Set {
                                child.add_all(item, element);
                            }
                        }
                    }
                    // Nobody owns a list without items.
                    Items::Each(_) => {}
                    Items::Whole => self.member = true,
                }
            }
            _ => self.member = true,
        }
    }

    /// The fields that are new or have another value than before.
    pub fn changed(old: Option<&Value>, new: &Value, kind: &Type) -> Self {
        let mut set = Self::default();
        set.add_changed(old, new, kind);
        set.prune_empty();
        set
    }

    fn add_changed(&mut self, old: Option<&Value>, new: &Value, kind: &Type) {
        if old == Some(new) {
            return;
        }
        if kind.is_leaf(new) {
            self.member = true;
            return;
        }
        match new {
            Value::Object(map) => {
                let before = old.and_then(Value::as_object);
                // A map that is new belongs to who made it; one that a type holds by value was there before.
                self.member |= before.is_none();
                for (key, value) in map {
                    let Some((field, _)) = kind.field(key) else { continue };
                    let child = self.children.entry(format!("f:{key}")).or_default();
                    child.add_changed(before.and_then(|before| before.get(key)), value, field);
                }
            }
            Value::Array(list) => {
                let (element, merge) = kind.list();
                let before = old.and_then(Value::as_array).map(|list| items(list, merge));
                let (Items::Each(now), None | Some(Items::Each(_))) = (items(list, merge), &before) else {
                    self.member = true;
                    return;
                };
                // A list that is null was there before, too: its type writes it in any case.
                self.member |= old.is_none();
                for (path, item) in now {
                    let earlier = match &before {
                        Some(Items::Each(items)) => {
                            items.iter().find(|(of, _)| *of == path).map(|(_, item)| *item)
                        }
                        Some(Items::Whole) | None => None,
                    };
                    let child = self.children.entry(path).or_default();
                    child.member |= earlier.is_none();
                    if *merge != ListKind::Set {
                        child.add_changed(earlier, item, element);
                    }
                }
            }
            _ => self.member = true,
        }
    }

    /// Whether it names parts of what the type has as one value: it was written under an earlier schema.
    pub fn splits_atomic(&self, kind: &Type) -> bool {
        self.children.iter().any(|(element, child)| {
            let part = match element.strip_prefix("f:") {
                Some(name) => kind.field(name).map(|(field, _)| field),
                None => Some(kind.list().0),
            };
            part.is_some_and(|part| match part.resolve() {
                Type::Atomic(_) | Type::List(_, ListKind::Atomic) => !child.children.is_empty(),
                _ => child.splits_atomic(part),
            })
        })
    }

    /// Whether no field is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    fn prune_empty(&mut self) {
        self.children.retain(|_, child| {
            child.prune_empty();
            !child.is_empty()
        });
    }

    /// Leaves out a path of plain fields and all below it.
    pub fn remove_path(&mut self, path: &[&str]) {
        if let Some((first, rest)) = path.split_first() {
            let element = format!("f:{first}");
            if rest.is_empty() {
                self.children.remove(&element);
            } else if let Some(child) = self.children.get_mut(&element) {
                child.remove_path(rest);
                if child.is_empty() {
                    self.children.remove(&element);
                }
            }
        }
    }

    /// Keeps only what lies below one plain field.
    pub fn keep_only(&mut self, field: &str) {
        let element = format!("f:{field}");
        self.member = false;
        self.children.retain(|name, _| *name == element);
    }

    /// Adds the fields of another set.
    pub fn union(&mut self, other: &Self) {
        self.member |= other.member;
        for (element, child) in &other.children {
            self.children.entry(element.clone()).or_default().union(child);
        }
    }

    /// Takes away the fields of another set.
    pub fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        for (element, gone) in &other.children {
            if let Some(child) = self.children.get_mut(element) {
                child.subtract(gone);
            }
        }
        self.prune_empty();
    }

    /// The fields in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self { member: self.member && other.member, children: BTreeMap::new() };
        for (element, child) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                let common = child.intersection(theirs);
                if !common.is_empty() {
                    both.children.insert(element.clone(), common);
                }
            }
        }
        both
    }

    /// Drops fields that a value no longer has.
    pub fn retain_existing(&mut self, value: &Value, kind: &Type) {
        match value {
            Value::Object(map) if !kind.is_leaf(value) => self.children.retain(|element, child| {
                let Some(name) = element.strip_prefix("f:") else { return false };
                let (Some(value), Some((field, _))) = (map.get(name), kind.field(name)) else { return false };
                child.retain_existing(value, field);
                !child.is_empty()
            }),
            Value::Array(list) if !kind.is_leaf(value) => {
                let (element_kind, merge) = kind.list();
                let Items::Each(items) = items(list, merge) else {
                    self.children.clear();
                    return;
                };
                self.children.retain(|element, child| {
                    let Some((_, item)) = items.iter().find(|(path, _)| path == element) else {
                        return false;
                    };
                    child.retain_existing(item, element_kind);
                    !child.is_empty()
                });
            }
            _ => self.children.clear(),
        }
    }

    /// Removes the fields of this set from a value, but for those that `others` own. Answers whether the value itself
    /// is to go.
    pub fn remove_from(&self, value: &mut Value, kind: &Type, others: &Self) -> bool {
        let leaf = kind.is_leaf(value);
        match value {
            Value::Object(map) if !leaf => {
                let nothing = Self::default();
                let had = !map.is_empty();
                for (element, child) in &self.children {
                    let Some(name) = element.strip_prefix("f:") else { continue };
                    let (Some(value), Some((field, _))) = (map.get_mut(name), kind.field(name)) else {
                        continue;
                    };
                    if child.remove_from(value, field, others.children.get(element).unwrap_or(&nothing)) {
                        map.shift_remove(name);
                    }
                }
                let emptied = had && map.is_empty();
                others.is_empty() && (emptied || self.member && !self.has_survivor(map.is_empty()))
            }
            Value::Array(list) if !leaf => {
                let (element_kind, merge) = kind.list();
                let Items::Each(items) = items(list, merge) else { return self.member && !others.member };
                let elements: Vec<String> = items.into_iter().map(|(element, _)| element).collect();
                let had = !list.is_empty();
                let nothing = Self::default();
                let mut kept = Vec::with_capacity(list.len());
                for (element, mut item) in elements.iter().zip(std::mem::take(list)) {
                    let theirs = others.children.get(element).unwrap_or(&nothing);
                    let gone = self.children.get(element).is_some_and(|child| {
                        child.remove_from(&mut item, element_kind, theirs)
                            || (child.member && theirs.is_empty())
                    });
                    if !gone {
                        kept.push(item);
                    }
                }
                *list = kept;
                had && list.is_empty() && others.is_empty()
            }
            _ => self.member && others.is_empty(),
        }
    }

    /// A map that is itself in the set goes although it still holds fields, unless it was only listed as a container.
    fn has_survivor(&self, empty: bool) -> bool {
        !empty && !self.children.is_empty()
    }

    /// The paths of the set as conflicts tell them: `.data.a`, `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        if self.member {
            paths.push(prefix.to_owned());
        }
        for (element, child) in &self.children {
            child.collect_paths(&format!("{prefix}{}", step(element)), paths);
        }
    }

    /// `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, child) in &self.children {
            map.insert(element.clone(), child.to_value());
        }
        Value::Object(map)
    }

    /// Reads `fieldsV1`.
    pub fn from_value(value: &Value) -> Self {
        let mut root = Self::read(value);
        root.member = value.get(".").is_some();
        root
    }

    fn read(value: &Value) -> Self {
        let map = value.as_object();
        let children: BTreeMap<String, FieldSet> = map
            .into_iter()
            .flatten()
            .filter(|(element, _)| *element != ".")
            .map(|(element, child)| (element.clone(), Self::read(child)))
            .collect();
        Self { member: children.is_empty() || value.get(".").is_some(), children }
    }
}

/// An element of a path, as conflicts tell it: `.data`, `[name="a"]`.
pub fn step(element: &str) -> String {
    match element.split_at_checked(2) {
        Some(("f:", name)) => format!(".{name}"),
        Some(("k:", keys)) => match serde_json::from_str::<Map<String, Value>>(keys) {
            Ok(map) => {
                let keys: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Err(_) => format!("[{keys}]"),
        },
        Some((_, value)) => format!("[={value}]"),
        None => element.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POD: Type = Type::Named("core.v1.Pod");

    #[test]
    fn fields_of_an_applied_object() {
        let pod = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i", "args": ["x"]}]}});
        let fields = FieldSet::of(&pod, &POD).to_value();
        assert_eq!(
            fields,
            json!({"f:metadata": {"f:labels": {"f:a": {}}},
                   "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:args": {}, "f:image": {}, "f:name": {}}}}})
        );
        assert_eq!(FieldSet::from_value(&fields), FieldSet::of(&pod, &POD));
    }

    #[test]
    fn changed_fields_are_leaves() {
        let old = json!({"spec": {"nodeName": "a", "containers": [{"name": "c", "image": "1"}]}});
        let new = json!({"spec": {"nodeName": "a", "containers": [{"name": "c", "image": "2"}]}});
        let changed = FieldSet::changed(Some(&old), &new, &POD);
        assert_eq!(changed.paths(), [".spec.containers[name=\"c\"].image"]);
    }

    #[test]
    fn removal_spares_what_others_own() {
        let kind = Type::Named("core.v1.ConfigMap");
        let mut object = json!({"data": {"a": "1", "b": "2"}});
        let mine = FieldSet::of(&object, &kind);
        let theirs = FieldSet::of(&json!({"data": {"b": "2"}}), &kind);
        mine.remove_from(&mut object, &kind, &theirs);
        assert_eq!(object, json!({"data": {"b": "2"}}));
        mine.remove_from(&mut object, &kind, &FieldSet::default());
        assert_eq!(object, json!({}));
    }
}
