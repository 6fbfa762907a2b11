//! What a write to a Job's `/status` must keep to: the rules of the real server's `ValidateJobStatusUpdate`, on which
//! everybody rests who waits for a Job that another controller ends (`spec.managedBy`). Most rules are asked only where
//! a field that they name changed: a bad old status does not hold up an unrelated write.

use serde_json::Value;

use crate::status::FieldError;

/// A Job's status, read once.
struct Status<'a> {
    value: &'a Value,
    complete: bool,
    failed: bool,
    success_criteria_met: bool,
    failure_target: bool,
}

impl<'a> Status<'a> {
    fn of(job: &'a Value) -> Self {
        let value = &job["status"];
        let is = |kind: &str| condition(value, kind, "True");
        Self {
            value,
            complete: is("Complete"),
            failed: is("Failed"),
            success_criteria_met: is("SuccessCriteriaMet"),
            failure_target: is("FailureTarget"),
        }
    }

    fn finished(&self) -> bool {
        self.complete || self.failed
    }

    /// A counter; absent is 0.
    fn count(&self, field: &str) -> i64 {
        self.value[field].as_i64().unwrap_or(0)
    }

    fn has(&self, field: &str) -> bool {
        !self.value[field].is_null()
    }

    /// A list of Pods that ended and are not counted yet.
    fn uncounted(&self, list: &str) -> &'a [Value] {
        self.value["uncountedTerminatedPods"][list].as_array().map_or(&[], Vec::as_slice)
    }
}

fn condition(status: &Value, kind: &str, wanted: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == kind && one["status"] == wanted)
}

/// What is wrong with a change of status, in the order in which the real server tells it.
pub(super) fn update(live: &Value, job: &Value) -> Vec<FieldError> {
    let (old, new) = (Status::of(live), Status::of(job));
    let mut errors = Vec::new();
    counters(&new, &mut errors);
    outcome(&old, &new, &mut errors);
    finished(job, &old, &new, &mut errors);
    indexes(job, &old, &new, &mut errors);
    pods(&old, &new, &mut errors);
    criteria(job, &new, &mut errors);
    steps(job, &old, &new, &mut errors);
    errors
}

fn counters(new: &Status<'_>, errors: &mut Vec<FieldError>) {
    for field in ["active", "succeeded", "failed", "ready", "terminating"] {
        if new.count(field) < 0 {
            let rule = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(&format!("status.{field}"), &new.value[field], rule));
        }
    }
    let mut seen = Vec::new();
    for list in ["succeeded", "failed"] {
        for (index, uid) in new.uncounted(list).iter().enumerate() {
            let field = format!("status.uncountedTerminatedPods.{list}[{index}]");
            if uid == "" {
                errors.push(FieldError::invalid(&field, uid, "must not be empty"));
            } else if seen.contains(&uid) {
                errors.push(FieldError::duplicate(&field, uid));
            } else {
                seen.push(uid);
            }
        }
    }
}

/// Whether a field is another than before.
fn moved(old: &Status<'_>, new: &Status<'_>, field: &str) -> bool {
    old.value[field] != new.value[field]
}

/// Conditions that exclude or need each other, and the time that goes with completion.
fn outcome(old: &Status<'_>, new: &Status<'_>, errors: &mut Vec<FieldError>) {
    const CONDITIONS: &str = "status.conditions";
    const COMPLETION: &str = "status.completionTime";
    let complete = old.complete != new.complete;
    let failed = old.failed != new.failed;
    if (complete || failed) && new.complete && new.failed {
        let rule = "cannot set Complete=True and Failed=true conditions";
        errors.push(FieldError::broken(CONDITIONS, rule));
    }
    if (complete || old.failure_target != new.failure_target) && new.complete && new.failure_target {
        let rule = "cannot set Complete=True and FailureTarget=true conditions";
        errors.push(FieldError::broken(CONDITIONS, rule));
    }
    let (start, completion) = (&new.value["startTime"], &new.value["completionTime"]);
    if complete || moved(old, new, "completionTime") {
        if new.has("completionTime") && !new.complete {
            let rule = "cannot set completionTime when there is no Complete=True condition";
            errors.push(FieldError::invalid(COMPLETION, completion, rule));
        }
        if !new.has("completionTime") && new.complete {
            errors.push(FieldError::required(COMPLETION, "completionTime is required for Complete jobs"));
        }
    }
    // Both are RFC 3339 in UTC with whole seconds, as the server writes them: their texts sort as they do.
    let before = start.as_str().zip(completion.as_str()).is_some_and(|(start, end)| end < start);
    if before && (moved(old, new, "startTime") || moved(old, new, "completionTime")) {
        errors.push(FieldError::invalid(COMPLETION, completion, "must be equal to or after `startTime`"));
    }
    if (failed || moved(old, new, "failedIndexes")) && new.failed && !new.failure_target {
        let rule = "cannot set Failed=True condition without the FailureTarget=true condition";
        errors.push(FieldError::broken(CONDITIONS, rule));
    }
    let criteria = old.success_criteria_met != new.success_criteria_met;
    if (complete || criteria) && new.complete && !new.success_criteria_met {
        let rule = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
        errors.push(FieldError::broken(CONDITIONS, rule));
    }
}

