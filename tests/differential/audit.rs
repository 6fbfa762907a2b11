//! What changed the cluster, by the audit log of its API server. Whoever runs a scenario has a name of its own, so requests of runs at
//! the same time are told apart.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// How long a request may take after whoever sent it has its answer, or has ended.
const PATIENCE: Duration = Duration::from_secs(20);

const NOT_FOUND: &str = " -> 404";

/// A request that was to change something.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// create, update, apply, patch, delete, deletecollection.
    pub(crate) verb: &'static str,
    /// Its object.
    pub(crate) object: ObjectRef,
    /// What stands behind it in a story: what is unusual about the request, and an answer that is an error.
    pub(crate) remarks: String,
}

/// What the log says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectRef {
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) api_group: String,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
}

impl Request {
    /// A tool that deletes without looking, and one that looks first, do the same.
    pub(crate) fn changed_something(&self) -> bool {
        self.verb != "delete" || !self.remarks.ends_with(NOT_FOUND)
    }
}

impl ObjectRef {
    /// `jobs/h`, or with its subresource.
    pub(crate) fn slug(&self) -> String {
        let name = if self.name.is_empty() { "(generated)" } else { &self.name };
        let sub = if self.subresource.is_empty() { "" } else { "/" };
        format!("{}/{name}{sub}{}", self.resource, self.subresource)
    }

    /// Where it is in the API.
    pub(crate) fn path(&self) -> String {
        let group = match self.api_group.as_str() {
            "" => format!("/api/{}", self.api_version),
            group => format!("/apis/{group}/{}", self.api_version),
        };
        let namespace = match self.namespace.as_str() {
            "" => String::new(),
            // A namespace is in itself, says the log.
            _ if self.resource == "namespaces" => String::new(),
            namespace => format!("/namespaces/{namespace}"),
        };
        format!("{group}{namespace}/{}/{}", self.resource, self.name)
    }
}

/// The log of a cluster.
pub(crate) struct Audit(Mutex<Log>);

struct Log {
    file: File,
    /// The beginning of a line.
    rest: Vec<u8>,
    by_user: HashMap<String, HashMap<String, Event>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "auditID")]
    id: String,
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    impersonated_user: Option<User>,
    object_ref: Option<ObjectRef>,
    response_status: Option<Status>,
    request_received_timestamp: String,
    #[serde(default)]
    request_object: Value,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl Audit {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        Ok(Self(Mutex::new(Log { file, rest: Vec::new(), by_user: HashMap::new() })))
    }

    /// The requests of a user since the last call, in the order in which they came, when all are answered.
    pub(crate) fn take(&self, user: &str) -> Result<Vec<Request>> {
        let started = Instant::now();
        loop {
            let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            log.read()?;
            if log.by_user.get(user).is_none_or(|events| events.values().all(Event::is_answered)) {
                let mut events: Vec<Event> =
                    log.by_user.remove(user).unwrap_or_default().into_values().collect();
                events.sort_by(|a, b| a.request_received_timestamp.cmp(&b.request_received_timestamp));
                return Ok(events.into_iter().filter_map(Event::request).collect());
            }
            drop(log);
            ensure!(started.elapsed() < PATIENCE, "a request of {user} gets no answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether a user has created or patched an object since the last `take`.
    pub(crate) fn has_written(&self, user: &str, slug: &str) -> Result<bool> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.read()?;
        Ok(log.by_user.get(user).is_some_and(|events| {
            events.values().any(|event| {
                event.is_answered()
                    && event.verb != "delete"
                    && event.object_ref.as_ref().is_some_and(|object| object.slug() == slug)
            })
        }))
    }
}

impl Log {
    fn read(&mut self) -> Result<()> {
        self.file.read_to_end(&mut self.rest)?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let lines: Vec<u8> = self.rest.drain(..=end).collect();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event: Event = serde_json::from_slice(line).context("a line of the audit log")?;
            let Some(user) = event.impersonated_user.as_ref().map(|user| user.username.clone()) else {
                continue;
            };
            let events = self.by_user.entry(user).or_default();
            // A request is logged when it comes and when it is answered, in this order.
            events.insert(event.id.clone(), event);
        }
        Ok(())
    }
}

impl Event {
    fn is_answered(&self) -> bool {
        self.stage != "RequestReceived"
    }

    fn request(self) -> Option<Request> {
        let object = self.object_ref?;
        // Questions, which store nothing.
        if object.api_group == "authorization.k8s.io" {
            return None;
        }
        let verb = match self.verb.as_str() {
            "create" => "create",
            "update" => "update",
            // Only an apply carries a whole object.
            "patch"
                if self.request_object["apiVersion"].is_string()
                    && self.request_object["kind"].is_string() =>
            {
                "apply"
            }
            "patch" => "patch",
            "delete" => "delete",
            _ => "deletecollection",
        };
        let mut remarks = String::new();
        if self.uri.contains("dryRun=All") {
            remarks += " (dry run)";
        }
        if self.uri.contains("force=true") {
            remarks += " (forced)";
        }
        if verb == "delete" && object.resource != "secrets" {
            match self.request_object["propagationPolicy"].as_str() {
                Some("Background") => {}
                other => remarks += &format!(" ({})", other.unwrap_or("by default")),
            }
        }
        match self.response_status {
            Some(Status { code }) if code >= 400 => remarks += &format!(" -> {code}"),
            _ => {}
        }
        Some(Request { verb, object, remarks })
    }
}
