//! Waiting for one object: its state by a list, its changes by a watch from there on. Watches break, end and grow too
//! old by design, so only refusals are reported; everything else is gone on with.

use std::borrow::Cow;
use std::time::Duration;

use boathook_core::Object;
use boathook_core::names::{Collection, Target};
use boathook_engine::cluster::{ClusterError, ClusterErrorKind, ListOptions, Until, Verdict};
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::body::Lines;
use crate::cluster::{OBJECT_LIMIT, list, request, typed};
use crate::error::{self, Status};
use crate::request::{Place, Request};
use crate::retry;
use crate::transport::Transport;

/// How long the server is asked to keep one watch open.
const WATCH_SECONDS: &str = "290";
/// A watch that says nothing for this long is opened again: the server sends a bookmark about once a minute, so the
/// connection is likely dead.
const IDLE: Duration = Duration::from_secs(150);
/// A watch that lasted this long was a good one: the next trouble starts again with a short wait.
const GOOD: Duration = Duration::from_secs(30);
/// How often the object is read where it may be read, but not listed or watched.
const POLL: Duration = Duration::from_secs(2);

/// One line of a watch.
#[derive(Deserialize)]
struct Event {
    r#type: String,
    object: Value,
}

/// Why a watch is over.
enum Ended {
    /// The wait is over.
    Done(Option<Object>),
    /// Go on from the last version.
    Resume,
    /// The version is too old: list again.
    Relist,
}

