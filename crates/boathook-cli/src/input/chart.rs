//! Charts, rendered by Helm's own engine in the sandbox: from the command line's words to what `boathook_chart` takes, and its
//! errors as ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boathook_chart::source::{self, Places, SourceError, SourceOptions};
use boathook_chart::{
    Capabilities, Chart, Engine, Lent, LentMode, Lookup, Named, RenderError, RenderOptions, Rendered,
    Unsteady, Values, set_file_names,
};
use boathook_core::Diagnostic;
use boathook_core::permissions::Permissions;
use boathook_core::plan;
use boathook_engine::plugin_host::PluginHost;

use super::{CapabilityArgs, Input, Recorded, Rendering, SourceArgs, ValuesArgs, ValuesMode};
use crate::error::{BAD_INPUT, CliError, FAILED, PERMISSION, USAGE};
use crate::output::Printer;
use crate::output::safe;
use crate::wiring::{self, Session};
use crate::yaml;

/// What renders the charts of one command, and the cluster that they may know of.
pub(crate) struct Charts<'a> {
    engine: Option<Engine>,
    session: Option<&'a Session>,
    told: CapabilityArgs,
    /// Charts are rendered twice, to tell what is not deterministic in them.
    twice: bool,
    printer: &'a Printer,
}

impl<'a> Charts<'a> {
    /// For a command on a cluster: templates see what it serves, and may look into it under a grant.
    pub(crate) fn on(session: &'a Session, host: &Arc<dyn PluginHost>, printer: &'a Printer) -> Self {
        let engine = wiring::chart_engine(host);
        Self { engine, session: Some(session), told: CapabilityArgs::default(), twice: false, printer }
    }

    /// For a command without one: templates see what the user says, and `lookup` finds nothing.
    pub(crate) fn without_cluster(
        host: &Arc<dyn PluginHost>,
        told: CapabilityArgs,
        printer: &'a Printer,
    ) -> Self {
        Self { engine: wiring::chart_engine(host), session: None, told, twice: false, printer }
    }

    /// For a plan, which says what is not deterministic.
    pub(crate) fn twice(self) -> Self {
        Self { twice: true, ..self }
    }

    /// The engine, unless the user's helm is to render: because that is wanted, or because there is no other.
    pub(crate) fn engine(&self, values: &ValuesArgs) -> Option<Engine> {
        if values.wanted_helm().is_some() {
            return None;
        }
        if self.engine.is_none() && !self.printer.quiet {
            self.printer
                .note("note: this program was built without the chart engine: your helm renders the chart\n");
        }
        self.engine.clone().map(|engine| engine.within(values.render_timeout))
    }

    /// Reads the chart that a word names, and what it is rendered with as far as flags and cluster say it; meanwhile the
    /// engine gets ready.
    pub(crate) async fn open(
        &self,
        chart: &str,
        values: &ValuesArgs,
        engine: &Engine,
    ) -> Result<(Chart, RenderOptions), CliError> {
        let progress = self.progress();
        let reading = async { Ok((open(chart, values).await?, self.options(values).await?)) };
        // A chart that cannot be read is told at once.
        let getting_ready = async {
            engine.prepare(&progress).await;
            Ok::<_, CliError>(())
        };
        let (read, ()) = tokio::try_join!(reading, getting_ready)?;
        Ok(read)
    }

    /// What a chart is rendered with, as far as flags and cluster say it.
    async fn options(&self, values: &ValuesArgs) -> Result<RenderOptions, CliError> {
        let (capabilities, lookup) = match self.session {
            Some(session) => {
                (session.capabilities().await?, lookup(session, values.lookup_grant.as_deref())?)
            }
            None if values.lookup_grant.is_some() => {
                return Err(CliError::new(USAGE, "--lookup-grant needs a cluster to look into")
                    .hint("without one `lookup` finds nothing, as with `helm template`"));
            }
            None => {
                let CapabilityArgs { kube_version, api_versions } = self.told.clone();
                (Capabilities::Told { kube_version, api_versions }, Lookup::Nothing)
            }
        };
        Ok(RenderOptions {
            values: values.read(),
            capabilities,
            lookup,
            skip_schema_validation: values.skip_schema_validation,
            subchart_notes: values.render_subchart_notes,
            time_zone: time_zone(),
            ..RenderOptions::default()
        })
    }

    /// Says what takes long.
    pub(crate) fn progress(&self) -> impl Fn(&str) + Send + Sync + use<'_> {
        |message| {
            if !self.printer.quiet {
                self.printer.note(&format!("{message}\n"));
            }
        }
    }
}

fn lookup(session: &Session, grant: Option<&Path>) -> Result<Lookup, CliError> {
    let permissions =
        grant.map_or_else(|| Ok(Permissions::default()), |file| yaml::permissions(file, &mut Vec::new()))?;
    Lookup::granted(session.cluster.clone(), permissions).map_err(|error| {
        let file = grant.map(|file| file.display().to_string()).unwrap_or_default();
        CliError::new(BAD_INPUT, format!("{file}: {error}"))
    })
}

