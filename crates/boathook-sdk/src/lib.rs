//! Write a Boathook plugin in Rust: one function of typed config.
//!
//! ```
//! use boathook_sdk::{Context, Failure, Report, info, kubernetes};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize, boathook_sdk::JsonSchema)]
//! #[schemars(crate = "boathook_sdk::schemars")]
//! struct Config {
//!     /// Which ConfigMap to look at.
//!     name: String,
//! }
//!
//! fn run(config: Config, context: &Context) -> Result<Report, Failure> {
//!     let target = kubernetes::ObjectRef::new("v1", "ConfigMap", &config.name);
//!     let found = kubernetes::get(&target)?;
//!     info!("{} has {}", context.release.name, found["data"]);
//!     Ok(Report::unchanged(format!("read {target}")))
//! }
//!
//! boathook_sdk::plugin! {
//!     name: "look",
//!     description: "Looks at a ConfigMap",
//!     capabilities: { "kubernetes" ["get"]: "reads the ConfigMap" },
//!     run: run,
//! }
//! # fn main() {}
//! ```
//!
//! Compiled for `wasm32-wasip2` the functions of [`kubernetes`], [`http`], [`outputs`] and the log macros are calls of the
//! host; a plugin imports only those that it uses. Compiled for the host, for unit tests, they are answered by a
//! [`case`]. The SDK decides nothing: every permission is checked by the host.

#[cfg(not(target_arch = "wasm32"))]
pub mod case;
mod context;
#[cfg(not(target_arch = "wasm32"))]
pub mod declaration;
mod denial;
#[doc(hidden)]
pub mod host;
pub mod http;
pub mod kubernetes;
pub mod log;
mod outcome;
pub mod outputs;

pub use context::{Context, ReleaseInfo, RunInfo};
pub use denial::Denial;
pub use outcome::{Failure, Report};
pub use schemars::{self, JsonSchema};
pub use serde_json::{self, Value, json};

/// Makes a plugin of a function `fn(Config, &Context) -> Result<Report, Failure>`.
///
/// `capabilities` names the WIT interfaces that the plugin uses, each with the RBAC verbs or HTTP methods that it may need
/// (they stand in the lines that a hook without a grant is shown) and what for: the user who grants permissions reads it. The declaration is computed on the host by `declaration()`, which this macro defines; the build puts it into
/// the component (see the crate's README).
#[macro_export]
macro_rules! plugin {
    (
        name: $name:expr,
        description: $description:expr,
        capabilities: { $($capability:literal [$($uses:literal),* $(,)?] : $why:expr),* $(,)? },
        run: $run:path $(,)?
    ) => {
        /// What this plugin says of itself: JSON for the custom section `boathook:plugin`.
        #[cfg(not(target_arch = "wasm32"))]
        pub fn declaration() -> $crate::Value {
            $crate::declaration::of(
                $run,
                $name,
                env!("CARGO_PKG_VERSION"),
                $description,
                &[$(($capability, &[$($uses),*], $why)),*],
            )
        }

        #[cfg(target_arch = "wasm32")]
        struct BoathookPlugin;

        #[cfg(target_arch = "wasm32")]
        impl $crate::host::Guest for BoathookPlugin {
            fn run() -> ::core::result::Result<$crate::host::GuestReport, $crate::host::GuestFailure> {
                $crate::host::run($run)
            }
        }

        #[cfg(target_arch = "wasm32")]
        $crate::host::export!(BoathookPlugin with_types_in $crate::host::bindings);
    };
}
