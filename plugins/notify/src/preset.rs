//! The JSON that receivers understand.

use boathook_sdk::{Context, JsonSchema, Value, json};
use serde::Deserialize;

/// Whose JSON the message is in.
// Variants without doc comments give a plain list of words in the schema, and so a clear message for another word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "boathook_sdk::schemars")]
pub(crate) enum Preset {
    // Mattermost and Rocket.Chat take it too.
    #[default]
    Slack,
    Teams,
    Json,
}

impl Preset {
    /// The body for a text.
    pub(crate) fn body(self, text: &str, context: &Context) -> Value {
        match self {
            Self::Slack => json!({"text": text}),
            // Workflows takes adaptive cards only; the older connectors' text is retired.
            Self::Teams => json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [{"type": "TextBlock", "text": text, "wrap": true}],
                    },
                }],
            }),
            Self::Json => json!({
                "release": context.release.name,
                "namespace": context.release.namespace,
                "revision": context.release.revision,
                "chart": context.release.chart,
                "event": context.run.event,
                "text": text,
            }),
        }
    }
}
