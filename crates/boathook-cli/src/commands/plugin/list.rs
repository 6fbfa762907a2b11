//! `boathook plugin list`: every plugin that can be named without a path.

use clap::Args;
use serde_json::json;

use crate::error::CliError;
use crate::output::style::count;
use crate::output::table::{self, Align};
use crate::output::{Format, Printer, safe};
use crate::wiring::{self, PluginDirArgs};

/// List the plugins that hooks can name, in look-up order
#[derive(Args)]
#[command(after_help = "Example:
  boathook plugin list --plugin-dir ./my-plugins")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    plugins: PluginDirArgs,
    /// Format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

pub(crate) async fn run(args: ListArgs, printer: &Printer) -> Result<u8, CliError> {
    let found = wiring::host(&args.plugins, &[]).list().await;
    if args.output == Format::Json {
        let list: Vec<_> = found
            .iter()
            .map(|(name, plugin)| match plugin {
                Ok(plugin) => json!(plugin),
                Err(error) => json!({"name": name, "error": error.to_string()}),
            })
            .collect();
        printer.json(&list)?;
        return Ok(0);
    }
    if found.is_empty() {
        printer.note("no plugins: this program was built without any, and no plugin folder holds one\n");
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(name, plugin)| match plugin {
            Ok(plugin) => vec![
                safe::line(name),
                safe::line(&plugin.declaration.version),
                format!("{} kB", plugin.size.div_ceil(1000)),
                safe::line(&plugin.origin.to_string()),
                safe::line(&plugin.declaration.description),
            ],
            Err(error) => {
                let none = String::new;
                vec![
                    safe::line(name),
                    none(),
                    none(),
                    none(),
                    format!("cannot be used: {}", safe::line(&error.to_string())),
                ]
            }
        })
        .collect();
    let columns = [
        ("NAME", Align::Left),
        ("VERSION", Align::Left),
        ("SIZE", Align::Right),
        ("FROM", Align::Left),
        ("WHAT IT DOES", Align::Left),
    ];
    printer.result(&table::render("", &columns, &rows));
    if printer.verbose {
        printer.note(&format!("{}\n", count(found.len(), "plugin")));
    }
    Ok(0)
}
