//! The pure half of Boathook: manifest text becomes a plan, run events become a report.
//!
//! ```text
//! Source --parse--> Document --dialect--> Hook | Resource --order--> Plan --execute--> RunEvent... --fold--> Report
//! text + path       value + place         typed                      steps  (engine)                         data
//! ```
//!
//! Everything that can be decided is decided here, before anything runs: types of scalars, order, delete
//! policies, timeouts, which plugin with which grant, and (at each call of a plugin) whether the grant allows
//! it. Nothing in this crate does IO, reads a clock or the environment, or spawns a task other than the parser's
//! own thread.

pub mod apply_effect;
pub mod authorize;
pub mod check;
pub mod diagnostic;
pub mod dialect;
pub mod effect;
pub mod field_set;
pub mod hook;
pub mod managed_fields;
pub mod manifest;
pub mod names;
pub mod object;
pub mod operation;
pub mod order;
pub mod permissions;
pub mod plan;
pub mod plugin;
pub mod readiness;
pub mod release;
pub mod report;
pub mod run_event;
pub mod schema;
pub mod source;
pub mod three_way;
pub mod wasm_hook;

pub use diagnostic::{Diagnostic, Severity};
pub use hook::{Hook, HookEvent};
pub use object::{Gvk, Object, ObjectRef};
pub use plan::{Plan, Step};
pub use report::Report;
pub use run_event::RunEvent;
pub use source::Source;
