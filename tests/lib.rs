//! Tests of the whole program: `conformance/` holds cases as data, `it/` runs the built program, `on_cluster/` runs it against a real
//! API server. In here is what the tests share; there is nothing of the product.

pub mod env;
pub mod every_kill;
pub mod killer;
pub mod receiver;
