//! The options of requests: what a query (or the body of a delete) asks for besides the object. Read and checked as the
//! real server does it, whose `CreateOptions`, `PatchOptions`, `ListOptions`, … they are.

use serde_json::{Value, json};

use crate::decode::FieldValidation;
use crate::request::{Call, PatchKind, Query};
use crate::resource::ResourceType;
use crate::selectors::Selector;
use crate::status::{FieldError, Refusal};

/// The longest name of a field manager.
const MAX_MANAGER: usize = 128;

/// How a write is done.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    /// The field manager.
    pub(crate) manager: String,
    /// Nothing is kept.
    pub(crate) dry_run: bool,
    /// What happens with unknown fields.
    pub(crate) validation: FieldValidation,
    /// `status`, or empty for the object itself.
    pub(crate) subresource: &'static str,
    /// Apply takes fields from others.
    pub(crate) force: bool,
}

impl WriteOptions {
    /// Those of a POST or PUT; `options` is the name of their kind.
    ///
    /// # Errors
    /// 422 with all that is wrong.
    pub(crate) fn of(call: &Call, options: &str, subresource: &'static str) -> Result<Self, Refusal> {
        Self::checked(call, options, subresource, Vec::new())
    }

    /// Those of a PATCH.
    ///
    /// # Errors
    /// 422 with all that is wrong.
    pub(crate) fn of_patch(call: &Call, how: PatchKind, subresource: &'static str) -> Result<Self, Refusal> {
        let mut errors = Vec::new();
        if how == PatchKind::Apply {
            if call.query.text("fieldManager").is_empty() {
                errors.push(FieldError::required("fieldManager", "is required for apply patch"));
            }
        } else if call.query.has("force") {
            errors.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
        }
        let options = Self::checked(call, "PatchOptions", subresource, errors)?;
        Ok(Self { force: call.query.flag("force"), ..options })
    }

    fn checked(
        call: &Call,
        options: &str,
        subresource: &'static str,
        mut errors: Vec<FieldError>,
    ) -> Result<Self, Refusal> {
        let manager = call.query.text("fieldManager");
        if manager.len() > MAX_MANAGER {
            errors.push(FieldError::too_long("fieldManager", MAX_MANAGER));
        }
        let dry_run = dry_run(&call.query.all("dryRun"), &mut errors);
        let asked = call.query.text("fieldValidation");
        let validation = FieldValidation::parse(asked);
        if validation.is_none() {
            let supported = ["", "Ignore", "Strict", "Warn"];
            errors.push(FieldError::unsupported("fieldValidation", &json!(asked), &supported));
        }
        match validation {
            Some(validation) if errors.is_empty() => {
                Ok(Self { manager: call.field_manager(), dry_run, validation, subresource, force: false })
            }
            _ => Err(Refusal::invalid_options(options, &errors)),
        }
    }
}

fn dry_run(values: &[&str], errors: &mut Vec<FieldError>) -> bool {
    if values.iter().any(|value| *value != "All") {
        errors.push(FieldError::unsupported("dryRun", &json!(values), &["All"]));
    }
    !values.is_empty()
}

/// What happens to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// How a delete is done.
#[derive(Clone, Debug)]
pub(crate) struct DeleteOptions {
    /// Only this very object.
    pub(crate) uid: Option<String>,
    /// Only at this revision.
    pub(crate) resource_version: Option<String>,
    /// What happens to dependents, if the client says so.
    pub(crate) propagation: Option<Propagation>,
    /// Nothing is kept.
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    /// Those of a body, null if it was empty; then the query's count.
    ///
    /// # Errors
    /// 400 for a body of another kind, 422 with all that is wrong.
    pub(crate) fn of(call: &Call, body: &Value) -> Result<Self, Refusal> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(kind) = body["kind"].as_str().filter(|kind| *kind != "DeleteOptions") {
            let version = body["apiVersion"].as_str().unwrap_or_default();
            return Err(Refusal::bad_request(crate::decode::unregistered(kind, version)));
        }
        let listed: Vec<&str> =
            body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (policy, dry) = if body.is_null() {
            (call.query.text("propagationPolicy"), call.query.all("dryRun"))
        } else {
            (body["propagationPolicy"].as_str().unwrap_or_default(), listed)
        };
        let mut errors = Vec::new();
        let propagation = match policy {
            "Background" => Some(Propagation::Background),
            "Foreground" => Some(Propagation::Foreground),
            "Orphan" => Some(Propagation::Orphan),
            "" => None,
            other => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                errors.push(FieldError::unsupported("propagationPolicy", &json!(other), &supported));
                None
            }
        };
        let dry_run = dry_run(&dry, &mut errors);
        if !errors.is_empty() {
            return Err(Refusal::invalid_options("DeleteOptions", &errors));
        }
        Ok(Self {
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            propagation,
            dry_run,
        })
    }
}

