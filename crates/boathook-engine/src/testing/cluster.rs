//! A cluster in memory whose answers a test can script: errors of single calls, and what a wait sees.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use boathook_core::names::{Collection, Plural, Resource, Target};
use boathook_core::{Gvk, Object};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, ClusterError, ClusterErrorKind, ListOptions, Page, Patch, Preconditions, Propagation, Until,
    Verdict, WriteOptions,
};

/// What happens next to an object that somebody waits for.
pub(crate) enum Change {
    /// Its status becomes this.
    Status(Value),
    /// The status of another object becomes this.
    Other(&'static str, Value),
    /// An annotation is set.
    Annotate(&'static str, &'static str),
    /// It goes.
    Gone,
    /// Another object, of this name, is deleted and made anew by somebody.
    Replace(&'static str),
    /// Time passes.
    Sleep(Duration),
    /// The wait fails.
    Fail(ClusterError),
    /// The token is cancelled.
    Cancel(tokio_util::sync::CancellationToken),
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    calls: Vec<String>,
    faults: Vec<(String, ClusterError)>,
    changes: HashMap<String, VecDeque<Change>>,
    logs: HashMap<String, Vec<String>>,
    lingering: Vec<String>,
    races: Option<(String, Value)>,
    counter: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct FakeCluster {
    state: Mutex<State>,
}

/// The resource of a kind; `Widget` is known to nobody.
pub(crate) fn resource(gvk: &Gvk) -> Option<Resource> {
    let namespaced = !matches!(
        gvk.kind.as_str(),
        "Namespace" | "CustomResourceDefinition" | "ClusterRole" | "StorageClass"
    );
    let plural = Plural::new(&format!("{}s", gvk.kind.to_lowercase())).ok()?;
    (gvk.kind != "Widget").then(|| Resource { gvk: gvk.clone(), plural, namespaced })
}

impl FakeCluster {
    /// With namespace `prod`.
    pub(crate) fn new() -> Self {
        let cluster = Self::default();
        cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}));
        cluster
    }

    /// Puts an object there, without a call; answers its UID.
    pub(crate) fn put(&self, object: Value) -> String {
        let mut state = self.state.lock().unwrap();
        let mut object = Object::from_value(object).unwrap();
        let key = object.reference().to_string();
        state.fresh(&mut object);
        let uid = object.uid().unwrap().to_owned();
        state.objects.insert(key, object);
        uid
    }

    /// The object now, by `Kind ns/name`.
    pub(crate) fn object(&self, key: &str) -> Option<Object> {
        self.state.lock().unwrap().objects.get(key).cloned()
    }

    /// The next call that starts with this text fails.
    pub(crate) fn fail(&self, call: &str, kind: ClusterErrorKind, message: &str) {
        self.state.lock().unwrap().faults.push((call.to_owned(), ClusterError::new(kind, message)));
    }

    /// What waits for the object see, one change after the other; then nothing ever happens.
    pub(crate) fn script(&self, key: &str, changes: impl IntoIterator<Item = Change>) {
        self.state.lock().unwrap().changes.entry(key.to_owned()).or_default().extend(changes);
    }

    /// Somebody puts this object there just before that call.
    pub(crate) fn race(&self, call: &str, object: Value) {
        self.state.lock().unwrap().races = Some((call.to_owned(), object));
    }

    /// Deleting the object only marks it.
    pub(crate) fn linger(&self, key: &str) {
        self.state.lock().unwrap().lingering.push(key.to_owned());
    }

