//! A rule, and how it is asked of an API: in a namespace of its own, which is gone afterwards.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;

use futures::FutureExt as _;

use crate::cluster::{Api, Cluster};

/// Something that holds for every Kubernetes API.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// What it says.
    pub(crate) name: &'static str,
    /// Panics where it does not hold.
    pub(crate) check: for<'a> fn(&'a Cluster) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// The rules of a module, by the names of their functions. The compiler finds those that were forgotten.
macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        &[$(Rule { name: stringify!($name), check: |cluster| Box::pin($name(cluster)) }),*]
    };
}
pub(crate) use rules;

impl Rule {
    /// Asks an API.
    pub(crate) fn ask(self, api: Api<'_>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::of(api).await;
            let held = AssertUnwindSafe((self.check)(&cluster)).catch_unwind().await;
            cluster.clean_up().await;
            held.unwrap_or_else(|panic| resume_unwind(panic));
        });
    }
}