/// What a list or a watch shows.
#[derive(Clone, Debug)]
pub(crate) struct ListOptions {
    /// Which objects.
    pub(crate) selector: Selector,
    /// At most how many.
    pub(crate) limit: Option<usize>,
    /// Where an earlier page ended; empty for the first.
    pub(crate) token: String,
    /// Not older than this revision, or from it on; 0 is any.
    pub(crate) revision: Option<u64>,
    /// Exactly that revision.
    pub(crate) exact: bool,
    /// A watch begins with all that is there.
    pub(crate) initial_events: bool,
    /// A watch tells its place from time to time.
    pub(crate) bookmarks: bool,
    /// A watch ends after this many seconds.
    pub(crate) timeout: Option<u64>,
}

impl ListOptions {
    /// Those of a GET (or a DELETE of a collection); `watch` says whether it is a watch.
    ///
    /// # Errors
    /// 400 and 422 for what cannot be read or does not go together.
    pub(crate) fn of(kind: &ResourceType, query: &Query, watch: bool) -> Result<Self, Refusal> {
        let limit = query.number("limit")?.unwrap_or(0);
        let timeout = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let errors = if watch { watch_errors(query) } else { list_errors(query) };
        if !errors.is_empty() {
            return Err(Refusal::invalid_options("ListOptions", &errors));
        }
        let selector = Selector::parse(kind, query.text("labelSelector"), query.text("fieldSelector"))?;
        let asked = query.text("resourceVersion");
        let revision = match asked {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                let rule = format!("strconv.ParseUint: parsing \"{text}\": invalid syntax");
                let problem = format!("resourceVersion: Invalid value: \"{text}\": {rule}");
                if watch {
                    Refusal::new(500, "", problem)
                } else {
                    Refusal::bad_request(format!("invalid resource version: {problem}"))
                }
            })?),
        };
        Ok(Self {
            selector,
            limit: usize::try_from(limit).ok().filter(|limit| *limit > 0),
            token: query.text("continue").to_owned(),
            revision,
            exact: query.text("resourceVersionMatch") == "Exact",
            initial_events: query.flag("sendInitialEvents"),
            bookmarks: query.flag("allowWatchBookmarks"),
            timeout,
        })
    }
}

const MATCH: &str = "resourceVersionMatch";

fn list_errors(query: &Query) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (asked, wanted) = (query.text(MATCH), query.text("resourceVersion"));
    if !asked.is_empty() {
        if wanted.is_empty() {
            let rule = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            errors.push(FieldError::forbidden(MATCH, rule));
        }
        if !query.text("continue").is_empty() {
            errors.push(FieldError::forbidden(
                MATCH,
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        if !matches!(asked, "Exact" | "NotOlderThan") {
            errors.push(FieldError::unsupported(MATCH, &json!(asked), &["Exact", "NotOlderThan", ""]));
        }
        if asked == "Exact" && wanted == "0" {
            let rule = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden(MATCH, rule));
        }
    }
    if query.has("sendInitialEvents") {
        errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    errors
}

fn watch_errors(query: &Query) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (asked, initial) = (query.text(MATCH), query.has("sendInitialEvents"));
    if initial && asked != "NotOlderThan" {
        let rule = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        errors.push(FieldError::forbidden(MATCH, rule));
    }
    if !asked.is_empty() {
        if !initial {
            let rule = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(FieldError::forbidden(MATCH, rule));
        }
        if asked != "NotOlderThan" {
            errors.push(FieldError::unsupported(MATCH, &json!(asked), &["NotOlderThan"]));
        }
    }
    errors
}
