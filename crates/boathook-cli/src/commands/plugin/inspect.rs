//! `boathook plugin inspect`: what a plugin says of itself, without running it.

use boathook_core::plugin::{Capability, PluginForm, PluginInfo};
use boathook_engine::plugin_host::PluginReference;
use clap::Args;

use crate::error::CliError;
use crate::output::style::{HEADING, indent, paint};
use crate::output::{Format, Printer, safe};
use crate::wiring::{self, PluginDirArgs};

/// Show what a plugin says of itself: settings, capabilities and why, where it came from
#[derive(Args)]
#[command(after_help = "Examples:
  boathook plugin inspect ensure
  boathook plugin inspect ./my-plugin.wasm -o json")]
pub(crate) struct InspectArgs {
    /// A name, or a path to a .wasm file
    #[arg(value_name = "PLUGIN")]
    plugin: String,
    #[command(flatten)]
    plugins: PluginDirArgs,
    /// Format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

pub(crate) async fn run(args: InspectArgs, printer: &Printer) -> Result<u8, CliError> {
    let reference = PluginReference { text: args.plugin, base: None };
    let plugin = wiring::host(&args.plugins, &[]).inspect(&reference).await?;
    match args.output {
        Format::Json => printer.json(&plugin)?,
        Format::Text => printer.result(&text(&plugin)?),
    }
    Ok(0)
}

fn text(plugin: &PluginInfo) -> Result<String, CliError> {
    let declaration = &plugin.declaration;
    let form = match plugin.form {
        PluginForm::Component => "component of the world boathook:hook",
        PluginForm::Command => "WASI preview 1 command (JSON lines)",
    };
    let mut out =
        format!("{} {}\n", paint(HEADING, &safe::line(&plugin.name)), safe::line(&declaration.version));
    if !declaration.description.is_empty() {
        out += &format!("{}\n", safe::line(&declaration.description));
    }
    out += &format!("\n  form    {form}\n  from    {}\n", safe::line(&plugin.origin.to_string()));
    out += &format!("  digest  {}\n  size    {} bytes\n", plugin.digest, plugin.size);
    let imports: Vec<&str> = plugin.imports.iter().map(|capability| capability.as_str()).collect();
    out += &format!(
        "  imports {}\n",
        if imports.is_empty() { "nothing of ours".to_owned() } else { imports.join(", ") }
    );
    let needs: Vec<_> = declaration
        .capabilities
        .iter()
        .filter(|declared| matches!(declared.capability, Capability::Kubernetes | Capability::Http))
        .collect();
    if !needs.is_empty() {
        out += &format!("\n{}\n", paint(HEADING, "Needs permission for"));
        for declared in needs {
            let uses = if declared.uses.is_empty() {
                String::new()
            } else {
                format!(" ({})", declared.uses.join(", "))
            };
            out +=
                &format!("  {}{}: {}\n", declared.capability, safe::line(&uses), safe::line(&declared.why));
        }
    }
    match &declaration.config_schema {
        Some(schema) => {
            let schema = serde_json::to_string_pretty(schema)
                .map_err(|error| CliError::internal(error.to_string()))?;
            out += &format!(
                "\n{}\n{}",
                paint(HEADING, "Settings (JSON Schema)"),
                indent(&safe::lines(&schema), "  ", "  ")
            );
        }
        None => out += "\nIt declares no settings; anything is passed on.\n",
    }
    Ok(out)
}
