//! Plays a scenario with one tool, in a namespace of its own, and writes down what comes of it.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use boathook_test_cluster::{Cluster, tools};
use boathook_tests::env::TestEnv;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::audit::{Audit, ObjectRef, Request};
use crate::record::{self, Record};
use crate::scenario::{Act, Meanwhile, Revision, Scenario, Step};
use crate::story::Story;
use crate::tool::Tool;
use crate::{Surroundings, object};

/// What Helm calls its records.
const RECORDS: &str = "sh.helm.release.v1.";
/// Resource and beginning of the name of what only Boathook has: the Lease of a release (where it may not be created the log does not know
/// its name), and the Secret beside a record. Requests to them are left out of every story; docs/differences-from-helm.md says what they
/// are.
const BOATHOOKS_OWN: [(&str, &str); 2] = [("leases", ""), ("secrets", "boathook.release.v1.")];

/// How often something is looked at that takes its time, and how long between.
const TRIES: u32 = 3_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Operations that delete ordinary objects, neighbours of one kind at once.
const DELETES_AT_ONCE: [&str; 3] = ["upgrade", "rollback", "uninstall"];

struct Play<'a> {
    cluster: &'a Cluster,
    audit: &'a Audit,
    scenario: &'a Scenario,
    tool: Tool,
    /// Of the run; also in the name of who runs it.
    namespace: String,
    env: TestEnv,
    story: Story,
    records: Vec<Record>,
    /// What was written to.
    touched: Vec<ObjectRef>,
}

/// Plays a scenario.
pub(crate) fn play(surroundings: &Surroundings, scenario: &Scenario, tool: Tool) -> Result<Story> {
    let Surroundings { cluster, audit, .. } = surroundings;
    let mut play = Play {
        cluster,
        audit,
        scenario,
        tool,
        namespace: cluster.namespace("d")?,
        env: TestEnv::with_engine().context("the chart engine was not built")?,
        story: Story::default(),
        records: Vec::new(),
        touched: Vec::new(),
    };
    play.prepare()?;
    for step in &scenario.steps {
        match &step.act {
            Act::Run(run) => play.step(step, run).with_context(|| format!("{}: {run}", tool.name()))?,
            Act::Kubectl { words, input } => play.others(words, input)?,
            Act::Edit { revision, patch } => play.edit(revision, patch)?,
        }
    }
    play.end()?;
    Ok(play.story)
}

