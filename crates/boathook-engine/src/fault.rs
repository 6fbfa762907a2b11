//! Refusals of the two ports as errors of a run: which stable word, which hint. Pure.

use boathook_core::run_event::{Calls, ErrorCode, RunError};

use crate::cluster::{ClusterError, ClusterErrorKind};
use crate::plugin_host::PluginError;

/// An error of the API under a message that names what was tried.
pub(crate) fn of_cluster(error: &ClusterError, message: impl Into<String>) -> RunError {
    RunError::new(cluster_code(error.kind), message)
}

/// An error of the API at a release record. Whoever may not keep records there can do nothing at all.
pub(crate) fn of_records(error: &ClusterError, message: impl Into<String>) -> RunError {
    let message = message.into();
    match error.kind {
        ClusterErrorKind::Forbidden => RunError {
            hint: Some("releases are Secrets of their namespace: it must let you read and write them".to_owned()),
            ..RunError::new(ErrorCode::ClusterUnavailable, message)
        },
        ClusterErrorKind::TooLarge | ClusterErrorKind::Invalid if message.contains("Too long") => RunError {
            hint: Some(
                "a release is kept in one Secret, which holds 1 MiB: leave out large files, or make two releases of it"
                    .to_owned(),
            ),
            ..of_cluster(error, message)
        },
        _ => of_cluster(error, message),
    }
}

fn cluster_code(kind: ClusterErrorKind) -> ErrorCode {
    match kind {
        ClusterErrorKind::Unauthorized
        | ClusterErrorKind::Timeout
        | ClusterErrorKind::Unavailable
        | ClusterErrorKind::Unreachable => ErrorCode::ClusterUnavailable,
        ClusterErrorKind::NotFound
        | ClusterErrorKind::NoSuchKind
        | ClusterErrorKind::AlreadyExists
        | ClusterErrorKind::Conflict
        | ClusterErrorKind::Invalid
        | ClusterErrorKind::TooLarge
        | ClusterErrorKind::Forbidden
        | ClusterErrorKind::Expired
        | ClusterErrorKind::Other => ErrorCode::ObjectRefused,
    }
}

/// A failed attempt of a plugin, and the calls it made as far as they are known.
pub(crate) fn of_plugin(error: PluginError) -> (RunError, Calls) {
    let message = error.to_string();
    let plain = |code| (RunError::new(code, message.clone()), Calls::default());
    match error {
        PluginError::NotFound { help, .. } => (
            RunError { hint: Some(help), ..RunError::new(ErrorCode::PluginInvalid, message) },
            Calls::default(),
        ),
        PluginError::Invalid { help, .. } => {
            (RunError { hint: help, ..RunError::new(ErrorCode::PluginInvalid, message) }, Calls::default())
        }
        PluginError::Failed { calls, .. } => (RunError::new(ErrorCode::PluginFailed, message), calls),
        PluginError::Denied { call, hint, calls, .. } => {
            let error = RunError {
                hint: Some(hint),
                details: vec![format!("call {call}")],
                ..RunError::new(ErrorCode::PermissionDenied, message)
            };
            (error, calls)
        }
        PluginError::Trap { frames, .. } => {
            (RunError { details: frames, ..RunError::new(ErrorCode::PluginTrap, message) }, Calls::default())
        }
        PluginError::LimitReached { .. } => plain(ErrorCode::LimitReached),
        PluginError::Timeout { .. } => plain(ErrorCode::Timeout),
        PluginError::Internal { .. } => plain(ErrorCode::Internal),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use test_case::test_case;

    use super::*;

    fn calls() -> Calls {
        Calls { kubernetes: 2, http: 1 }
    }

    #[test_case(PluginError::NotFound { name: "x".into(), help: "h".into() } => 3)]
    #[test_case(PluginError::Invalid { message: "m".into(), help: None } => 3)]
    #[test_case(PluginError::Failed { message: "m".into(), retryable: true, retry_after: None, calls: calls() } => 1)]
    #[test_case(PluginError::Denied { action: "a".into(), call: "c".into(), hint: "h".into(), said: String::new(), calls: calls() } => 6)]
    #[test_case(PluginError::Trap { reason: "r".into(), frames: vec![] } => 1)]
    #[test_case(PluginError::LimitReached { what: "w".into() } => 1)]
    #[test_case(PluginError::Timeout { limit: Duration::from_secs(3) } => 1)]
    #[test_case(PluginError::Internal { message: "m".into() } => 1)]
    fn exit_codes(error: PluginError) -> u8 {
        of_plugin(error).0.code.exit_code()
    }

    #[test]
    fn records_that_may_not_be_kept_end_the_command_like_a_cluster_that_does_not_let_us_in() {
        let error = |kind, message: &str| of_records(&ClusterError::new(kind, message), message);
        let forbidden = error(ClusterErrorKind::Forbidden, "secrets is forbidden");
        assert_eq!((forbidden.code.exit_code(), forbidden.hint.is_some()), (4, true));
        let large = error(ClusterErrorKind::Invalid, "data: Too long: may not be more than 1048576 bytes");
        assert_eq!((large.code.exit_code(), large.hint.is_some()), (1, true));
        let other = error(ClusterErrorKind::Invalid, "metadata.name: Invalid value");
        assert_eq!((other.code.exit_code(), other.hint), (1, None));
    }

    #[test]
    fn a_denial_names_the_call_and_the_lines_to_add() {
        let denied = PluginError::Denied {
            action: "create secrets/a in prod".into(),
            call: "kubernetes.create v1 Secret prod/a".into(),
            hint: "kubernetes:\n- …".into(),
            said: String::new(),
            calls: calls(),
        };
        let (error, made) = of_plugin(denied);
        assert_eq!(error.message, "not allowed to create secrets/a in prod");
        assert_eq!(error.details, ["call kubernetes.create v1 Secret prod/a"]);
        assert_eq!(error.hint.as_deref(), Some("kubernetes:\n- …"));
        assert_eq!(made, calls());
    }

    #[test]
    fn a_trap_keeps_its_frames() {
        let trap = PluginError::Trap { reason: "unreachable".into(), frames: vec!["f".into(), "g".into()] };
        assert_eq!(of_plugin(trap).0.details, ["f", "g"]);
    }
}
