//! Reading: one object, or a page of a list as it was at one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine as _};
use serde_json::{Map, Value, json};

use crate::cluster::Cluster;
use crate::options::ListOptions;
use crate::resource::ResourceType;
use crate::status::Refusal;
use crate::store::{Entry, Key};
use crate::write::in_version;

/// A page of a list.
pub(crate) struct Page {
    /// The objects.
    pub(crate) items: Vec<Arc<Entry>>,
    /// The revision of the list.
    pub(crate) revision: u64,
    /// Where it goes on, and how many are left if that is known.
    pub(crate) rest: Option<(String, Option<usize>)>,
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
        options: &ListOptions,
    ) -> Result<Page, Refusal> {
        let (asked, after) = match options.token.as_str() {
            "" => (self.exact_revision(options)?, None),
            token => {
                let (revision, after) = read_token(token)
                    .map_err(|why| Refusal::bad_request(format!("invalid continue token: {why}")))?;
                (Some(revision), Some(after))
            }
        };
        let revision = asked.unwrap_or(self.store.revision());
        let now = revision == self.store.revision();
        let past = if now { None } else { Some(self.past(kind, namespace, revision)?) };
        let entries: Box<dyn Iterator<Item = (&Key, &Arc<Entry>)>> = match &past {
            None => Box::new(self.store.iter(&kind.key, namespace)),
            Some(past) => Box::new(past.iter()),
        };
        let mut entries = entries.skip_while(|(key, _)| after.as_ref().is_some_and(|after| *key <= after));
        let limit = options.limit.unwrap_or(usize::MAX);
        let mut items = Vec::new();
        let mut last = None;
        while items.len() < limit {
            let Some((key, entry)) = entries.next() else { break };
            if options.selector.is_empty() || options.selector.matches(&entry.value) {
                items.push(entry.clone());
            }
            last = Some(key);
        }
        let left = entries.count();
        // How many of what is left match is not known before they are looked at.
        let count = options.selector.is_empty().then_some(left);
        let rest = (left > 0).then(|| (write_token(revision, last), count));
        Ok(Page { items, revision, rest })
    }

    fn past(
        &self,
        kind: &ResourceType,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<BTreeMap<Key, Arc<Entry>>, Refusal> {
        self.store.at(&kind.key, namespace, revision).ok_or_else(|| {
            Refusal::expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
            )
        })
    }

    /// The revision that a list asks for exactly, if it does.
    fn exact_revision(&self, options: &ListOptions) -> Result<Option<u64>, Refusal> {
        let Some(asked) = options.revision.filter(|asked| *asked > 0) else { return Ok(None) };
        if asked > self.store.revision() {
            return Err(too_large(asked, self.store.revision()));
        }
        if options.exact && asked < self.store.compacted() {
            let message = format!("too old resource version: {asked} ({})", self.store.compacted());
            return Err(Refusal::expired(message));
        }
        Ok(options.exact.then_some(asked))
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
        if let Some(left) = left {
            metadata.insert("remainingItemCount".to_owned(), json!(left));
        }
    }
    Value::Object(metadata)
}

fn write_token(revision: u64, last: Option<&Key>) -> String {
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": last}).to_string())
}

fn read_token(token: &str) -> Result<(u64, Key), String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| match error {
        DecodeError::InvalidByte(at, _) => {
            format!("continue key is not valid: illegal base64 data at input byte {at}")
        }
        other => format!("continue key is not valid: {other}"),
    })?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("continue key is not valid: {error}"))?;
    let start = &value["start"];
    let read =
        || Some((value["rv"].as_u64()?, (start[0].as_str()?.to_owned(), start[1].as_str()?.to_owned())));
    read().ok_or_else(|| "continue key is not valid: incorrect encoded start resourceVersion".to_owned())
}
