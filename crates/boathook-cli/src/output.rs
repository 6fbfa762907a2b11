//! What the program prints, and how: results to stdout, everything else to stderr. The only place that prints.

pub(crate) mod diagnostic;
pub(crate) mod junit;
pub(crate) mod live;
pub(crate) mod plan;
pub(crate) mod release;
pub(crate) mod safe;
pub(crate) mod style;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod test_logs;
pub(crate) mod withheld;

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::AtomicBool;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use serde::Serialize;

use crate::error::CliError;
use crate::global::{Color, GlobalArgs};

/// The formats of a life-cycle command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunFormat {
    /// For people
    Text,
    /// One report at the end
    Json,
    /// Run events as they happen; the last line is the report
    Jsonl,
}

/// The formats of a command that only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
}

impl From<RunFormat> for Format {
    /// How something is shown instead of run.
    fn from(format: RunFormat) -> Self {
        match format {
            RunFormat::Text => Self::Text,
            RunFormat::Json | RunFormat::Jsonl => Self::Json,
        }
    }
}

/// Writes to stdout and stderr. A reader that went away is no error: there is nobody left to tell.
pub(crate) struct Printer {
    color: ColorChoice,
    /// `-q`.
    pub(crate) quiet: bool,
    /// `-v`.
    pub(crate) verbose: bool,
    /// A report was written: a command has one.
    pub(crate) reported: AtomicBool,
}

impl Printer {
    pub(crate) fn new(global: &GlobalArgs) -> Self {
        let color = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { color, quiet: global.quiet, verbose: global.verbose > 0, reported: AtomicBool::new(false) }
    }

    /// A result: text with styles, which are left out where stdout takes none.
    pub(crate) fn result(&self, text: &str) {
        let mut out = AutoStream::new(std::io::stdout().lock(), self.color);
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// A result that is a document of others: byte for byte, except on a terminal, which it must not drive.
    pub(crate) fn document(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let shown = if out.is_terminal() { safe::lines(text) + "\n" } else { text.to_owned() };
        drop(out.write_all(shown.as_bytes()).and_then(|()| out.flush()));
    }

    /// A result as one JSON document.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), CliError> {
        self.result(&format!("{}\n", to_json(value, true)?));
        Ok(())
    }

    /// A result as one line of JSON.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), CliError> {
        self.result(&format!("{}\n", to_json(value, false)?));
        Ok(())
    }

    /// Progress, logs, diagnostics: text with styles for stderr.
    pub(crate) fn note(&self, text: &str) {
        let mut err = AutoStream::new(std::io::stderr().lock(), self.color);
        drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
    }

    /// The error that ends a command.
    pub(crate) fn error(&self, error: &CliError) {
        let mut text = format!("{} {}\n", style::paint(style::ERROR, "error:"), safe::lines(&error.message));
        if let Some(hint) = &error.hint {
            text += &style::indent(&safe::lines(hint), "  help: ", "        ");
        }
        self.note(&text);
    }

    /// Whether live lines can be drawn on stderr.
    pub(crate) fn is_live(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Whether stderr takes colour.
    pub(crate) fn color_on_stderr(&self) -> bool {
        AutoStream::new(std::io::stderr(), self.color).current_choice() != ColorChoice::Never
    }
}

fn to_json(value: &impl Serialize, pretty: bool) -> Result<String, CliError> {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map(|text| safe::json(&text))
        .map_err(|error| CliError::internal(format!("cannot print JSON: {error}")))
}
