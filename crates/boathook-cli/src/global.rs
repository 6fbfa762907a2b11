//! The flags of every command: which cluster, which namespace, how much is said.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags of every command.
#[derive(Args, Clone)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Which cluster: `kube` (your kubeconfig), `embedded` (in memory, for this command), `embedded:FILE` (kept in FILE)
    #[arg(long, global = true, env = "BOATHOOK_CLUSTER", default_value = "kube", value_name = "CLUSTER")]
    pub(crate) cluster: String,
    /// What users of an embedded cluster may do; who they are, --as says
    #[arg(long, global = true, value_enum, default_value_t = Authorization::AlwaysAllow, value_name = "MODE")]
    pub(crate) authorization: Authorization,
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

/// How an embedded cluster decides what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Authorization {
    /// Everything is allowed
    AlwaysAllow,
    /// What Roles and bindings in the cluster allow, and everything to you without --as
    Rbac,
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
