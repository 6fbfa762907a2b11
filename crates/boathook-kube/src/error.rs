//! What an answer of the API, or the lack of one, means as a [`ClusterError`]. The server's words are kept as they are, but
//! for values that it shows of an object, which may be a Secret; who prints them escapes them.

use std::error::Error as StdError;
use std::time::Duration;

use boathook_engine::cluster::{ClusterError, ClusterErrorKind as Kind};
use http::StatusCode;
use serde::Deserialize;

use crate::request::RequestError;

/// How much of an answer that is no Status is shown.
const SHOWN: usize = 300;

/// The parts of a `metav1.Status` that are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) code: u16,
    reason: String,
    message: String,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: u64,
}

/// The error in an answer that is no success.
pub(crate) fn from_answer(code: StatusCode, body: &[u8], retry_after: Option<Duration>) -> ClusterError {
    let status = serde_json::from_slice::<Status>(body).ok().filter(|status| !status.message.is_empty());
    match status {
        Some(status) => from_status(&Status { code: code.as_u16(), ..status }, retry_after),
        None => {
            // A proxy's page, or the API server's plain text.
            let text: String = String::from_utf8_lossy(body).trim().chars().take(SHOWN).collect();
            let message = if text.is_empty() {
                format!("the server answered {code}")
            } else {
                format!("the server answered {code}: {text}")
            };
            ClusterError { kind: kind(code.as_u16(), "", ""), message, retry_after }
        }
    }
}

/// The error in a Status, which is also what a watch reports.
pub(crate) fn from_status(status: &Status, retry_after: Option<Duration>) -> ClusterError {
    let seconds = Some(status.details.retry_after_seconds).filter(|seconds| *seconds > 0);
    ClusterError {
        kind: kind(status.code, &status.reason, &status.message),
        message: without_values(&status.message),
        retry_after: retry_after.or(seconds.map(Duration::from_secs)),
    }
}

/// Server-side apply shows a value of another type than its field's whole, as Go writes it: on one line, at its end.
fn without_values(message: &str) -> String {
    let line = |line: &str| match line.split_once("got &value.valueUnstructured{") {
        Some((before, _)) => format!("{before}got something else"),
        None => line.to_owned(),
    };
    message.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn kind(code: u16, reason: &str, message: &str) -> Kind {
    match code {
        404 => Kind::NotFound,
        409 if reason == "AlreadyExists" => Kind::AlreadyExists,
        409 => Kind::Conflict,
        400 | 422 => Kind::Invalid,
        413 => Kind::TooLarge,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        410 => Kind::Expired,
        408 | 504 => Kind::Timeout,
        // etcd's own limit arrives as an internal error.
        500 if message.contains("request is too large") => Kind::TooLarge,
        // Server-side apply says so of a field that the schema does not know: the object is at fault, not the server.
        500 if message.starts_with("failed to create typed patch object") => Kind::Invalid,
        429 | 500 | 502 | 503 => Kind::Unavailable,
        _ => Kind::Other,
    }
}

/// The error of a request that must not be sent.
pub(crate) fn from_request(error: &RequestError) -> ClusterError {
    ClusterError::new(Kind::Other, format!("internal error: {error}"))
}

/// An answer that is not what the API promises.
pub(crate) fn unreadable(error: &serde_json::Error) -> ClusterError {
    ClusterError::new(Kind::Other, format!("cannot read the server's answer: {error}"))
}

/// Why there was no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) error: ClusterError,
    /// No byte of the request left us.
    pub(crate) unsent: bool,
}

/// What kube reports when a request failed on its way. `server` names the cluster in messages.
pub(crate) fn no_answer(error: &kube::Error, server: &str) -> NoAnswer {
    let found = |error: &(dyn StdError + 'static)| {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return Some(NoAnswer { error: unreachable(error, server), unsent: error.is_connect() });
        }
        // Credentials that cannot be had, such as an exec plugin that fails: nothing was sent.
        let auth = error.downcast_ref::<kube::client::AuthError>()?;
        let error = ClusterError::new(Kind::Unauthorized, format!("cannot get credentials: {auth}"));
        Some(NoAnswer { error, unsent: false })
    };
    let outer: &(dyn StdError + 'static) = match error {
        kube::Error::Service(inner) => inner.as_ref(),
        other => other,
    };
    chain(outer)
        .find_map(found)
        .unwrap_or_else(|| NoAnswer { error: unreachable(outer, server), unsent: false })
}

