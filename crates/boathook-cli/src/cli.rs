//! The command line: global flags, the list of commands, and the way from arguments to an exit code.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::commands::{completion, embedded, get, history, install, list, plan, plugin, run, status};
use crate::error::CliError;
use crate::output::Printer;
use crate::telemetry;

/// Runs the hooks of Helm releases, as sandboxed WebAssembly plugins or as the Jobs they are today.
///
/// Boathook reads Helm's annotations (helm.sh/hook, -weight, -delete-policy), orders and applies hooks as Helm does, and
/// runs a hook whose logic is a plugin in this process: no image, no pod, under a grant that is checked call by call.
#[derive(Parser)]
#[command(name = "boathook", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Examples:
  boathook plan install web ./manifests            what would run, in order, and what each hook may touch
  boathook install web ./manifests -n prod         hooks, objects, hooks; recorded as a Helm release
  boathook run pre-upgrade web ./chart -n prod     only the hooks of one event, around `helm upgrade --no-hooks`
  boathook install web ./manifests --cluster embedded:state.json     try it without a cluster

Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, 4 cluster unreachable or refused, 5 locked,
6 permission not granted, 130/143 interrupted.")]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Args, Clone)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Which cluster: `kube` (your kubeconfig), `embedded` (in memory, for this command), `embedded:FILE` (kept in FILE)
    #[arg(long, global = true, env = "BOATHOOK_CLUSTER", default_value = "kube", value_name = "CLUSTER")]
    pub(crate) cluster: String,
    /// The kubeconfig to read instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace of the release
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Act as this user
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) as_user: Option<String>,
    /// Act as a member of this group (repeatable)
    #[arg(long, global = true, value_name = "GROUP")]
    pub(crate) as_group: Vec<String>,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more (twice: also what the libraries log)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// When to print colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Subcommand)]
enum Command {
    Plan(plan::PlanArgs),
    Install(install::InstallArgs),
    Run(run::RunArgs),
    Status(status::StatusArgs),
    History(history::HistoryArgs),
    List(list::ListArgs),
    Get(get::GetArgs),
    Plugin(plugin::PluginArgs),
    Embedded(embedded::EmbeddedArgs),
    Completion(completion::CompletionArgs),
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
/// threads are slow) than it gains.
fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::internal(format!("cannot start: {error}")))?
        .block_on(future)
}

async fn dispatch(cli: Cli, printer: &Printer) -> Result<u8, CliError> {
    let global = cli.global;
    match cli.command {
        Command::Plan(args) => plan::run(args, &global, printer).await,
        Command::Install(args) => install::run(args, &global, printer).await,
        Command::Run(args) => run::run(args, &global, printer).await,
        Command::Status(args) => status::run(args, &global, printer).await,
        Command::History(args) => history::run(args, &global, printer).await,
        Command::List(args) => list::run(args, &global, printer).await,
        Command::Get(args) => get::run(args, &global, printer).await,
        Command::Plugin(args) => plugin::run(args, &global, printer).await,
        Command::Embedded(args) => embedded::run(args, &global, printer).await,
        Command::Completion(args) => completion::run(args, &mut Cli::command(), printer),
    }
}
