//! The host's side of the world `boathook:hook`, generated from `wit/`: the only `bindgen!`. Host functions are async
//! (they wait without holding a thread) and trappable (reaching a cap of the run ends the guest).

wasmtime::component::bindgen!({
    world: "hook",
    path: "../../wit",
    imports: { default: async | trappable },
    exports: { default: async },
});
