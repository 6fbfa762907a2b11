//! Charts, rendered by Helm's own engine in the sandbox: from the command line's words to what `boathook_chart` takes, and its
//! errors as ours.

use std::path::Path;

use boathook_chart::{Chart, Named, RenderError, Values, set_file_names, source};

use super::ValuesArgs;
use crate::error::{BAD_INPUT, CliError, FAILED, PERMISSION};
use crate::output::Printer;
use crate::output::safe;

impl ValuesArgs {
    /// Reads the files among them.
    pub(crate) fn read(&self) -> Values {
        let named = |names: &[String]| names.iter().map(|name| Named::read(name)).collect();
        Values {
            files: named(&self.values),
            set_json: self.set_json.clone(),
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            set_files: named(&set_file_names(&self.set_file)),
            set_file: self.set_file.clone(),
            set_literal: self.set_literal.clone(),
        }
    }
}

/// Reads the chart that a word names.
pub(crate) fn open(chart: &str) -> Result<Chart, CliError> {
    source::read(Path::new(chart)).map_err(|error| match error {
        source::SourceError::Refused { reason, help } => {
            CliError { exit_code: BAD_INPUT, message: reason, hint: help }
        }
    })
}

/// The zone in which templates print times: the user's, by name.
pub(crate) fn time_zone() -> Option<String> {
    if let Ok(zone) = std::env::var("TZ") {
        return Some(zone.trim_start_matches(':').to_owned());
    }
    let link = std::fs::read_link("/etc/localtime").ok()?;
    let (_, zone) = link.to_str()?.split_once("zoneinfo/")?;
    Some(zone.to_owned())
}

/// What Helm logged while it rendered.
pub(crate) fn print_log(printer: &Printer, log: &[String]) {
    if !printer.quiet {
        let lines: String = log.iter().map(|line| safe::line(line) + "\n").collect();
        printer.note(&lines);
    }
}

/// Why a chart was not rendered, for the user.
pub(crate) fn render_error(error: RenderError, printer: &Printer) -> CliError {
    match error {
        RenderError::Chart { message, log } => {
            print_log(printer, &log);
            CliError::new(BAD_INPUT, message)
        }
        RenderError::Denied { message, hint } => CliError::new(PERMISSION, message)
            .hint(format!("if this is what you want, add to the file that --lookup-grant names:\n{hint}")),
        stopped @ RenderError::Stopped { .. } => CliError::new(BAD_INPUT, stopped.to_string())
            .hint("charts are rendered in a sandbox with 256 MiB of memory and 60 s of time"),
        internal @ RenderError::Internal { .. } => CliError::new(FAILED, internal.to_string()),
    }
}
