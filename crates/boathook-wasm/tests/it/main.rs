//! The host through its port: every test makes a real `WasmHost`, runs guests of `tests/guests/` in it, and looks at
//! what comes out.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no, also in what tests share")]

mod commands;
mod components;
mod conversation;
mod fake_cluster;
mod guests;
mod hostile;
mod lookup;
mod webhook;