/// See [`boathook_engine::cluster::Cluster::wait`].
pub(crate) async fn wait(
    transport: &Transport,
    target: &Target,
    until: &mut Until<'_>,
) -> Result<Option<Object>, ClusterError> {
    let mut pauses = Pauses { transport, failures: 0 };
    let mut first = true;
    loop {
        let (object, version) = match current(transport, target).await {
            Ok(current) => current,
            Err(error) if error.kind == ClusterErrorKind::Forbidden => {
                return poll(transport, target, until).await;
            }
            // A server that was there a moment ago comes back; how long to hope for it is the caller's decision.
            Err(error) if !first && transient(&error) => {
                pauses.pause(&error).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        first = false;
        if until(object.as_ref()) == Verdict::Done {
            return Ok(object);
        }
        let mut watch = Watch { transport, target, version };
        loop {
            let opened = Instant::now();
            let ended = watch.follow(until).await;
            if opened.elapsed() > GOOD {
                pauses.failures = 0;
            }
            match ended {
                Ok(Ended::Done(object)) => return Ok(object),
                Ok(Ended::Resume) if opened.elapsed() > GOOD => {}
                Ok(Ended::Resume) => pauses.pause(&"the watch ended").await,
                Ok(Ended::Relist) => {
                    pauses.pause(&"the watch is too old").await;
                    break;
                }
                Err(error) if error.kind == ClusterErrorKind::Forbidden => {
                    return poll(transport, target, until).await;
                }
                Err(error) if transient(&error) => pauses.pause(&error).await,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Growing waits between watches that end early.
struct Pauses<'a> {
    transport: &'a Transport,
    failures: u32,
}

impl Pauses<'_> {
    async fn pause(&mut self, why: &(impl std::fmt::Display + ?Sized)) {
        self.failures = self.failures.saturating_add(1);
        let wait = retry::backoff(self.failures, self.transport.jitter());
        tracing::debug!(failures = self.failures, ?wait, %why, "going on with a watch");
        sleep(wait).await;
    }
}

fn transient(error: &ClusterError) -> bool {
    matches!(
        error.kind,
        ClusterErrorKind::Unreachable | ClusterErrorKind::Timeout | ClusterErrorKind::Unavailable
    )
}

/// The object and the version of the list that it was in.
async fn current(transport: &Transport, target: &Target) -> Result<(Option<Object>, String), ClusterError> {
    let options = ListOptions { field_selector: Some(selector(target)), ..ListOptions::default() };
    let listed = list(transport, &collection(target), &options).await?;
    let object = listed.items.into_iter().find(|object| object.name() == target.name.as_str());
    Ok((object, listed.metadata.resource_version))
}

/// For who may only `get` the object, as a narrow Role has it.
async fn poll(
    transport: &Transport,
    target: &Target,
    until: &mut Until<'_>,
) -> Result<Option<Object>, ClusterError> {
    let request = request(Method::GET, Place::Object(target), &Vec::new())?;
    let mut first = true;
    loop {
        let object = match transport.whole(&request, retry::Class::Read, OBJECT_LIMIT).await {
            Ok(text) => {
                let object = serde_json::from_slice(&text).map_err(|error| error::unreadable(&error))?;
                Some(typed(object, &target.resource))
            }
            Err(error) if error.is_not_found() => None,
            Err(error) if !first && transient(&error) => {
                sleep(POLL).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        first = false;
        if until(object.as_ref()) == Verdict::Done {
            return Ok(object);
        }
        sleep(POLL).await;
    }
}

fn collection(target: &Target) -> Collection {
    Collection { resource: target.resource.clone(), namespace: target.namespace.clone() }
}

/// Every kind can be selected by its name.
fn selector(target: &Target) -> String {
    // A selector has an escape of its own for the signs that it is made of.
    let mut name = String::new();
    for character in target.name.as_str().chars() {
        if matches!(character, '\\' | ',' | '=') {
            name.push('\\');
        }
        name.push(character);
    }
    format!("metadata.name={name}")
}

struct Watch<'a> {
    transport: &'a Transport,
    target: &'a Target,
    /// Everything up to here was seen.
    version: String,
}

impl Watch<'_> {
    /// Watches until the wait is over or the watch is.
    async fn follow(&mut self, until: &mut Until<'_>) -> Result<Ended, ClusterError> {
        let body = match self.transport.stream(&self.request()?).await {
            Err(error) if error.kind == ClusterErrorKind::Expired => return Ok(Ended::Relist),
            body => body?,
        };
        let mut lines = Lines::new(body, OBJECT_LIMIT);
        loop {
            let line = match timeout(IDLE, lines.next()).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) | Err(_) => return Ok(Ended::Resume),
                Ok(Err(error)) => return Err(error::unreachable(&error, self.transport.server())),
            };
            if line.cut {
                let message =
                    format!("an event of {} is larger than {} MiB", self.target, OBJECT_LIMIT >> 20);
                return Err(ClusterError::new(ClusterErrorKind::TooLarge, message));
            }
            let event: Event =
                serde_json::from_slice(&line.bytes).map_err(|error| error::unreadable(&error))?;
            if let Some(ended) = self.take(event, until)? {
                return Ok(ended);
            }
        }
    }

    fn take(&mut self, event: Event, until: &mut Until<'_>) -> Result<Option<Ended>, ClusterError> {
        if event.r#type == "ERROR" {
            let status: Status =
                serde_json::from_value(event.object).map_err(|error| error::unreadable(&error))?;
            let error = error::from_status(&status, None);
            return if error.kind == ClusterErrorKind::Expired {
                Ok(Some(Ended::Relist))
            } else {
                Err(error)
            };
        }
        let Some(object) = Object::from_value(event.object) else {
            let message = format!("an event of {} has no object", self.target);
            return Err(ClusterError::new(ClusterErrorKind::Other, message));
        };
        if let Some(version) = object.resource_version() {
            version.clone_into(&mut self.version);
        }
        let object = match event.r#type.as_str() {
            "ADDED" | "MODIFIED" => Some(typed(object, &self.target.resource)),
            "DELETED" => None,
            // A bookmark says only how far we are; types of the future cannot be understood.
            _ => return Ok(None),
        };
        Ok((until(object.as_ref()) == Verdict::Done).then_some(Ended::Done(object)))
    }

    fn request(&self) -> Result<Request, ClusterError> {
        let query = vec![
            ("watch", Cow::Borrowed("true")),
            ("fieldSelector", Cow::Owned(selector(self.target))),
            ("resourceVersion", Cow::Borrowed(self.version.as_str())),
            ("allowWatchBookmarks", Cow::Borrowed("true")),
            ("timeoutSeconds", Cow::Borrowed(WATCH_SECONDS)),
        ];
        request(Method::GET, Place::Collection(&collection(self.target)), &query)
    }
}
