//! How a run ends.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// In one line.
    pub message: String,
    /// Whether anything is different now.
    pub changed: bool,
    /// More, as data.
    pub data: Option<Value>,
}

impl Report {
    /// Something is different now.
    pub fn changed(message: impl Into<String>) -> Self {
        Self { message: message.into(), changed: true, data: None }
    }

    /// Everything is as it was.
    pub fn unchanged(message: impl Into<String>) -> Self {
        Self { message: message.into(), changed: false, data: None }
    }

    /// The same with more data.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}

/// Why it failed, and whether another attempt may help. `?` turns the errors of [`crate::kubernetes`] and
/// [`crate::http`] into one: what is down or slow is retryable, everything else (a denied call above all) is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another attempt may help: the host makes one if the hook's `backoffLimit` allows.
    Retryable(String),
    /// The same, after at least this long.
    RetryAfter(String, Duration),
    /// It fails again.
    Permanent(String),
}

impl Failure {
    /// Another attempt may help.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::Retryable(message.into())
    }

    /// Another attempt may help after this long.
    pub fn retry_after(message: impl Into<String>, wait: Duration) -> Self {
        Self::RetryAfter(message.into(), wait)
    }

    /// It fails again.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent(message.into())
    }

    /// The same failure, with what it is about in front: `ConfigMap default/a: …`.
    #[must_use]
    pub fn of(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Retryable(message) => Self::Retryable(format!("{what}: {message}")),
            Self::RetryAfter(message, wait) => Self::RetryAfter(format!("{what}: {message}"), wait),
            Self::Permanent(message) => Self::Permanent(format!("{what}: {message}")),
        }
    }

    /// The text.
    pub fn message(&self) -> &str {
        match self {
            Self::Retryable(message) | Self::RetryAfter(message, _) | Self::Permanent(message) => message,
        }
    }
}