    /// Log lines of a container, by `pod/container`.
    pub(crate) fn log(&self, container: &str, lines: &[&str]) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        self.state.lock().unwrap().logs.insert(container.to_owned(), lines);
    }

    /// Every call.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    /// The calls about hooks and ordinary objects: no records, Pods, logs, or looks at what exists.
    pub(crate) fn effects(&self) -> Vec<String> {
        let aside = |call: &String| {
            ["get ", "list ", "logs ", "wait Pod prod/pod-"].iter().any(|start| call.starts_with(start))
                || call.contains("Secret prod/sh.helm.release")
                || call.contains("Secret prod/boathook.release")
                || call.contains("Lease prod/boathook.")
        };
        self.calls().into_iter().filter(|call| !aside(call)).collect()
    }

    fn call(&self, call: String) -> Result<(), ClusterError> {
        let mut state = self.state.lock().unwrap();
        if let Some((_, object)) = state.races.take_if(|(at, _)| *at == call) {
            drop(state);
            self.put(object);
            state = self.state.lock().unwrap();
        }
        let fault = state.faults.iter().position(|(start, _)| call.starts_with(start));
        state.calls.push(call);
        fault.map_or(Ok(()), |index| Err(state.faults.remove(index).1))
    }
}

impl State {
    fn fresh(&mut self, object: &mut Object) {
        self.counter += 1;
        let (uid, version) = (format!("u{}", self.counter), self.counter.to_string());
        object.metadata_mut().insert("uid".to_owned(), json!(uid));
        object.metadata_mut().insert("resourceVersion".to_owned(), json!(version));
    }

    fn store(&mut self, key: &str, mut object: Object) -> Object {
        match self.objects.get(key).cloned() {
            None => self.fresh(&mut object),
            Some(old) => {
                for field in ["uid", "resourceVersion"] {
                    object.metadata_mut().insert(field.to_owned(), json!(old.str(&["metadata", field])));
                }
                if let Some(status) = old.get(&["status"]) {
                    object.0.entry("status").or_insert(status.clone());
                }
                if object != old {
                    self.counter += 1;
                    let version = json!(self.counter.to_string());
                    object.metadata_mut().insert("resourceVersion".to_owned(), version);
                }
            }
        }
        self.objects.insert(key.to_owned(), object.clone());
        object
    }
}

