//! `ensure`: objects that must be there. By default what exists is left exactly as it is.
//!
//! This file is the config and the order of work; what is done with one object is in `object`. Nothing here knows about
//! any kind but for the words of its messages.

mod object;

use boathook_sdk::{Context, Failure, JsonSchema, Report, Value, info, json};
use serde::Deserialize;

use object::Outcome;

/// What must be there.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "boathook_sdk::schemars")]
#[schemars(extend("oneOf" = [{"required": ["object"]}, {"required": ["objects"]}]))]
struct Config {
    /// A manifest. The release's namespace is used where it names none.
    #[schemars(with = "Option<Manifest>")]
    object: Option<Value>,
    /// Several manifests, in this order.
    #[schemars(with = "Option<Vec<Manifest>>", length(min = 1))]
    objects: Option<Vec<Value>>,
    /// What happens to an object that exists: create leaves it exactly as it is, apply changes it to what the manifest says
    /// (server-side apply), recreate deletes it and makes it again.
    #[serde(default)]
    #[schemars(extend("default" = "create"))]
    mode: Mode,
    /// With mode apply: take fields that another manager owns.
    #[serde(default)]
    force: bool,
    /// With mode apply: also change an object that this release did not make.
    #[serde(default)]
    adopt: bool,
}

// Variants without doc comments give a plain list of words in the schema, and so a clear message for another word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "boathook_sdk::schemars")]
enum Mode {
    #[default]
    Create,
    Apply,
    Recreate,
}

// Only the schema of these two is used: a manifest itself stays a JSON value, whatever else it holds.
/// A Kubernetes object.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(crate = "boathook_sdk::schemars")]
#[allow(dead_code, reason = "only its schema is used")]
struct Manifest {
    /// Such as v1 or apps/v1.
    api_version: String,
    /// Such as ConfigMap.
    kind: String,
    /// What names it.
    metadata: Metadata,
}

/// What names an object.
#[derive(JsonSchema)]
#[schemars(crate = "boathook_sdk::schemars")]
#[allow(dead_code, reason = "only its schema is used")]
struct Metadata {
    /// The object's name.
    #[schemars(length(min = 1))]
    name: String,
    /// Its namespace, if not the release's.
    namespace: Option<String>,
}

fn run(config: Config, context: &Context) -> Result<Report, Failure> {
    let several = config.objects.is_some();
    let objects = match (config.object, config.objects) {
        (Some(object), None) => vec![object],
        (None, Some(objects)) if !objects.is_empty() => objects,
        _ => return Err(Failure::permanent("config: give either object or objects")),
    };
    let how = object::How {
        mode: config.mode,
        force: config.force,
        adopt: config.adopt,
        dry_run: context.run.dry_run,
        namespace: &context.release.namespace,
        deadline: std::time::Duration::from_millis(context.run.deadline_ms),
    };
    let mut outcomes = Vec::new();
    for object in objects {
        let outcome = object::ensure(object, &how)?;
        // One object's sentence is the report's message.
        if several {
            info!("{}", outcome.sentence());
        }
        outcomes.push(outcome);
    }
    let changed = outcomes.iter().any(|outcome| outcome.result.changed());
    let message = if several { summary(&outcomes) } else { outcomes.iter().map(Outcome::sentence).collect() };
    let objects: Vec<Value> = outcomes.iter().map(Outcome::data).collect();
    Ok(Report { message, changed, data: Some(json!({"objects": objects})) })
}

/// `3 objects: 2 created, 1 left as it is`.
fn summary(outcomes: &[Outcome]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for outcome in outcomes {
        let word = outcome.result.summary();
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let plural = if outcomes.len() == 1 { "" } else { "s" };
    format!("{} object{plural}: {}", outcomes.len(), counts.join(", "))
}

boathook_sdk::plugin! {
    name: "ensure",
    description: "Creates objects unless they exist; or applies them, or makes them anew",
    capabilities: {
        "kubernetes" ["get", "create"]: "makes the objects of its config; mode apply needs patch too, mode recreate \
                                         delete and watch",
    },
    run: run,
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        let count = boathook_sdk::case::run_all(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"), super::run);
        assert!(count >= 10, "{count} cases");
    }

    #[test]
    fn the_declaration_says_what_is_imported() {
        let declaration = super::declaration();
        assert_eq!(declaration["name"], "ensure");
        assert_eq!(declaration["capabilities"].as_array().unwrap().len(), 1);
        let manifest = include_str!("../plugin.toml");
        assert!(
            manifest.contains("name = \"ensure\"\n") && manifest.contains("capabilities = [\"kubernetes\"]")
        );
        let schema = &declaration["configSchema"];
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["mode"]["default"], "create");
        assert_eq!(schema["oneOf"].as_array().unwrap().len(), 2);
    }
}