/// Renders a chart with Helm's engine.
pub(super) async fn render(
    args: &SourceArgs,
    rendering: &Rendering<'_>,
    charts: &Charts<'_>,
    engine: &Engine,
) -> Result<Input, CliError> {
    let (chart, asked) = charts.open(&args.source, &args.values, engine).await?;
    let lent = rendering.lent.as_ref().map(|lent| Lent {
        mode: match lent.mode {
            ValuesMode::LastIfNoneGiven => LentMode::LastIfNoneGiven,
            ValuesMode::Reset => LentMode::Reset,
            ValuesMode::Reuse => LentMode::Reuse,
            ValuesMode::ResetThenReuse => LentMode::ResetThenReuse,
        },
        config: lent.config.clone(),
        defaults: lent.defaults.clone(),
    });
    let options =
        RenderOptions { lent, is_upgrade: rendering.is_upgrade, record: rendering.recorded, ..asked };
    let release = rendering.release;
    let rendered = boathook_chart::render(engine, &chart, release, &options, &charts.progress()).await;
    let rendered = rendered.map_err(render_error)?;
    let mut diagnostics: Vec<_> = rendered.log.iter().map(|line| Diagnostic::warning("helm", line)).collect();
    if charts.twice {
        let unsteady = boathook_chart::unsteady(engine, &chart, release, &options, &rendered).await;
        diagnostics.extend(unsteady.map_err(render_error)?.into_iter().enumerate().map(not_deterministic));
    }
    let Rendered { chart, sources, crds, notes, record, log: _ } = rendered;
    let recorded = match record {
        Some(record) => Recorded {
            chart: Some(record.chart),
            config: record.config,
            notes: (!notes.is_empty()).then_some(notes),
        },
        None => Recorded::default(),
    };
    Ok(Input {
        sources,
        crds: if rendering.is_upgrade { Vec::new() } else { crds },
        base: PathBuf::from(if Path::new(&args.source).is_dir() { args.source.as_str() } else { "." }),
        chart,
        recorded,
        diagnostics,
    })
}

/// The line is told and not shown: what chance gives may well be a password. The way out is said once.
fn not_deterministic((index, Unsteady { path, line }): (usize, Unsteady)) -> Diagnostic {
    let message = "renders differently each time, first in this line";
    let warning = Diagnostic::warning(plan::NOT_DETERMINISTIC, message);
    let help = "a command that is given the chart renders it anew; `--out FILE` keeps this render, and `--plan FILE` of \
                the command applies it";
    let help = (index == 0).then(|| help.to_owned());
    Diagnostic { path: Some(path), line: Some(line), help, ..warning }
}

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

    /// Where and how the chart is looked for: with the files that Helm and Docker keep.
    pub(crate) fn source(&self) -> SourceOptions {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // Helm's order: its own variables, those of XDG, the home folder.
        let helm = |own: &str, xdg: &str, below_home: &str| {
            let folder = variable(own).or_else(|| Some(variable(xdg)?.join("helm")));
            folder.or_else(|| Some(variable("HOME")?.join(below_home).join("helm"))).unwrap_or_default()
        };
        let config = helm("HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config");
        let cache = helm("HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache");
        let docker = variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")));
        let of_helm = variable("HELM_REGISTRY_CONFIG").unwrap_or_else(|| config.join("registry/config.json"));
        let of_docker = docker.map(|folder| folder.join("config.json"));
        SourceOptions {
            version: self.version.clone(),
            repository: self.repo.clone(),
            plain_http: self.plain_http,
            places: Places {
                repositories: variable("HELM_REPOSITORY_CONFIG")
                    .unwrap_or_else(|| config.join("repositories.yaml")),
                repository_cache: variable("HELM_REPOSITORY_CACHE")
                    .unwrap_or_else(|| cache.join("repository")),
                registry_configs: std::iter::once(of_helm).chain(of_docker).collect(),
            },
        }
    }
}

/// Reads the chart that a word names.
async fn open(chart: &str, values: &ValuesArgs) -> Result<Chart, CliError> {
    source::open(chart, &values.source()).await.map_err(|error| match error {
        SourceError::Refused { reason, help } => {
            CliError { exit_code: BAD_INPUT, message: reason, hint: help }
        }
        unreachable @ SourceError::Unreachable { .. } => CliError::new(FAILED, unreachable.to_string()),
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
pub(crate) fn render_error(error: RenderError) -> CliError {
    match error {
        RenderError::Chart { message, .. } => CliError::new(BAD_INPUT, message),
        RenderError::Denied { message, hint } => CliError::new(PERMISSION, message).hint(format!(
            "if this is what you want, write it to a file and name that with --lookup-grant:\n{hint}"
        )),
        stopped @ RenderError::Stopped { .. } => CliError::new(BAD_INPUT, stopped.to_string()).hint(
            "charts are rendered in a sandbox with 256 MiB of memory; --render-timeout gives more time",
        ),
        internal @ RenderError::Internal { .. } => CliError::new(FAILED, internal.to_string()),
    }
}
