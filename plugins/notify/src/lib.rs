//! `notify`: one POST to a webhook. The text of the message is made in `template`, its JSON in `preset`; this file is
//! the config, the request, and what an answer means.

mod preset;
mod template;

use std::collections::BTreeMap;

use boathook_sdk::http::{self, Request, Response};
use boathook_sdk::{Context, Failure, JsonSchema, Report, Value, json};
use serde::Deserialize;

use preset::Preset;
use template::Words;

/// Where to, and what.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(crate = "boathook_sdk::schemars")]
#[schemars(extend("oneOf" = [{"required": ["url"]}, {"required": ["urlFrom"]}]))]
struct Config {
    /// The webhook's URL.
    url: Option<String>,
    /// The hook's credential that is the webhook's URL: the plugin never sees it.
    url_from: Option<String>,
    /// The JSON that the receiver understands: slack is {"text": …}, teams an adaptive card, json has release, namespace,
    /// revision, chart, event and text.
    #[serde(default)]
    #[schemars(extend("default" = "slack"))]
    preset: Preset,
    /// The message, with {release}, {namespace}, {revision}, {chart} and {event} filled in; `{{` is a brace.
    text: Option<String>,
    /// A JSON body instead of a preset's; its strings are filled in like text.
    body: Option<Value>,
    /// More headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The status, or the list of them, that means success; absent: any 2xx.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMore>")]
    expect_status: Value,
}

// Only the schema of this is used: serde reads such a choice with code that would make the plugin a tenth larger.
#[derive(JsonSchema)]
#[schemars(crate = "boathook_sdk::schemars", untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum OneOrMore {
    One(#[schemars(range(min = 100, max = 599))] u16),
    More(#[schemars(length(min = 1), inner(range(min = 100, max = 599)))] Vec<u16>),
}

impl Config {
    fn is_success(&self, response: &Response) -> bool {
        match &self.expect_status {
            Value::Array(statuses) => statuses.iter().any(|status| *status == response.status),
            Value::Null => response.is_success(),
            status => *status == response.status,
        }
    }

    fn body(&self, context: &Context) -> Result<Value, Failure> {
        let words = Words::new(context);
        match (&self.body, &self.text) {
            (Some(_), Some(_)) => Err(Failure::permanent("config: give either text or body")),
            (Some(body), None) => words.fill_json(body).map_err(|error| error.in_config("body")),
            (None, text) => {
                let text = text.as_deref().unwrap_or_else(|| template::default_text(context));
                let text = words.fill(text).map_err(|error| error.in_config("text"))?;
                Ok(self.preset.body(&text, context))
            }
        }
    }
}

fn run(config: Config, context: &Context) -> Result<Report, Failure> {
    let (request, receiver) = match (&config.url, &config.url_from) {
        (Some(url), None) => (Request::new("POST", url), host_of(url).to_owned()),
        (None, Some(name)) => {
            (Request::to_credential("POST", name), format!("the webhook in credential {name}"))
        }
        _ => return Err(Failure::permanent("config: give either url or urlFrom")),
    };
    let request = config.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let response = request.json(&config.body(context)?).send().map_err(|error| unsent(error, &receiver))?;
    if !config.is_success(&response) {
        return Err(refused(&response, &receiver));
    }
    if context.run.dry_run {
        return Ok(Report::unchanged(format!("would notify {receiver}")));
    }
    let message = format!("notified {receiver} ({})", response.status);
    Ok(Report::changed(message).with_data(json!({"status": response.status})))
}

/// A denied call keeps its text whole, because it names what to add.
fn unsent(error: http::Error, receiver: &str) -> Failure {
    let denied = matches!(error, http::Error::Denied(_));
    let failure = Failure::from(error);
    if denied { failure } else { failure.of(receiver) }
}

/// 429 and 5xx pass: the receiver says to come back, or is down.
fn refused(response: &Response, receiver: &str) -> Failure {
    let answer = first_line(&response.text());
    let colon = if answer.is_empty() { "" } else { ": " };
    let message = format!("{receiver} answered {}{colon}{answer}", response.status);
    match (response.status, response.retry_after()) {
        (429 | 500..=599, Some(wait)) => Failure::retry_after(message, wait),
        (429 | 500..=599, None) => Failure::retryable(message),
        _ => Failure::permanent(message),
    }
}

/// The host of a URL, for messages: paths and queries of webhooks are secrets.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// Enough of an answer to see why: webhooks say it in one short line.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().chars().take(200).collect()
}

boathook_sdk::plugin! {
    name: "notify",
    description: "Posts a message to a webhook: Slack, Teams or any JSON",
    capabilities: { "http" ["POST"]: "sends the message to the webhook" },
    run: run,
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        let count = boathook_sdk::case::run_all(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"), super::run);
        assert!(count >= 15, "{count} cases");
    }

    #[test]
    fn only_the_host_of_a_url_is_shown() {
        assert_eq!(super::host_of("https://hooks.slack.com/services/T0/B0/x"), "hooks.slack.com");
        assert_eq!(super::host_of("http://127.0.0.1:8080?token=x"), "127.0.0.1:8080");
        assert_eq!(super::host_of("https://user:password@a.example/"), "a.example");
        assert_eq!(super::host_of("nonsense"), "nonsense");
    }

    #[test]
    fn the_declaration_names_http_only() {
        let declaration = super::declaration();
        assert_eq!(declaration["capabilities"][0]["capability"], "http");
        assert_eq!(declaration["capabilities"].as_array().unwrap().len(), 1);
        let manifest = include_str!("../plugin.toml");
        assert!(manifest.contains("name = \"notify\"\n") && manifest.contains("capabilities = [\"http\"]"));
        let schema = &declaration["configSchema"];
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["preset"]["default"], "slack");
    }
}
