//! Errors at the boundary: one message, the way out, and the exit code. Every error of a library becomes one of these
//! here, once.

use boathook_core::Diagnostic;
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_engine::cluster::{ClusterError, ClusterErrorKind};
use boathook_engine::plugin_host::PluginError;

/// The operation failed.
pub(crate) const FAILED: u8 = 1;
/// The arguments are wrong.
pub(crate) const USAGE: u8 = 2;
/// The input is wrong: a manifest, a plugin file, a configuration.
pub(crate) const BAD_INPUT: u8 = 3;
/// The cluster cannot be reached, or does not let us in.
pub(crate) const CLUSTER: u8 = 4;
/// Another operation holds the lock.
pub(crate) const LOCKED: u8 = 5;
/// A permission is not granted.
pub(crate) const PERMISSION: u8 = 6;

/// What a command says when it cannot do its work.
#[derive(Debug)]
pub(crate) struct CliError {
    /// The process's exit code.
    pub(crate) exit_code: u8,
    /// One sentence, the reason first.
    pub(crate) message: String,
    /// The way out; several lines keep their shape.
    pub(crate) hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(exit_code: u8, message: impl Into<String>) -> Self {
        Self { exit_code, message: message.into(), hint: None }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        Self { exit_code: error.code.exit_code(), message: error.message, hint: error.hint }
    }
}

impl From<&CliError> for RunError {
    /// As a report tells it.
    fn from(error: &CliError) -> Self {
        let code = match error.exit_code {
            USAGE => ErrorCode::Usage,
            BAD_INPUT => ErrorCode::BadInput,
            CLUSTER => ErrorCode::ClusterUnavailable,
            LOCKED => ErrorCode::Locked,
            PERMISSION => ErrorCode::PermissionDenied,
            _ => ErrorCode::Internal,
        };
        Self { hint: error.hint.clone(), ..Self::new(code, error.message.clone()) }
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        let (exit_code, hint) = match error.kind {
            ClusterErrorKind::Unauthorized => (CLUSTER, Some("are the kubeconfig's credentials expired?")),
            ClusterErrorKind::Forbidden => (CLUSTER, Some("the API server does not allow this to your user")),
            ClusterErrorKind::Unreachable => (
                CLUSTER,
                Some("check the server in your kubeconfig, or try without a cluster: --cluster embedded"),
            ),
            ClusterErrorKind::Unavailable | ClusterErrorKind::Timeout => (CLUSTER, None),
            _ => (FAILED, None),
        };
        Self { exit_code, message: error.message, hint: hint.map(str::to_owned) }
    }
}

impl From<PluginError> for CliError {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::NotFound { name, help } => {
                Self::new(BAD_INPUT, format!("no plugin {name:?}")).hint(help)
            }
            PluginError::Invalid { message, help } => Self { exit_code: BAD_INPUT, message, hint: help },
            other => Self::new(FAILED, other.to_string()),
        }
    }
}

/// The exit code of an input with errors: bad input, unless the only fault is a permission that is not granted.
pub(crate) fn exit_code_of(diagnostics: &[Diagnostic]) -> u8 {
    use boathook_core::Severity;
    let mut errors =
        diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).peekable();
    if errors.peek().is_some() && errors.all(|error| error.code == boathook_core::plan::NOT_GRANTED) {
        ErrorCode::PermissionDenied.exit_code()
    } else {
        BAD_INPUT
    }
}
