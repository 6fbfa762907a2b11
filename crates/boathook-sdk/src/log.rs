//! Log lines of the hook. What a plugin prints to stdout or stderr becomes lines of level `info` too.

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For those who debug the plugin.
    Trace,
    /// For those who debug the hook.
    Debug,
    /// What happens.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

impl Level {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Writes a line, with fields for those who search the log. The macros are shorter where there are none.
pub fn emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    host::log_emit(level, message, fields);
}

/// Writes a line of level `debug`, like `println!`.
#[macro_export]
macro_rules! debug {
    ($($arg:tt)*) => { $crate::log::emit($crate::log::Level::Debug, &::std::format!($($arg)*), &[]) };
}

/// Writes a line of level `info`, like `println!`.
#[macro_export]
macro_rules! info {
    ($($arg:tt)*) => { $crate::log::emit($crate::log::Level::Info, &::std::format!($($arg)*), &[]) };
}

/// Writes a line of level `warn`, like `println!`.
#[macro_export]
macro_rules! warn {
    ($($arg:tt)*) => { $crate::log::emit($crate::log::Level::Warn, &::std::format!($($arg)*), &[]) };
}

/// Writes a line of level `error`, like `println!`.
#[macro_export]
macro_rules! error {
    ($($arg:tt)*) => { $crate::log::emit($crate::log::Level::Error, &::std::format!($($arg)*), &[]) };
}
