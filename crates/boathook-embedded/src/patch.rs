//! The four kinds of patch. Each is a pure function from a live object and a patch to a new object; who may change
//! what, and what is valid, is decided by the write that follows.

pub(crate) mod apply;
pub(crate) mod json;
pub(crate) mod merge;
pub(crate) mod strategic;