/// What a finished Job must have and must not have.
fn finished(job: &Value, old: &Status<'_>, new: &Status<'_>, errors: &mut Vec<FieldError>) {
    if !new.finished() {
        return;
    }
    let ended = !old.finished();
    if (ended || moved(old, new, "active")) && new.count("active") > 0 {
        let rule = "active>0 is invalid for finished job";
        errors.push(FieldError::invalid("status.active", &new.value["active"], rule));
    }
    let never_ran = job["spec"]["suspend"] == true && job["spec"]["completions"] == 0;
    if (ended || moved(old, new, "startTime")) && !new.has("startTime") && !never_ran {
        errors.push(FieldError::required("status.startTime", "startTime is required for finished job"));
    }
    let uncounted = ["succeeded", "failed"].iter().any(|list| !new.uncounted(list).is_empty());
    if (ended || moved(old, new, "uncountedTerminatedPods")) && uncounted {
        let (field, value) = ("status.uncountedTerminatedPods", &new.value["uncountedTerminatedPods"]);
        errors.push(FieldError::invalid(field, value, "must be empty for finished job"));
    }
}

fn pods(old: &Status<'_>, new: &Status<'_>, errors: &mut Vec<FieldError>) {
    let ended = old.finished() != new.finished();
    if (ended || moved(old, new, "terminating")) && new.finished() && new.count("terminating") > 0 {
        let rule = "terminating>0 is invalid for finished job";
        errors.push(FieldError::invalid("status.terminating", &new.value["terminating"], rule));
    }
    let changed = moved(old, new, "ready") || moved(old, new, "active");
    if changed && new.has("ready") && new.count("ready") > new.count("active") {
        let rule = "cannot set more ready pods than active";
        errors.push(FieldError::invalid("status.ready", &new.value["ready"], rule));
    }
}

