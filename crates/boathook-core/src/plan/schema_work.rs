//! How much work a plugin's schema makes of a config, counted before the schema is used. A validator follows every
//! `$ref` wherever it stands, so forty definitions that each name the next one twice are a trillion steps: a plugin
//! that nobody runs could hang the plan. It judges work only; what fits the schema is the validator's business.

use serde_json::{Map, Value};

/// Steps (a schema looked at together with a value) that a check may take. A generated schema takes some tens for each
/// value of the config; this many take about a second.
const MAX_STEPS: u32 = 200_000;
/// Schemas within each other, references followed.
const MAX_DEPTH: u32 = 256;
/// Keywords whose schemas are about the same value.
const SAME_VALUE: [&str; 8] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"];
/// References whose target depends on the way to them.
const DYNAMIC: [&str; 4] = ["$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor"];

/// Refuses a schema whose check of `config` would take too long, or whose work cannot be foreseen.
///
/// # Errors
/// Why, in a few words.
pub(super) fn check(schema: &Value, config: &Map<String, Value>) -> Result<(), &'static str> {
    let mut walk = Walk { root: schema, steps: 0 };
    walk.object(schema, config, 0)
}

struct Walk<'a> {
    root: &'a Value,
    steps: u32,
}

impl<'a> Walk<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, depth: u32) -> Result<(), &'static str> {
        match value {
            Value::Object(map) => self.object(schema, map, depth),
            Value::Array(items) => self.array(schema, items, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.here(schema, depth, |walk, schema, depth| walk.value(schema, value, depth)).map(drop)
            }
        }
    }

    fn object(
        &mut self,
        schema: &'a Value,
        map: &Map<String, Value>,
        depth: u32,
    ) -> Result<(), &'static str> {
        let again = |walk: &mut Self, schema, depth| walk.object(schema, map, depth);
        let Some(keywords) = self.here(schema, depth, again)? else { return Ok(()) };
        for (key, value) in map {
            let named = keywords.get("properties").and_then(|properties| properties.get(key));
            let patterns = keywords.get("patternProperties").and_then(Value::as_object);
            let others = ["additionalProperties", "unevaluatedProperties"];
            let others = others.iter().filter_map(|keyword| keywords.get(*keyword));
            for schema in named.into_iter().chain(patterns.into_iter().flat_map(Map::values)).chain(others) {
                self.value(schema, value, depth + 1)?;
            }
            if let Some(schema) = keywords.get("propertyNames") {
                self.value(schema, &Value::Null, depth + 1)?;
            }
        }
        Ok(())
    }

    fn array(&mut self, schema: &'a Value, items: &[Value], depth: u32) -> Result<(), &'static str> {
        let again = |walk: &mut Self, schema, depth| walk.array(schema, items, depth);
        let Some(keywords) = self.here(schema, depth, again)? else { return Ok(()) };
        for (index, item) in items.iter().enumerate() {
            for keyword in ["items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"] {
                match keywords.get(keyword) {
                    Some(Value::Array(schemas)) => {
                        if let Some(schema) = schemas.get(index) {
                            self.value(schema, item, depth + 1)?;
                        }
                    }
                    Some(schema) => self.value(schema, item, depth + 1)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Counts one step and follows what is about the same value; the schema's keywords, if it has any.
    fn here(
        &mut self,
        schema: &'a Value,
        depth: u32,
        mut again: impl FnMut(&mut Self, &'a Value, u32) -> Result<(), &'static str>,
    ) -> Result<Option<&'a Map<String, Value>>, &'static str> {
        self.steps += 1;
        if self.steps > MAX_STEPS || depth > MAX_DEPTH {
            return Err("checking a config against it would take too long");
        }
        let Some(keywords) = schema.as_object() else { return Ok(None) };
        // With an identifier of its own, what stands below is found under other names than ours.
        let is_renamed =
            !std::ptr::eq(schema, self.root) && ["$id", "id"].iter().any(|id| keywords.contains_key(*id));
        if is_renamed || DYNAMIC.iter().any(|keyword| keywords.contains_key(*keyword)) {
            return Err("it uses references other than #/…");
        }
        if let Some(reference) = keywords.get("$ref") {
            again(self, self.target(reference)?, depth + 1)?;
        }
        for keyword in SAME_VALUE {
            match keywords.get(keyword) {
                Some(Value::Array(schemas)) => {
                    schemas.iter().try_for_each(|schema| again(self, schema, depth + 1))?;
                }
                Some(Value::Object(schemas)) if keyword == "dependentSchemas" => {
                    schemas.values().try_for_each(|schema| again(self, schema, depth + 1))?;
                }
                Some(schema) => again(self, schema, depth + 1)?,
                None => {}
            }
        }
        // The older name of `dependentSchemas`; its lists are of property names.
        if let Some(Value::Object(dependencies)) = keywords.get("dependencies") {
            let schemas = dependencies.values().filter(|dependency| !dependency.is_array());
            for schema in schemas {
                again(self, schema, depth + 1)?;
            }
        }
        Ok(Some(keywords))
    }

    fn target(&self, reference: &Value) -> Result<&'a Value, &'static str> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
        pointer
            .filter(|pointer| !pointer.contains('%'))
            .and_then(|pointer| self.root.pointer(pointer))
            .ok_or("it uses references other than #/…")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, config: &Value) -> Result<(), &'static str> {
        super::check(schema, config.as_object().unwrap())
    }

    /// Definitions that each name the next one twice, below `keyword`.
    fn doubling(keyword: &str) -> Value {
        let mut definitions = Map::new();
        for number in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", number + 1)});
            definitions.insert(format!("d{number}"), json!({keyword: [next, next]}));
        }
        definitions.insert("d40".to_owned(), json!({}));
        json!({"$defs": definitions, "$ref": "#/$defs/d0"})
    }

    #[test]
    fn references_that_double_are_refused_before_they_are_followed() {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let refused = check(&doubling(keyword), &json!({}));
            assert_eq!(refused, Err("checking a config against it would take too long"), "{keyword}");
        }
        let mut below = doubling("allOf");
        below["$ref"] = json!("#/$defs/outer");
        below["$defs"]["outer"] = json!({"properties": {"a": {"items": {"$ref": "#/$defs/d0"}}}});
        assert!(check(&below, &json!({"a": [1]})).is_err());
        assert_eq!(check(&below, &json!({"b": 1})), Ok(()), "what is not there costs nothing");
    }

    #[test]
    fn a_reference_to_itself_ends() {
        assert!(check(&json!({"$ref": "#"}), &json!({})).is_err());
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        assert_eq!(check(&tree, &json!({"left": {"right": {}}})), Ok(()));
    }

    #[test]
    fn references_that_cannot_be_foreseen_are_refused() {
        for schema in [
            json!({"$ref": "#name"}),
            json!({"$ref": "https://example.com/x"}),
            json!({"allOf": [{"$id": "urn:x", "$ref": "#"}]}),
            json!({"$dynamicRef": "#/x"}),
            json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": {}}}),
        ] {
            assert_eq!(check(&schema, &json!({})), Err("it uses references other than #/…"), "{schema}");
        }
        assert_eq!(check(&json!({"$id": "urn:x", "properties": {"id": {}}}), &json!({"id": 1})), Ok(()));
    }

    #[test]
    fn a_large_config_is_fine() {
        let schema = json!({
            "$defs": {"entry": {"anyOf": [{"type": "string"}, {"properties": {"key": {"type": "string"}}}]}},
            "properties": {"entries": {"items": {"$ref": "#/$defs/entry"}}},
        });
        let entries: Vec<Value> = (0..10_000).map(|number| json!({"key": number})).collect();
        assert_eq!(check(&schema, &json!({"entries": entries})), Ok(()));
    }
}
