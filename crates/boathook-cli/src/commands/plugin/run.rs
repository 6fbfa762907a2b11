//! `boathook plugin run`: one run of one plugin, as if it were a hook of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use boathook_core::dialect::Read;
use boathook_core::hook::{Action, Hook};
use boathook_core::plan::{
    self, Chart, HookOrder, PlanInput, PlanOptions, Plugins, ReleaseRef, WaitStrategy,
};
use boathook_core::source::Origin;
use boathook_core::wasm_hook::{API_VERSION, KIND, WasmHookSpec};
use boathook_core::{HookEvent, Source};
use boathook_engine::plugin_host::PluginReference;
use clap::Args;
use serde_json::{Map, Value};

use crate::commands::event;
use crate::error::{CliError, USAGE};
use crate::flags::DryRunFlags;
use crate::global::GlobalArgs;
use crate::output::Printer;
use crate::planning::{Planned, Texts, positive_duration};
use crate::running::{self, Choices, OutputFlags};
use crate::wiring::{self, PluginDirArgs};
use crate::yaml;

/// Run one plugin once, under a grant
#[derive(Args)]
#[command(mut_arg("dry_run", |arg| arg.default_missing_value("server").help(
    "Change nothing. server (bare --dry-run): the API checks every write and keeps none, no HTTP request is sent; client shows the plan"
)))]
#[command(after_help = "Examples:
  boathook plugin run ensure --cluster embedded --grant grant.yaml \\
    --config '{\"object\": {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"a\"}}}'
  boathook plugin run ./my-plugin.wasm --spec spec.yaml --cluster embedded

grant.yaml holds what stands under `permissions:` of a hook, with or without that word:
  permissions:
    kubernetes:
    - {apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}")]
pub(crate) struct RunArgs {
    /// A name, or a path to a .wasm file
    #[arg(value_name = "PLUGIN")]
    plugin: String,
    /// The settings, as JSON (or YAML), or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    config: Option<String>,
    /// A file with the grant
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// A file with a whole WasmHookSpec; the other flags win over it
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// The event that the plugin is told
    #[arg(long, value_name = "EVENT", value_parser = event, default_value = "pre-install")]
    event: HookEvent,
    /// The release that the plugin is told
    #[arg(long, value_name = "NAME", default_value = "plugin-run")]
    release: String,
    #[command(flatten)]
    dry_run: DryRunFlags,
    /// Time of each attempt, unless the spec sets one
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = positive_duration)]
    timeout: Duration,
    #[command(flatten)]
    plugins: PluginDirArgs,
    #[command(flatten)]
    output: OutputFlags,
}

pub(crate) async fn run(args: RunArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let (spec, sources) = spec(&args)?;
    let session = wiring::session(global).await?;
    let host = wiring::host(&args.plugins, &session.api_servers);
    let plugin = host.inspect(&PluginReference { text: args.plugin.clone(), base: None }).await?;
    let release =
        ReleaseRef { name: args.release.clone(), namespace: session.namespace.clone(), revision: 1 };
    let path = sources.first().map_or_else(|| "arguments".to_owned(), |source| source.path.clone());
    let hook = Hook {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        name: plugin.name.clone(),
        origin: Origin { path, document: 0, line: 1 },
        events: vec![args.event],
        weight: 0,
        delete_policies: Vec::new(),
        output_log_policies: Vec::new(),
        manifest: String::new(),
        objects: Vec::new(),
        action: Action::CallPlugin(Box::new(spec)),
        spec_places: BTreeMap::new(),
    };
    let read = Read { hooks: vec![hook], ..Read::default() };
    let input = PlanInput::run(args.event, &release, &Chart::default(), read);
    let plugins = Plugins::from([(args.plugin.clone(), Ok(plugin))]);
    let options = PlanOptions {
        timeout: args.timeout,
        no_hooks: false,
        skip_hooks: Vec::new(),
        only_hooks: Vec::new(),
        hook_order: HookOrder::Helm,
        wait: WaitStrategy::HookOnly,
        wait_for_jobs: false,
    };
    let texts = Texts { sources, ..Texts::default() };
    let planned = Planned { plan: plan::build(input, &plugins, &options), texts };
    let choices = Choices { dry_run: args.dry_run.dry_run, ..Choices::default() };
    running::carry_out(Ok(planned), session, host, choices, &args.output, printer).await
}

/// The spec file, with the flags over it.
fn spec(args: &RunArgs) -> Result<(WasmHookSpec, Vec<Source>), CliError> {
    let mut sources = Vec::new();
    let mut spec = match &args.spec {
        Some(file) => {
            let mut value = yaml::file(file, &mut sources)?;
            if let Value::Object(map) = &mut value {
                map.insert("plugin".to_owned(), args.plugin.clone().into());
            }
            yaml::typed::<WasmHookSpec>(value, &file.display().to_string())?
        }
        None => yaml::typed(serde_json::json!({ "plugin": args.plugin }), "arguments")?,
    };
    if let Some(config) = &args.config {
        spec.config = config_of(config, &mut sources)?;
    }
    if let Some(file) = &args.grant {
        spec.permissions = yaml::permissions(file, &mut sources)?;
    }
    Ok((spec, sources))
}

fn config_of(text: &str, sources: &mut Vec<Source>) -> Result<Map<String, Value>, CliError> {
    let value = match text.strip_prefix('@') {
        Some(file) => yaml::file(&PathBuf::from(file), sources)?,
        None => yaml::text("--config", text, USAGE)?,
    };
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(CliError::new(USAGE, "--config is no object").hint("give a JSON object, or @FILE")),
    }
}