impl Play<'_> {
    fn prepare(&mut self) -> Result<()> {
        for (path, text) in self.scenario.files() {
            self.env.write(&path, self.here(text));
        }
        let admin = std::fs::read_to_string(self.cluster.kubeconfig())?;
        self.env.write("admin", &admin);
        let mut config: Value = serde_json::from_str(&admin)?;
        let user = &mut config["users"][0]["user"];
        user["as"] = self.namespace.clone().into();
        if self.scenario.rights.is_none() {
            user["as-groups"] = json!(["system:masters"]);
        }
        self.env.write("kubeconfig", config.to_string());
        if let Some(rules) = &self.scenario.rights {
            let role = format!(
                "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: limited}}, rules: {rules}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: limited}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: limited}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: NAMESPACE}}]
"
            );
            self.others("create -f -", &role)?;
        }
        if !self.scenario.before.is_empty() {
            self.others("create -f -", &self.scenario.before)?;
        }
        self.await_definitions()
    }

    /// Until kinds of the scenario are served; the namespace is part of their names.
    fn await_definitions(&self) -> Result<()> {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        for _ in 0..TRIES {
            let definitions = self.cluster.get(path)?.unwrap_or_default();
            let ours = definitions["items"].as_array().into_iter().flatten().filter(|definition| {
                definition["metadata"]["name"].as_str().is_some_and(|name| name.contains(&self.namespace))
            });
            let is_served = |definition: &Value| {
                let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
                conditions.into_iter().any(|is| is["type"] == "Established" && is["status"] == "True")
            };
            if ours.into_iter().all(is_served) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        anyhow::bail!("the kinds of the scenario are not served")
    }

    /// A text of the scenario, for this run.
    fn here(&self, text: &str) -> String {
        text.replace("NAMESPACE", &self.namespace)
    }

    /// A text of this run, for the story.
    fn shown(&self, text: &str) -> String {
        text.replace(&self.namespace, "NAMESPACE")
    }

    /// kubectl, as somebody who may do everything and is not written down.
    fn others(&self, words: &str, input: &str) -> Result<()> {
        let words = self.here(words);
        let words: Vec<&str> = words.split_whitespace().collect();
        self.env.write("input.yaml", self.here(input));
        let mut command = self.env.prepare(Command::new(tools::Tool::Kubectl.find()?), &words);
        command.args(["--namespace", &self.namespace, "--kubeconfig", "admin"]);
        command.stdin(std::fs::File::open(self.env.path("input.yaml"))?);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {}: {said}", words.join(" "));
        Ok(())
    }

    /// Changes a stored release as nobody should.
    fn edit(&mut self, edited: &Revision, patch: &str) -> Result<()> {
        let name = format!("{RECORDS}{}.v{}", edited.release, edited.revision);
        let path = format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace);
        let mut secret = self.cluster.get(&path)?.with_context(|| name.clone())?;
        record::edit(&mut secret, &serde_json::from_str(&self.here(patch))?)?;
        self.cluster.send(http::Method::PUT, &path, &secret)?;
        self.read_records()?;
        Ok(())
    }

    fn step(&mut self, step: &Step, run: &str) -> Result<()> {
        let words = self.here(step.words(self.tool, run));
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = self.tool.command(&self.env, &words, &self.namespace)?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(meanwhile) = &step.meanwhile {
            self.disturb(&mut child, meanwhile)?;
        }
        let output = child.wait_with_output()?;
        let error = self.tell_end(step, run, &output);
        let at_once = words.first().is_some_and(|word| DELETES_AT_ONCE.contains(word));
        self.tell_requests(at_once)?;
        self.tell_changed_records(&error)
    }

    /// Waits for a request of the tool, and does what is to happen then.
    fn disturb(&self, child: &mut Child, meanwhile: &Meanwhile) -> Result<()> {
        for _ in 0..TRIES {
            if self.audit.has_written(&self.namespace, &self.here(&meanwhile.after))? {
                if let Some(words) = &meanwhile.kubectl {
                    self.others(words, "")?;
                }
                if let Some(name) = &meanwhile.signal {
                    let signal: Signal = format!("SIG{name}").parse()?;
                    kill(Pid::from_raw(i32::try_from(child.id())?), signal)?;
                }
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        child.kill()?;
        anyhow::bail!("nothing was written to {}", meanwhile.after)
    }

    /// Tells how a command ended; gives its error.
    fn tell_end(&mut self, step: &Step, run: &str, output: &Output) -> String {
        let stdout = self.shown(&String::from_utf8_lossy(&output.stdout));
        let said = format!("{stdout}{}", self.shown(&String::from_utf8_lossy(&output.stderr)));
        let (wanted, code) = (step.exit(self.tool), output.status.code());
        let error = match code {
            Some(0) => String::new(),
            _ => self.shown(&self.tool.error(&self.env, output)),
        };
        if self.tool == Tool::Helm4 && code.is_some_and(|code| code != wanted) {
            self.story.unexpected += &format!("\nthe scenario says exit {wanted} of {run}\n");
        }
        // Where both fail, Boathook's exit code is in the scenario; the story has Helm's.
        let code = code.map(|code| if code == wanted && step.exit != 0 { step.exit } else { code });
        let end = code.map_or_else(|| "killed".to_owned(), |code| format!("exit {code}"));
        self.story.tell(format!("$ {run}"));
        let line = error.lines().next().unwrap_or_default();
        self.story.tell(if line.is_empty() { end } else { format!("{end}: {line}") });
        for wanted in step.says.iter().filter(|wanted| !said.contains(wanted.as_str())) {
            self.story.tell(format!("does not say {wanted:?}"));
        }
        if step.output {
            let lines = stdout.lines().filter(|line| !line.trim().is_empty());
            lines.for_each(|line| self.story.tell(format!("| {line}")));
        }
        error
    }

    fn tell_requests(&mut self, deletes_at_once: bool) -> Result<()> {
        let mut requests = self.audit.take(&self.namespace)?;
        requests.retain(|request| request.changed_something() && !is_boathooks_own(&request.object));
        for Request { object, .. } in &requests {
            let object = ObjectRef { subresource: String::new(), ..object.clone() };
            let is_record = object.resource == "secrets" && object.name.starts_with(RECORDS);
            if !is_record && !object.name.is_empty() && !self.touched.contains(&object) {
                self.touched.push(object);
            }
        }
        for request in &mut requests {
            request.object.name = self.shown(&request.object.name);
        }
        self.story.requests(&requests, deletes_at_once);
        Ok(())
    }

    /// Tells the revisions that are new, changed or gone.
    fn tell_changed_records(&mut self, error: &str) -> Result<()> {
        let before = self.read_records()?;
        for record in self.records.iter().filter(|record| !before.contains(record)) {
            record.summary(error).into_iter().for_each(|line| self.story.tell(line));
        }
        for gone in before.iter().filter(|old| !self.records.iter().any(|record| record.id() == old.id())) {
            self.story.tell(format!("  release {} is gone", gone.id()));
        }
        Ok(())
    }

    /// Reads them; gives what they were before.
    fn read_records(&mut self) -> Result<Vec<Record>> {
        let path = format!("/api/v1/namespaces/{}/secrets?labelSelector=owner%3Dhelm", self.namespace);
        let secrets = self.cluster.get(&path)?.unwrap_or_default();
        let records = record::read(&secrets, &|text| self.shown(text))?;
        Ok(std::mem::replace(&mut self.records, records))
    }

    /// What is left of the objects, and what stands in the records.
    fn end(&mut self) -> Result<()> {
        self.touched.sort_by_key(|object| (object.resource.clone(), object.name.clone()));
        self.story.tell("objects");
        let mut lines = Vec::new();
        for object in &self.touched {
            // A namespace takes its time to go.
            let going = |found: &Value| {
                object.resource == "namespaces" && found.pointer("/metadata/deletionTimestamp").is_some()
            };
            if let Some(found) = self.cluster.get(&object.path())?.filter(|found| !going(found)) {
                let found: Value = serde_json::from_str(&self.shown(&found.to_string()))?;
                let slug = self.shown(&object.slug());
                lines.extend(object::lines(&slug, found));
            }
        }
        self.story.lines.append(&mut lines);
        for record in std::mem::take(&mut self.records) {
            self.story.lines.extend(record.details());
        }
        Ok(())
    }
}

fn is_boathooks_own(object: &ObjectRef) -> bool {
    BOATHOOKS_OWN.iter().any(|(resource, name)| object.resource == *resource && object.name.starts_with(name))
}
