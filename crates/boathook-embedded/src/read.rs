//! Reading: one object, or a page of a list as it was at one revision.

use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::cluster::Cluster;
use crate::request::Query;
use crate::resource::ResourceType;
use crate::selectors::Selector;
use crate::status::Refusal;
use crate::store::{Entry, Key};
use crate::write::in_version;

/// A page of a list.
pub(crate) struct Page {
    /// The objects.
    pub(crate) items: Vec<Arc<Entry>>,
    /// The revision of the list.
    pub(crate) revision: u64,
    /// Where it goes on, and how many are left.
    pub(crate) rest: Option<(String, usize)>,
}

impl Cluster {
    /// GET of one object.
    pub(crate) fn get(
        &self,
        kind: &ResourceType,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Value, Refusal> {
        self.current(kind, namespace, name).ok_or_else(|| Refusal::not_found(kind, name))
    }

    /// GET of a collection.
    pub(crate) fn list(
        &self,
        kind: &ResourceType,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Page, Refusal> {
        let selector = Selector::parse(kind, query.text("labelSelector"), query.text("fieldSelector"))?;
        let limit = query.number("limit")?.unwrap_or(0);
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let (revision, after) = match query.text("continue") {
            "" => (self.exact_revision(query)?, None),
            token => {
                let (revision, after) = read_token(token)
                    .ok_or_else(|| Refusal::bad_request("continue key is not valid: illegal base64 data"))?;
                (Some(revision), Some(after))
            }
        };
        let revision = revision.unwrap_or(self.store.revision());
        let mut items = Vec::new();
        let mut last: Option<Key> = None;
        let mut left = 0;
        let mut take = |key: &Key, entry: &Arc<Entry>| {
            if selector.is_empty() || selector.matches(&entry.value) {
                if items.len() < limit {
                    items.push(entry.clone());
                    last = Some(key.clone());
                } else {
                    left += 1;
                }
            }
        };
        if revision == self.store.revision() {
            let entries = self.store.iter(&kind.key, namespace);
            entries
                .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
                .for_each(|(k, e)| take(k, e));
        } else {
            let objects = self.store.at(&kind.key, namespace, revision).ok_or_else(|| {
                Refusal::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
                )
            })?;
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            objects.range((start, Bound::Unbounded)).for_each(|(key, entry)| take(key, entry));
        }
        let rest = (left > 0).then(|| (write_token(revision, last.as_ref()), left));
        Ok(Page { items, revision, rest })
    }

    /// The revision that a list asks for exactly, if it does.
    fn exact_revision(&self, query: &Query) -> Result<Option<u64>, Refusal> {
        let asked = query.number("resourceVersion").map_err(|_| {
            Refusal::bad_request(format!(
                "resourceVersion: Invalid value: \"{}\"",
                query.text("resourceVersion")
            ))
        })?;
        let Some(asked) = asked.filter(|asked| *asked > 0) else { return Ok(None) };
        if asked > self.store.revision() {
            return Err(too_large(asked, self.store.revision()));
        }
        let exact = query.text("resourceVersionMatch") == "Exact";
        if exact && asked < self.store.compacted() {
            let message = format!("too old resource version: {asked} ({})", self.store.compacted());
            return Err(Refusal::expired(message));
        }
        Ok(exact.then_some(asked))
    }
}

/// A resourceVersion of the future.
pub(crate) fn too_large(asked: u64, current: u64) -> Refusal {
    let message = format!("Too large resource version: {asked}, current: {current}");
    let mut refusal = Refusal::new(504, "Timeout", format!("Timeout: {message}"));
    let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
    refusal.details = Some(json!({"causes": [cause], "retryAfterSeconds": 1}));
    refusal
}

/// A list object.
pub(crate) fn list_object(kind: &ResourceType, page: &Page) -> Value {
    let items: Vec<Value> = page
        .items
        .iter()
        .map(|entry| {
            let mut value = entry.value.clone();
            in_version(kind, &mut value);
            // Items of a list of built-in kinds carry no apiVersion and kind on the wire; those of custom kinds do.
            if let (None, Value::Object(map)) = (&kind.crd, &mut value) {
                map.shift_remove("apiVersion");
                map.shift_remove("kind");
            }
            value
        })
        .collect();
    json!({
        "kind": format!("{}List", kind.kind),
        "apiVersion": kind.api_version(),
        "metadata": list_metadata(page),
        "items": items,
    })
}

/// `metadata` of a list.
pub(crate) fn list_metadata(page: &Page) -> Value {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".to_owned(), json!(page.revision.to_string()));
    if let Some((token, left)) = &page.rest {
        metadata.insert("continue".to_owned(), json!(token));
        metadata.insert("remainingItemCount".to_owned(), json!(left));
    }
    Value::Object(metadata)
}

fn write_token(revision: u64, last: Option<&Key>) -> String {
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": last}).to_string())
}

fn read_token(token: &str) -> Option<(u64, Key)> {
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let start = &value["start"];
    Some((value["rv"].as_u64()?, (start[0].as_str()?.to_owned(), start[1].as_str()?.to_owned())))
}
