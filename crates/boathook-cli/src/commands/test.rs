//! `boathook test`: the test hooks of a release that is there.

use std::time::Duration;

use boathook_core::plan::TestFilter;
use boathook_engine::plugin_host::PluginHost;
use clap::Args;

use crate::error::{CliError, USAGE};
use crate::flags::LockFlags;
use crate::global::GlobalArgs;
use crate::output::Printer;
use crate::planning::{self, NotPlanned, PlanFlags, Planned, Planner};
use crate::running::{self, Choices, OutputFlags, Reporting};
use crate::wiring::{self, PluginDirArgs, Session};

/// Run the tests of a release: its hooks of event test. Its status does not change
#[derive(Args)]
#[command(after_help = "Examples:
  boathook test web -n prod --logs
  boathook test web --filter name=smoke,name=login     these two
  boathook test web --filter '!name=slow'              all but this one

Tests that a filter leaves out keep their results, and stand before the others in the release from then on, as with Helm.")]
pub(crate) struct TestArgs {
    #[command(flatten)]
    plan: TestPlanArgs,
    /// Print the tests' logs once more when all of them ended, container by container
    #[arg(long)]
    logs: bool,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// What the plan of a test run depends on.
#[derive(Args)]
pub(crate) struct TestPlanArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// Which tests: name=NAME, or !name=NAME to leave one out (repeatable, or separated by commas)
    #[arg(long, value_name = "FILTER", value_delimiter = ',')]
    filter: Vec<String>,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    pub(crate) plugins: PluginDirArgs,
}

impl TestArgs {
    /// What its report says of it.
    pub(crate) fn reporting(&self) -> Reporting {
        Reporting { operation: "test", release: self.plan.name.clone(), output: self.output.clone() }
    }
}

impl TestPlanArgs {
    /// The plan; the release is read from the cluster.
    pub(crate) async fn plan(&self, session: &Session, host: &dyn PluginHost) -> Result<Planned, NotPlanned> {
        self.plan_with(session, host, Duration::ZERO).await
    }

    async fn plan_with(
        &self,
        session: &Session,
        host: &dyn PluginHost,
        patience: Duration,
    ) -> Result<Planned, NotPlanned> {
        planning::check_names(&self.name, Some(&session.namespace))?;
        let filter = filter(&self.filter)?;
        let (namespace, options) = (&session.namespace, self.flags.options());
        let planner = Planner { name: &self.name, namespace, options, host, patience };
        let history = planner.history(session).await?;
        planning::test(&planner, &history, &filter).await
    }
}

/// Helm ignores a filter that it does not understand, and then runs every test.
fn filter(words: &[String]) -> Result<TestFilter, CliError> {
    let mut filter = TestFilter::default();
    for word in words {
        if let Some(name) = word.strip_prefix("name=") {
            filter.include.push(name.to_owned());
        } else if let Some(name) =
            word.strip_prefix('!').and_then(|word| word.trim_start().strip_prefix("name="))
        {
            filter.exclude.push(name.to_owned());
        } else {
            return Err(CliError::new(USAGE, format!("no filter: {word:?}"))
                .hint("tests are chosen by name: --filter name=NAME, or --filter '!name=NAME'"));
        }
    }
    Ok(filter)
}

pub(crate) async fn run(args: TestArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    planning::check_names(&args.plan.name, global.namespace.as_deref())?;
    filter(&args.plan.filter)?;
    let session = wiring::session(global).await?;
    let host = wiring::host(&args.plan.plugins, &session.api_servers);
    let planned = args.plan.plan_with(&session, host.as_ref(), args.lock.patience()).await;
    let choices = Choices { wait_for_lock: args.lock.patience(), ..Choices::default() };
    let output = OutputFlags { logs: args.logs, ..args.output };
    running::carry_out(planned, session, host, choices, &output, printer).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_helm_reads_them() {
        let read = |words: &[&str]| filter(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let found = read(&["name=a", "!name=b", "! name=c"]).unwrap();
        assert_eq!(
            (found.include, found.exclude),
            (vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()])
        );
        for wrong in ["a", "kind=Pod", "!b"] {
            assert_eq!(read(&[wrong]).unwrap_err().exit_code, USAGE);
        }
    }
}
