//! Modules and components in text form, looked into.

use boathook_core::plugin::{Capability, PluginForm, PluginInfo, PluginOrigin};
use boathook_engine::plugin_host::PluginError;
use test_case::test_case;

use super::inspect;

fn look(bytes: &[u8]) -> Result<PluginInfo, String> {
    inspect(bytes, PluginOrigin::File("x.wasm".to_owned()), "x.wasm", "x").map_err(|error| match error {
        PluginError::Invalid { message, help } => format!("{message} / {}", help.unwrap_or_default()),
        other => other.to_string(),
    })
}

fn component(imports: &[&str], declaration: Option<&str>) -> Vec<u8> {
    let imports: String = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect();
    let text =
        format!("(component {imports} (instance $run) (export \"boathook:hook/run@0.1.0\" (instance $run)))");
    with_section(wat::parse_str(text).unwrap(), declaration)
}

/// A custom section needs no more than to be appended.
fn with_section(mut wasm: Vec<u8>, declaration: Option<&str>) -> Vec<u8> {
    if let Some(json) = declaration {
        let name = "boathook:plugin";
        let size = 1 + name.len() + json.len();
        assert!(size < 1 << 14, "two bytes of LEB128");
        wasm.push(0);
        wasm.extend([(size & 0x7f) as u8 | 0x80, (size >> 7) as u8, name.len() as u8]);
        wasm.extend(name.bytes().chain(json.bytes()));
    }
    wasm
}

#[test]
fn a_component_without_a_declaration_declares_what_it_imports() {
    let info = look(&component(
        &["boathook:hook/types@0.1.0", "boathook:hook/http@0.1.7", "wasi:cli/stdout@0.2.6"],
        None,
    ))
    .unwrap();
    assert_eq!(
        (info.name.as_str(), info.form, info.declaration.world.as_str()),
        ("x", PluginForm::Component, "0.1.0")
    );
    assert_eq!(info.imports.into_iter().collect::<Vec<_>>(), [Capability::Http]);
    assert_eq!(info.declaration.capabilities[0].capability, Capability::Http);
}

#[test]
fn a_declaration_is_read() {
    let json = r#"{"name":"mine","version":"1.2.3","description":"does it","world":"0.1.0","configSchema":{"type":"object"},
        "capabilities":[{"capability":"http","why":"to post"}]}"#;
    let info =
        look(&component(&["boathook:hook/http@0.1.0", "boathook:hook/log@0.1.0"], Some(json))).unwrap();
    assert_eq!((info.name.as_str(), info.declaration.version.as_str()), ("mine", "1.2.3"));
    assert_eq!(info.declaration.config_schema, Some(serde_json::json!({"type": "object"})));
    assert_eq!(info.declaration.capabilities[0].why, "to post");
}

#[test_case(&["boathook:hook/kubernetes@0.1.0"], Some(r#"{"name":"a","capabilities":[]}"#),
    "x.wasm: it imports kubernetes but does not declare it"; "imported and not declared")]
#[test_case(&[], Some(r#"{"name":"a","world":"0.2.0"}"#),
    "x.wasm: it was built for boathook:hook@0.2.0, this host speaks 0.1.0"; "another version of the world")]
#[test_case(&[], Some(r#"{"version":"1"}"#), "x.wasm: its declaration has no name"; "no name")]
#[test_case(&[], Some(r#"{"name":"a\nok  pre-install"}"#), "x.wasm: its declaration has a name that is none"; "a name with a line break")]
#[test_case(&[], Some(r#"{"name":"a\u001b[2J"}"#), "x.wasm: its declaration has a name that is none"; "a name with an escape")]
#[test_case(&[], Some(&format!(r#"{{"name":"{}"}}"#, "a".repeat(64))), "x.wasm: its declaration has a name that is none"; "a long name")]
#[test_case(&[], Some("{"), "x.wasm: its declaration (custom section boathook:plugin) cannot be read"; "no JSON")]
#[test_case(&["boathook:hook/kubernetes@0.2.0"], None,
    "x.wasm: a component of another world: this host (boathook:hook@0.1.0) has no boathook:hook/kubernetes@0.2.0"; "newer interface")]
#[test_case(&["boathook:hook/files@0.1.0", "acme:db/store@1.0.0"], None,
    "x.wasm: a component of another world: this host (boathook:hook@0.1.0) has no boathook:hook/files@0.1.0, acme:db/store@1.0.0"; "unknown imports")]
#[test_case(&["wasi:http/types@0.2.0"], None, "x.wasm: a component of another world: this host (boathook:hook@0.1.0) has no wasi:http/types@0.2.0 / wasi:http is not linked"; "wasi http")]
#[test_case(&["wasi:cli/stdout@0.3.0"], None, "x.wasm: a component of another world"; "WASI 0.3")]
fn what_cannot_run_is_refused(imports: &[&str], declaration: Option<&str>, message: &str) {
    let found = look(&component(imports, declaration)).unwrap_err();
    assert!(found.starts_with(message), "{found}");
}

#[test]
fn a_command_may_call_everything_unless_it_declares_less() {
    let wasm = wat::parse_str("(module (func (export \"_start\")))").unwrap();
    let info = look(&wasm).unwrap();
    assert_eq!(info.form, PluginForm::Command);
    assert_eq!(info.imports.len(), Capability::ALL.len());
    assert!(info.declaration.capabilities.is_empty(), "it says nothing, so a plan asks for nothing");
    let declared = with_section(wasm, Some(r#"{"name":"a","capabilities":[{"capability":"http"}]}"#));
    let imports: Vec<Capability> = look(&declared).unwrap().imports.into_iter().collect();
    assert_eq!(imports, [Capability::Context, Capability::Http, Capability::Log]);
}

#[test]
fn a_declaration_of_an_inner_module_is_not_the_plugins() {
    let text = r#"(component
        (core module (@custom "boathook:plugin" "{\"name\":\"inner\"}"))
        (instance $run) (export "boathook:hook/run@0.1.0" (instance $run)))"#;
    assert_eq!(look(&wat::parse_str(text).unwrap()).unwrap().name, "x");
}

#[test]
fn deep_nesting_is_refused() {
    let nested = (0..12).fold(String::new(), |inner, _| format!("(component {inner})"));
    let found = look(&wat::parse_str(nested).unwrap()).unwrap_err();
    assert!(found.starts_with("x.wasm: components are nested more than 8 deep"), "{found}");
}

#[test]
fn every_cut_of_a_component_is_refused_without_a_panic() {
    let whole = component(
        &["boathook:hook/http@0.1.0"],
        Some(r#"{"name":"a","capabilities":[{"capability":"http"}]}"#),
    );
    assert!(look(&whole).is_ok());
    for end in 0..whole.len() {
        // A cut between two sections is a whole component with less in it.
        if let Ok(info) = look(&whole[..end]) {
            assert_eq!(info.name, "x", "cut at {end}");
        }
    }
}

#[test]
fn code_that_does_not_validate_is_refused_before_it_is_compiled() {
    let wasm = wat::parse_str("(module (func (export \"_start\") (result i32)))").unwrap();
    let found = look(&wasm).unwrap_err();
    assert!(found.starts_with("x.wasm: not valid WebAssembly: type mismatch"), "{found}");
}
