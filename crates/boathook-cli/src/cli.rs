//! The command line: the list of commands, and the way from arguments to an exit code.

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{
    completion, embedded, get, history, install, list, plan, plugin, rollback, run, status, template, test,
    uninstall, upgrade,
};
use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::output::Printer;
use crate::running::Reporting;
use crate::telemetry;

/// Runs the hooks of Helm releases, as sandboxed WebAssembly plugins or as the Jobs they are today.
///
/// Boathook reads Helm's annotations (helm.sh/hook, -weight, -delete-policy), orders and applies hooks as Helm does, and
/// runs a hook whose logic is a plugin in this process: no image, no pod, under a grant that is checked call by call.
#[derive(Parser)]
#[command(name = "boathook", version, max_term_width = 100)]
#[command(after_help = "Examples:
  boathook plan install web ./manifests            what would run, in order, and what each hook may touch
  boathook install web ./manifests -n prod         hooks, objects, hooks; recorded as a Helm release
  boathook upgrade web ./manifests -n prod         the next revision; rollback, uninstall and test follow
  boathook run pre-upgrade web ./chart -n prod     only the hooks of one event, around `helm upgrade --no-hooks`
  boathook install web ./manifests --cluster embedded:state.json     try it without a cluster

Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, 4 cluster unreachable or refused, 5 locked,
6 permission not granted, 129/130/143 interrupted.")]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Plan(plan::PlanArgs),
    Install(install::InstallArgs),
    Upgrade(upgrade::UpgradeArgs),
    Rollback(rollback::RollbackArgs),
    Uninstall(uninstall::UninstallArgs),
    Test(test::TestArgs),
    Run(run::RunArgs),
    Status(status::StatusArgs),
    History(history::HistoryArgs),
    List(list::ListArgs),
    Get(get::GetArgs),
    Plugin(plugin::PluginArgs),
    Template(template::TemplateArgs),
    Embedded(embedded::EmbeddedArgs),
    Completion(completion::CompletionArgs),
}

impl Command {
    /// Commands that end with a report.
    fn reporting(&self) -> Option<Reporting> {
        match self {
            Self::Install(args) => Some(args.reporting()),
            Self::Upgrade(args) => Some(args.reporting()),
            Self::Rollback(args) => Some(args.reporting()),
            Self::Uninstall(args) => Some(args.reporting()),
            Self::Test(args) => Some(args.reporting()),
            Self::Run(args) => Some(args.reporting()),
            _ => None,
        }
    }
}

/// Parses the arguments, runs the command, prints its error. Gives the exit code.
pub(crate) fn main() -> u8 {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    telemetry::start(cli.global.verbose);
    let printer = Printer::new(&cli.global);
    match block_on(dispatch(cli, &printer)) {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error.exit_code
        }
    }
}

/// clap prints help and version to stdout with code 0, everything else to stderr with code 2.
fn usage(error: &clap::Error) -> u8 {
    match error.print() {
        Ok(()) => u8::try_from(error.exit_code()).unwrap_or(2),
        // Nobody is reading: nothing is left to say.
        Err(_) => 2,
    }
}

/// One thread runs everything: a second one would cost a hook more (address-space changes in a process with two busy
/// threads are slow) than it gains. Work on other threads that was given up (a plugin that compiles for minutes) ends with
/// the process and does not hold it.
fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::internal(format!("cannot start: {error}")))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

async fn dispatch(cli: Cli, printer: &Printer) -> Result<u8, CliError> {
    let global = cli.global;
    let namespace = global.namespace.clone();
    let reporting = cli.command.reporting();
    let result = carry_out(cli.command, &global, printer).await;
    match reporting {
        Some(reporting) => reporting.of(result, namespace.as_deref(), printer),
        None => result,
    }
}

async fn carry_out(command: Command, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    match command {
        Command::Plan(args) => plan::run(args, global, printer).await,
        Command::Install(args) => install::run(args, global, printer).await,
        Command::Upgrade(args) => upgrade::run(args, global, printer).await,
        Command::Rollback(args) => rollback::run(args, global, printer).await,
        Command::Uninstall(args) => uninstall::run(args, global, printer).await,
        Command::Test(args) => test::run(args, global, printer).await,
        Command::Run(args) => run::run(args, global, printer).await,
        Command::Status(args) => status::run(args, global, printer).await,
        Command::History(args) => history::run(args, global, printer).await,
        Command::List(args) => list::run(args, global, printer).await,
        Command::Get(args) => get::run(args, global, printer).await,
        Command::Plugin(args) => plugin::run(args, global, printer).await,
        Command::Template(args) => template::run(args, global, printer).await,
        Command::Embedded(args) => embedded::run(args, global, printer).await,
        Command::Completion(args) => completion::run(args, &mut Cli::command(), printer),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// A flag that a plan depends on would be taken and have no effect.
    #[test]
    fn what_a_plan_says_cannot_be_said_once_more() {
        let program = Cli::command();
        let plan = program.find_subcommand("plan").unwrap();
        for operation in ["install", "upgrade"] {
            let (planned, command) =
                (plan.find_subcommand(operation).unwrap(), program.find_subcommand(operation).unwrap());
            let from = command.get_arguments().find(|arg| arg.get_id() == "plan").unwrap();
            let refused = command.get_arg_conflicts_with(from);
            let also = |arg: &&clap::Arg| planned.get_arguments().any(|other| other.get_id() == arg.get_id());
            for arg in command.get_arguments().filter(also) {
                let id = arg.get_id().as_str();
                // The name is compared, plugins by their digests; the output is nothing that a plan says.
                let may_be_said = ["name", "plugin_dir", "output"].contains(&id);
                assert_ne!(refused.iter().any(|other| other.get_id() == id), may_be_said, "{operation} {id}");
            }
        }
    }

    #[test]
    fn work_that_was_given_up_does_not_hold_the_process() {
        let started = Instant::now();
        let given_up = async {
            drop(tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(60))));
            // Lets the task begin: one that waits in the queue would be thrown away in any case.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(7)
        };
        assert_eq!(block_on(given_up).unwrap(), 7);
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
