//! Where calls go: in a plugin to the host, through the generated bindings; in a unit test to a script of expected calls.
//! Both sides are the same functions, so that what uses them does not know. Used by [`crate::plugin!`]; not for plugins.

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(not(target_arch = "wasm32"))]
mod script;

#[cfg(target_arch = "wasm32")]
pub use component::{Guest, GuestFailure, GuestReport, bindings, export, run};
#[cfg(target_arch = "wasm32")]
pub(crate) use component::{
    http_send, kubernetes_apply, kubernetes_create, kubernetes_delete, kubernetes_get, kubernetes_list,
    kubernetes_patch, kubernetes_wait, log_emit, outputs_progress, outputs_set,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use script::{
    Script, http_send, kubernetes_apply, kubernetes_create, kubernetes_delete, kubernetes_get,
    kubernetes_list, kubernetes_patch, kubernetes_wait, log_emit, outputs_progress, outputs_set,
};
