//! The harness of the chart cases: each file below `cases/` is a chart with the ways in which it is rendered, and what Helm
//! 4.3.1 gave for each. The program must give the same; where that helm is at hand (`BOATHOOK_HELM`, or on the PATH) it is
//! asked too, so that what is written down is true. `UPDATE_CASES=1` has Helm write it down anew.

mod case;
mod generated;
mod render;

use std::path::Path;

use case::{Case, Expected};
use render::Place;

/// What no case shows: each run of a case looks at all that it says.
fn run(path: &Path) -> datatest_stable::Result<()> {
    let text = std::fs::read_to_string(path)?;
    let mut case = Case::read(&text)?;
    let Some(place) = Place::new(&case.files)? else { return Ok(()) };
    let update = std::env::var("UPDATE_CASES").as_deref() == Ok("1");
    let helm = render::helm();
    assert!(!update || helm.is_some(), "there is no helm 4.3.1 that could write anything down");
    let mut differences = String::new();
    for way in &mut case.ways {
        if let Some(helm) = &helm {
            let theirs = place.helm(helm, &way.args);
            if update {
                way.expected = Some(theirs.clone());
            }
            compare("helm", &way.name, way.expected.as_ref(), &theirs, &mut differences);
        }
        let expected = match (&way.ours, &way.expected) {
            (Some(ours), Some(Expected { log, .. })) => {
                Some(Expected { result: Err(ours.clone()), log: log.clone() })
            }
            _ => way.expected.clone(),
        };
        compare("boathook", &way.name, expected.as_ref(), &place.boathook(&way.args), &mut differences);
    }
    if update {
        std::fs::write(path, case.text(&text))?;
    }
    // A panic, because the harness prints errors on one line.
    assert!(differences.is_empty(), "{}{differences}", case.why);
    Ok(())
}

fn compare(who: &str, way: &str, expected: Option<&Expected>, found: &Expected, differences: &mut String) {
    if expected != Some(found) {
        let wanted = expected.map_or_else(|| "nothing yet".to_owned(), ToString::to_string);
        *differences += &format!("\n=== {way}: expected\n{wanted}\n=== {who} gave\n{found}\n");
    }
}

datatest_stable::harness! {
    { test = run, root = "charts/cases", pattern = r"\.txtar$" },
    { test = generated::run, root = "charts/generated", pattern = r"\.toml$" },
}