/// A connection that was not made, or that broke.
pub(crate) fn unreachable(error: &(dyn StdError + 'static), server: &str) -> ClusterError {
    // The innermost error says what happened; the ones around it say that something did.
    let cause = chain(error).last().unwrap_or(error);
    ClusterError::new(Kind::Unreachable, format!("cannot reach {server}: {cause}"))
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    #[test_case(404, "NotFound" => Kind::NotFound)]
    #[test_case(409, "AlreadyExists" => Kind::AlreadyExists)]
    #[test_case(409, "Conflict" => Kind::Conflict)]
    #[test_case(400, "BadRequest" => Kind::Invalid)]
    #[test_case(422, "Invalid" => Kind::Invalid)]
    #[test_case(413, "RequestEntityTooLarge" => Kind::TooLarge)]
    #[test_case(401, "Unauthorized" => Kind::Unauthorized)]
    #[test_case(403, "Forbidden" => Kind::Forbidden)]
    #[test_case(410, "Expired" => Kind::Expired)]
    #[test_case(408, "" => Kind::Timeout)]
    #[test_case(504, "Timeout" => Kind::Timeout)]
    #[test_case(429, "TooManyRequests" => Kind::Unavailable)]
    #[test_case(500, "InternalError" => Kind::Unavailable)]
    #[test_case(502, "" => Kind::Unavailable)]
    #[test_case(503, "ServiceUnavailable" => Kind::Unavailable)]
    #[test_case(405, "MethodNotAllowed" => Kind::Other)]
    #[test_case(418, "" => Kind::Other)]
    fn statuses(code: u16, reason: &str) -> Kind {
        let body = json!({"kind": "Status", "code": code, "reason": reason, "message": "the server's words"});
        let error = from_answer(StatusCode::from_u16(code).unwrap(), body.to_string().as_bytes(), None);
        assert_eq!(error.message, "the server's words");
        error.kind
    }

    #[test]
    fn values_of_an_object_are_left_out() {
        let message = "failed to create typed patch object (d/s; /v1, Kind=Secret): errors:\n  \
             .stringData.a: expected string, got &value.valueUnstructured{Value:[]interface {}{\"hunter2\"}}\n  \
             .foo: field not declared in schema";
        let shown = "failed to create typed patch object (d/s; /v1, Kind=Secret): errors:\n  \
             .stringData.a: expected string, got something else\n  .foo: field not declared in schema";
        assert_eq!(without_values(message), shown);
    }

    #[test]
    fn a_field_that_the_schema_does_not_know_is_the_objects_fault() {
        let message = "failed to create typed patch object (a/b; /v1, Kind=ConfigMap): .foo: field not declared in schema";
        let body = json!({"code": 500, "message": message}).to_string();
        assert_eq!(from_answer(StatusCode::INTERNAL_SERVER_ERROR, body.as_bytes(), None).kind, Kind::Invalid);
    }

    #[test]
    fn the_limit_of_etcd_is_a_limit() {
        let body = json!({"code": 500, "message": "etcdserver: request is too large"}).to_string();
        assert_eq!(
            from_answer(StatusCode::INTERNAL_SERVER_ERROR, body.as_bytes(), None).kind,
            Kind::TooLarge
        );
    }

    #[test]
    fn an_answer_that_is_no_status_is_shown_in_part() {
        let page = "x".repeat(5000);
        let error = from_answer(StatusCode::BAD_GATEWAY, page.as_bytes(), None);
        assert_eq!(error.message, format!("the server answered 502 Bad Gateway: {}", "x".repeat(SHOWN)));
        assert_eq!(
            from_answer(StatusCode::NOT_FOUND, b"", None).message,
            "the server answered 404 Not Found"
        );
    }

    #[test]
    fn a_wish_to_wait_comes_from_header_or_details() {
        let body = json!({"message": "m", "details": {"retryAfterSeconds": 7}}).to_string();
        let wait = |header| from_answer(StatusCode::TOO_MANY_REQUESTS, body.as_bytes(), header).retry_after;
        assert_eq!(wait(None), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some(Duration::from_secs(2))), Some(Duration::from_secs(2)));
    }
}
