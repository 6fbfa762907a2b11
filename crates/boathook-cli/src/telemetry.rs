//! Logs of the libraries, for us: to stderr, off unless asked for. What users are to see are run events, not these.

use tracing_subscriber::EnvFilter;

/// Starts logging: `-vv` shows our crates' debug lines; `BOATHOOK_LOG` takes a filter.
pub(crate) fn start(verbose: u8) {
    let filter = match std::env::var("BOATHOOK_LOG") {
        Ok(filter) => EnvFilter::new(filter),
        Err(_) if verbose >= 2 => EnvFilter::new("info,boathook=debug"),
        Err(_) => return,
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
