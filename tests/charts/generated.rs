//! Charts of a size that no file should hold: each file below `generated/` says how large. What the program gives is held
//! against what Helm gives, where it is at hand.

use std::path::Path;

use serde::Deserialize;

use crate::case::{Content, File};
use crate::render::{Place, helm};

/// How large a chart is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Size {
    /// What it is there for.
    why: String,
    /// Templates of each chart.
    templates: usize,
    /// Documents of each template.
    documents: usize,
    /// Bytes of filling of each document.
    filling: usize,
    /// Subcharts of each chart.
    subcharts: usize,
    /// How deep subcharts have subcharts.
    depth: usize,
    /// Bytes that are printed at least.
    at_least: usize,
}

pub(crate) fn run(path: &Path) -> datatest_stable::Result<()> {
    let size: Size = toml::from_str(&std::fs::read_to_string(path)?)?;
    let mut files = Vec::new();
    chart(&size, "chart", "root", size.depth, &mut files);
    let Some(place) = Place::new(&files)? else { return Ok(()) };
    let args = ["--set".to_owned(), "global.domain=example.com".to_owned()];
    let ours = place.boathook(&args).result?;
    assert!(ours.len() >= size.at_least, "{}: only {} bytes", size.why, ours.len());
    if let Some(helm) = helm() {
        let theirs = place.helm(&helm, &args).result?;
        // Megabytes say nothing: only where they part.
        let at = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b);
        assert!(ours == theirs, "{}: different from line {at:?}", size.why);
    }
    Ok(())
}

fn chart(size: &Size, folder: &str, name: &str, depth: usize, files: &mut Vec<File>) {
    let mut file = |path: &str, text: String| {
        files.push(File { path: format!("{folder}/{path}"), content: Content::Text(text) });
    };
    let below: Vec<String> =
        (0..if depth == 0 { 0 } else { size.subcharts }).map(|index| format!("{name}-{index}")).collect();
    let dependencies: String = below
        .iter()
        .map(|name| format!("- {{name: {name}, version: 0.1.0, condition: {name}.enabled}}\n"))
        .collect();
    file(
        "Chart.yaml",
        format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\ndependencies:\n{dependencies}"),
    );
    let enabled: String = below.iter().map(|name| format!("{name}: {{enabled: true}}\n")).collect();
    file("values.yaml", format!("{enabled}size: {}\nports: [80, 443, 8080]\n", size.documents));
    file(
        "templates/_helpers.tpl",
        format!(
            "{{{{- define \"{name}.labels\" -}}}}\napp.kubernetes.io/name: {name}\nhelm.sh/chart: {{{{ .Chart.Name }}}}-\
             {{{{ .Chart.Version | replace \"+\" \"_\" }}}}\n{{{{- end }}}}\n"
        ),
    );
    for template in 0..size.templates {
        let text = format!(
            "{{{{- range $index := until (int .Values.size) }}}}\n---\napiVersion: v1\nkind: {{{{ ternary \"Service\" \
             \"ConfigMap\" (eq 0 (mod $index 3)) }}}}\nmetadata:\n  name: {name}-{template}-{{{{ $index }}}}\n  labels:\n\
             {{{{- include \"{name}.labels\" $ | nindent 4 }}}}\ndata:\n  domain: {{{{ $.Values.global.domain | quote }}}}\n  \
             ports: {{{{ $.Values.ports | toJson | quote }}}}\n  text: |\n    {{{{- \"some text of a document \" | repeat \
             {} | wrap 72 | nindent 4 }}}}\n{{{{- end }}}}\n",
            size.filling / 24
        );
        file(&format!("templates/part-{template}.yaml"), text);
    }
    for name in below {
        chart(size, &format!("{folder}/charts/{name}"), &name, depth - 1, files);
    }
}
