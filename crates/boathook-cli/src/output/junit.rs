//! The report as JUnit XML, for CI systems: a test case per hook.

use boathook_core::Report;
use boathook_core::run_event::Phase;

/// The whole file.
pub(crate) fn render(report: &Report) -> String {
    let failed = report.hooks.iter().filter(|hook| hook.phase == Phase::Failed).count();
    let skipped = report.hooks.iter().filter(|hook| hook.phase == Phase::Skipped).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{} {}\" tests=\"{}\" failures=\"{failed}\" \
         skipped=\"{skipped}\" errors=\"{}\" time=\"{}\" timestamp=\"{}\">\n",
        escape(&report.operation),
        escape(&report.release.name),
        report.hooks.len(),
        usize::from(report.error.is_some() && failed == 0),
        seconds(report.duration_ms),
        report.started_at,
    );
    for hook in &report.hooks {
        out += &format!(
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{}\">\n",
            hook.event,
            escape(&format!("{}/{}", hook.kind, hook.name)),
            seconds(hook.duration_ms)
        );
        if let Some(error) = &hook.error {
            let details = error
                .hint
                .iter()
                .chain(&error.details)
                .map(|line| escape(line))
                .collect::<Vec<_>>()
                .join("\n");
            out += &format!("    <failure message=\"{}\">{details}</failure>\n", escape(&error.message));
        }
        if hook.phase == Phase::Skipped {
            out += "    <skipped/>\n";
        }
        if !hook.logs.is_empty() {
            out += &format!("    <system-out>{}</system-out>\n", escape(&hook.logs.join("\n")));
        }
        out += "  </testcase>\n";
    }
    if let Some(error) = report.error.as_ref().filter(|_| failed == 0) {
        out += &format!("  <system-err>{}</system-err>\n", escape(&error.message));
    }
    out + "</testsuite>\n"
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// Text as XML: markup escaped, characters that XML 1.0 has no place for replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
