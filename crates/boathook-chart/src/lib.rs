//! Helm charts to manifests.
//!
//! ```text
//! reference --source--> Chart --render--> Rendered { sources, crds, notes, record } --template--> helm template's text
//! folder, .tgz, …       files  engine      texts by path, for boathook_core::manifest
//! ```
//!
//! Rendering itself is Helm's own code, compiled to a WASI command and run by a plugin host with nothing but the chart's
//! files: what a chart may cost and reach is what any plugin may. This crate never names a Wasm runtime or a Kubernetes
//! client. Only `source` and `values` read files.

mod chart;
mod determinism;
mod engine;
mod glob;
mod ignore;
mod lookup;
mod render;
pub mod source;
mod template;
mod values;

pub use chart::{Chart, ChartFile, MAX_BYTES, MAX_FILES};
pub use determinism::{Unsteady, unsteady};
pub use engine::{Engine, RenderError};
pub use lookup::{GrantError, Lookup};
pub use render::{
    Capabilities, ChartRecord, Lent, LentMode, RenderOptions, Rendered, Sorted, SortedDocument, render,
    render_sorted,
};
pub use template::{Template, TemplateOptions, template};
pub use values::{Named, Values, set_file_names};