fn not_found(key: &str) -> ClusterError {
    ClusterError::new(ClusterErrorKind::NotFound, format!("{key} not found"))
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        resource(gvk).ok_or_else(|| ClusterError::new(ClusterErrorKind::NoSuchKind, "no such kind"))
    }

    async fn get(&self, target: &Target) -> Result<Object, ClusterError> {
        let key = target.to_string();
        self.call(format!("get {key}"))?;
        self.object(&key).ok_or_else(|| not_found(&key))
    }

    async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError> {
        let selector = options.label_selector.clone().unwrap_or_default();
        let kind = &collection.resource.gvk.kind;
        self.call(format!("list {kind} {selector}"))?;
        let state = self.state.lock().unwrap();
        let wanted: Vec<(&str, &str)> = selector.split(',').filter_map(|part| part.split_once('=')).collect();
        let items: Vec<Object> = state
            .objects
            .values()
            .filter(|object| {
                object.kind() == kind
                    && collection
                        .namespace
                        .as_ref()
                        .is_none_or(|namespace| object.namespace() == Some(namespace.as_str()))
                    && wanted
                        .iter()
                        .all(|(key, value)| object.str(&["metadata", "labels", key]) == Some(value))
            })
            .cloned()
            .collect();
        // Two objects a page, so that every list of a test pages.
        let from: usize = options.continue_token.as_ref().map_or(0, |token| token.parse().unwrap());
        let to = (from + 2).min(items.len());
        Ok(Page {
            items: items[from..to].to_vec(),
            continue_token: (to < items.len()).then(|| to.to_string()),
        })
    }

    async fn create(
        &self,
        collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let mut object = object.clone();
        if let Some(namespace) = &collection.namespace {
            object.metadata_mut().insert("namespace".to_owned(), json!(namespace.as_str()));
        }
        let key = object.reference().to_string();
        let dry = if options.dry_run { "dry-" } else { "" };
        self.call(format!("{dry}create {key}"))?;
        let mut state = self.state.lock().unwrap();
        if state.objects.contains_key(&key) {
            return Err(ClusterError::new(ClusterErrorKind::AlreadyExists, format!("{key} already exists")));
        }
        if options.dry_run {
            return Ok(object);
        }
        Ok(state.store(&key, object))
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let key = target.to_string();
        let dry = if options.dry_run { "dry-" } else { "" };
        let (word, object) = match patch {
            Patch::Apply { object, force: false } => ("apply", object),
            Patch::Apply { object, force: true } => ("force", object),
            Patch::Replace(object) => ("replace", object),
            // What a patch does to an object is the API's business: the fake only writes down that it came.
            Patch::JsonMerge(body) | Patch::StrategicMerge(body) | Patch::Json(body) => {
                let word = match patch {
                    Patch::JsonMerge(_) => "merge",
                    Patch::StrategicMerge(_) => "strategic",
                    _ => "json",
                };
                let patch = body;
                self.call(format!("{dry}{word} {key} {patch}"))?;
                return self.object(&key).ok_or_else(|| not_found(&key));
            }
        };
        self.call(format!("{dry}{word} {key}"))?;
        let mut state = self.state.lock().unwrap();
        if options.dry_run {
            return Ok(object.clone());
        }
        if let Patch::Replace(object) = patch {
            let Some(old) = state.objects.get(&key) else { return Err(not_found(&key)) };
            if object.resource_version().is_some_and(|version| Some(version) != old.resource_version()) {
                return Err(ClusterError::new(ClusterErrorKind::Conflict, "the object has been modified"));
            }
        }
        Ok(state.store(&key, object.clone()))
    }

    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError> {
        let key = target.to_string();
        let word = match (options.propagation, preconditions.uid.is_some()) {
            (Propagation::Background, true) => "delete",
            (Propagation::Background, false) => "delete-any",
            (Propagation::Foreground, _) => "delete-foreground",
            (Propagation::Orphan, _) => "delete-orphan",
        };
        self.call(format!("{word} {key}"))?;
        let mut state = self.state.lock().unwrap();
        let Some(object) = state.objects.get(&key) else { return Err(not_found(&key)) };
        if preconditions.uid.as_deref().is_some_and(|uid| Some(uid) != object.uid()) {
            return Err(ClusterError::new(ClusterErrorKind::Conflict, "the UID in the precondition differs"));
        }
        if state.lingering.contains(&key) {
            let object = state.objects.get_mut(&key).unwrap();
            object.metadata_mut().insert("deletionTimestamp".to_owned(), json!("2026-01-01T00:00:00Z"));
        } else {
            state.objects.remove(&key);
        }
        Ok(())
    }

    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        let key = target.to_string();
        self.call(format!("wait {key}"))?;
        loop {
            let current = self.object(&key);
            if until(current.as_ref()) == Verdict::Done {
                return Ok(current);
            }
            let change = self.state.lock().unwrap().changes.get_mut(&key).and_then(VecDeque::pop_front);
            match change {
                None => std::future::pending().await,
                Some(Change::Sleep(duration)) => tokio::time::sleep(duration).await,
                Some(Change::Fail(error)) => return Err(error),
                Some(Change::Cancel(token)) => token.cancel(),
                Some(Change::Replace(other)) => {
                    let object = self.object(other).unwrap();
                    self.put(object.into_value());
                }
                Some(Change::Gone) => {
                    self.state.lock().unwrap().objects.remove(&key);
                }
                Some(Change::Status(status)) => {
                    let mut state = self.state.lock().unwrap();
                    state.objects.get_mut(&key).unwrap().0.insert("status".to_owned(), status);
                }
                Some(Change::Other(other, status)) => {
                    let mut state = self.state.lock().unwrap();
                    state.objects.get_mut(other).unwrap().0.insert("status".to_owned(), status);
                }
                Some(Change::Annotate(name, value)) => {
                    let mut state = self.state.lock().unwrap();
                    crate::ownership::set(state.objects.get_mut(&key).unwrap(), "annotations", name, value);
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn logs(
        &self,
        pod: &Target,
        container: &str,
        line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError> {
        let key = format!("{}/{container}", pod.name);
        self.call(format!("logs {key}"))?;
        let lines = self.state.lock().unwrap().logs.get(&key).cloned().unwrap_or_default();
        lines.into_iter().for_each(line);
        Ok(())
    }
}