/// What goes with the condition that a success is decided, whatever changed.
fn criteria(job: &Value, new: &Status<'_>, errors: &mut Vec<FieldError>) {
    let policy = !job["spec"]["successPolicy"].is_null();
    for (broken, rule) in [
        (
            new.success_criteria_met && new.failed,
            "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        ),
        (
            new.success_criteria_met && new.failure_target,
            "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        ),
        (
            policy && !new.success_criteria_met && new.complete,
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        ),
    ] {
        if broken {
            errors.push(FieldError::broken("status.conditions", rule));
        }
    }
}

fn indexes(job: &Value, old: &Status<'_>, new: &Status<'_>, errors: &mut Vec<FieldError>) {
    let text = |status: &Status<'_>, field: &str| status.value[field].as_str().unwrap_or_default().to_owned();
    let completed = text(new, "completedIndexes");
    let completed_moved = completed != text(old, "completedIndexes");
    let failed_moved = old.value["failedIndexes"] != new.value["failedIndexes"];
    let completions = job["spec"]["completions"].as_i64();
    if completed_moved {
        let field = "status.completedIndexes";
        if let Some(problem) = completions.and_then(|limit| read_indexes(&completed, limit).err()) {
            let rule = format!("error parsing completedIndexes: {problem}");
            errors.push(FieldError::invalid(field, &Value::from(completed.as_str()), &rule));
        }
        if !completed.is_empty() && job["spec"]["completionMode"] != "Indexed" {
            let rule = "cannot set non-empty completedIndexes when non-indexed completion mode";
            errors.push(FieldError::invalid(field, &Value::from(completed.as_str()), rule));
        }
    }
    let Some(failed) = new.value["failedIndexes"].as_str() else { return };
    let mut wrong = |rule: &str| {
        errors.push(FieldError::invalid("status.failedIndexes", &Value::from(failed), rule));
    };
    let per_index = !job["spec"]["backoffLimitPerIndex"].is_null();
    let parsed = completions.map(|limit| (read_indexes(failed, limit), read_indexes(&completed, limit)));
    if failed_moved {
        if let (true, Some((Err(problem), _))) = (per_index, &parsed) {
            wrong(&format!("error parsing failedIndexes: {problem}"));
        }
        if !per_index {
            wrong("cannot set non-null failedIndexes when backoffLimitPerIndex is null");
        }
    }
    if let Some((Ok(failed), Ok(completed))) = parsed
        && (failed_moved || completed_moved)
        && let Some((a, b)) =
            failed.iter().find_map(|a| completed.iter().find(|b| a.0 <= b.1 && b.0 <= a.1).map(|b| (*a, *b)))
    {
        let index = a.0.max(b.0);
        wrong(&format!("failedIndexes and completedIndexes overlap at index: {index}"));
    }
}

/// `1,3-5`: intervals that grow, below `limit`.
fn read_indexes(text: &str, limit: i64) -> Result<Vec<(i64, i64)>, String> {
    let mut intervals: Vec<(i64, i64)> = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (first, last) = interval(part, limit)?;
        if let Some((_, previous)) = intervals.last()
            && *previous >= first
        {
            return Err(format!("non-increasing order, previous: {previous}, current: {first}"));
        }
        intervals.push((first, last));
    }
    Ok(intervals)
}

fn interval(part: &str, limit: i64) -> Result<(i64, i64), String> {
    let index = |text: &str| match text.parse::<i64>() {
        Ok(index) if index >= limit => Err(format!("too large index: {text:?}")),
        Ok(index) => Ok(index),
        Err(_) => Err(format!("cannot convert string to integer for index: {text:?}")),
    };
    match part.split('-').collect::<Vec<_>>().as_slice() {
        [one] => Ok((index(one)?, index(one)?)),
        [first, last] => {
            let (first, last) = (index(first)?, index(last)?);
            if first >= last {
                return Err(format!("non-increasing order, previous: {first}, current: {last}"));
            }
            Ok((first, last))
        }
        _ => Err(format!(
            "the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'"
        )),
    }
}

/// What only goes one way.
fn steps(job: &Value, old: &Status<'_>, new: &Status<'_>, errors: &mut Vec<FieldError>) {
    for (kind, was, is) in [
        ("Failed", old.failed, new.failed),
        ("Complete", old.complete, new.complete),
        ("FailureTarget", old.failure_target, new.failure_target),
    ] {
        if was && !is {
            let rule = format!("cannot disable the terminal {kind}=True condition");
            errors.push(FieldError::broken("status.conditions", &rule));
        }
    }
    let spec = &job["spec"];
    let scaled = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
    for (field, may_fall) in [("failed", false), ("succeeded", scaled)] {
        if new.count(field) < old.count(field) && !may_fall {
            let rule = format!("cannot decrease the {field} counter");
            let value = Value::from(new.count(field));
            errors.push(FieldError::invalid(&format!("status.{field}"), &value, &rule));
        }
    }
    if new.has("completionTime") && old.has("completionTime") && moved(old, new, "completionTime") {
        let value = &new.value["completionTime"];
        errors.push(FieldError::invalid("status.completionTime", value, "field is immutable"));
    }
    // The write that ends a suspension takes the old start away.
    let resuming = condition(old.value, "Suspended", "True") && condition(new.value, "Suspended", "False");
    if old.has("startTime") && moved(old, new, "startTime") && !resuming && spec["suspend"] != true {
        let rule = "field is immutable for unsuspended job once set";
        errors.push(FieldError::invalid("status.startTime", &new.value["startTime"], rule));
    }
    if old.success_criteria_met && !new.success_criteria_met {
        let rule = "cannot disable the SuccessCriteriaMet=True condition";
        errors.push(FieldError::broken("status.conditions", rule));
    }
    if old.complete && !old.success_criteria_met && new.success_criteria_met {
        let rule = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        errors.push(FieldError::broken("status.conditions", rule));
    }
}
