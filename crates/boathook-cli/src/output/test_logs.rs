//! The logs of tests once more, after all of them ended (`test --logs`): container by container under Helm's heading, in the
//! order in which the tests ran. A fold over run events.

use boathook_core::RunEvent;
use boathook_core::plan::StepId;
use boathook_core::run_event::Happening;

use super::safe;

/// All logs; nothing for tests that wrote none.
pub(crate) fn render(events: &[RunEvent]) -> String {
    let mut logs: Vec<((&StepId, &str), String)> = Vec::new();
    for event in events {
        let Happening::Log { step, source, line, .. } = &event.what else { continue };
        let key = (step, source.as_str());
        let line = format!("{}\n", safe::line(line));
        match logs.iter_mut().find(|(other, _)| *other == key) {
            Some((_, text)) => *text += &line,
            None => logs.push((key, line)),
        }
    }
    let one = |((_, source), text): ((&StepId, &str), String)| {
        let heading = match source.split_once('/') {
            Some((pod, container)) => format!("POD LOGS: {pod} ({container})"),
            None => format!("PLUGIN LOGS: {source}"),
        };
        format!("\n{}\n{text}", safe::line(&heading))
    };
    logs.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use boathook_core::run_event::LogLevel;
    use jiff::Timestamp;

    use super::*;

    fn log(step: &str, source: &str, line: &str) -> RunEvent {
        let (step, source, line) = (StepId(step.to_owned()), source.to_owned(), line.to_owned());
        RunEvent {
            time: Timestamp::UNIX_EPOCH,
            what: Happening::Log { step, source, level: LogLevel::Info, line },
        }
    }

    /// C66, C67 and D40: tests of other kinds are no error.
    #[test]
    fn each_container_has_a_heading() {
        let events = [
            log("test/1", "a/init", "one"),
            log("test/1", "a/main", "two"),
            log("test/1", "a/init", "three"),
            log("test/2", "ensure", "four"),
        ];
        assert_eq!(
            render(&events),
            "\nPOD LOGS: a (init)\none\nthree\n\nPOD LOGS: a (main)\ntwo\n\nPLUGIN LOGS: ensure\nfour\n"
        );
        assert_eq!(render(&[]), "");
    }
}
