//! boathook-wasm
