//! What a plugin says of itself, and how it gets into the component. On the host only: the schema is computed from the
//! config's type by code that a plugin does not carry.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::{Context, Failure, Report};

/// The package version of the WIT world that this SDK was built against.
pub const WORLD: &str = "0.1.0";
/// The custom section that holds the declaration.
pub const SECTION: &str = "boathook:plugin";

/// The declaration of a plugin; [`crate::plugin!`] calls it.
pub fn of<Config: JsonSchema>(
    _run: fn(Config, &Context) -> Result<Report, Failure>,
    name: &str,
    version: &str,
    description: &str,
    capabilities: &[(&str, &[&str], &str)],
) -> Value {
    // Draft 7 says all that a config needs, and a validator is ready with its one meta-schema sooner than with the eight of
    // 2020-12: that counts in a hook of milliseconds.
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Config>();
    let capabilities: Vec<Value> = capabilities
        .iter()
        .map(|(capability, uses, why)| json!({"capability": capability, "uses": uses, "why": why}))
        .collect();
    json!({
        "name": name,
        "version": version,
        "description": description,
        "world": WORLD,
        "configSchema": schema,
        "capabilities": capabilities,
    })
}

/// A component with its declaration appended as a custom section. A component is a sequence of sections, and custom ones
/// may stand anywhere, so nothing else changes.
pub fn append(mut component: Vec<u8>, declaration: &Value) -> Vec<u8> {
    let content = declaration.to_string();
    let mut name = Vec::new();
    leb128(&mut name, SECTION.len());
    name.extend_from_slice(SECTION.as_bytes());
    component.push(0);
    leb128(&mut component, name.len() + content.len());
    component.extend_from_slice(&name);
    component.extend_from_slice(content.as_bytes());
    component
}

fn leb128(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_an_id_a_size_a_name_and_bytes() {
        let declaration = Value::from("x".repeat(300));
        let component = append(b"\0asm\x0d\0\x01\0".to_vec(), &declaration);
        // 1 + 15 bytes of name, 302 of JSON: 318 = 0b10_0111110.
        assert_eq!(&component[8..12], [0, 0b1011_1110, 0b10, 15]);
        assert_eq!(&component[12..27], b"boathook:plugin");
        assert_eq!(&component[27..], declaration.to_string().as_bytes());
    }
}
