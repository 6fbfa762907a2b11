//! Charts that mean harm, through the program: each ends with its reason, within the memory of the sandbox and a bounded
//! time.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::env::{Run, TestEnv};
use crate::snapshot;

/// The sandbox's 256 MiB, the engine's code, and ours.
const MEMORY: u64 = 420 << 10;
/// Milliseconds of processor time, with one second of rendering.
const TIME: u64 = 8_000;

/// A chart with one template.
fn chart(template: &str) -> Option<TestEnv> {
    let env = TestEnv::with_engine()?;
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
    env.write("chart/templates/a.yaml", template);
    Some(env)
}

/// Rendering that ends by itself, on however busy a machine.
#[track_caller]
fn refuses(env: &TestEnv, more: &[&str]) -> Run {
    refuses_in("30s", env, more)
}

#[track_caller]
fn refuses_in(time: &str, env: &TestEnv, more: &[&str]) -> Run {
    let args = [&["template", "web", "chart", "--render-timeout", time][..], more].concat();
    env.refuses_within(&args, MEMORY, TIME)
}

/// The error of a chart with this template, its first 300 characters.
#[track_caller]
fn error(template: &str) -> Option<String> {
    error_in("30s", template)
}

#[track_caller]
fn error_in(time: &str, template: &str) -> Option<String> {
    let run = refuses_in(time, &chart(template)?, &[]);
    assert_eq!(run.code, Some(3), "{run}");
    Some(run.stderr.chars().take(300).collect())
}

#[test]
fn endless_loops_end_with_their_time() {
    let loops = "{{ range $i := until 10000 }}{{ range $j := until 10000 }}{{ range $k := until 10000 }}{{ end }}{{ end }}{{ end }}";
    let Some(error) = error_in("1s", loops) else { return };
    snapshot!(error, @"
    error: rendering was stopped: it did not end within 1s
      help: charts are rendered in a sandbox with 256 MiB of memory; --render-timeout gives more time
    ");
}

#[test]
fn memory_without_end_is_not_given() {
    for template in [
        r#"{{ repeat 1000000000 "x" }}"#,
        r#"{{ $x := "xxxxxxxxxxxxxxxx" }}{{ range until 40 }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}"#,
        "{{ until 2000000000 | toJson }}",
        r#"{{ range until 100000 }}{{ repeat 100000 "x" }}{{ end }}"#,
    ] {
        let Some(error) = error_in("1s", template) else { return };
        let stopped = error.starts_with("error: rendering was stopped: memory limit of 256 MiB reached")
            || error.starts_with("error: rendering was stopped: it did not end within 1s");
        assert!(stopped, "{template}: {error}");
    }
}

#[test]
fn recursion_ends() {
    for (template, wanted) in [
        (
            r#"{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}"#,
            "error: template: c/templates/a.yaml:1:",
        ),
        (r#"{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}"#, "error: "),
        (
            r#"{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t "Template" .Template) }}"#,
            "error: rendering was stopped: ",
        ),
        (
            r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }}"#,
            "error: rendering was stopped: template recursion too deep",
        ),
    ] {
        let Some(error) = error(template) else { return };
        assert!(error.starts_with(wanted), "{template}: {error}");
    }
    let Some(env) = chart(r#"{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}"#) else {
        return;
    };
    assert!(refuses(&env, &[]).stderr.contains("rendering template has a nested reference name: r"));
}

#[test]
fn environment_files_and_names_of_hosts_are_not_reached() {
    for (function, name) in [("env \"HOME\"", "env"), ("expandenv \"$HOME\"", "expandenv")] {
        let Some(error) = error(&format!("{{{{ {function} }}}}")) else { return };
        assert!(error.contains(&format!("function {name:?} not defined")), "{error}");
    }
    let looks = "a: {{ getHostByName \"localhost\" | quote }}{{ .Files.Get \"../../etc/passwd\" }}{{ .Files.Get \"/etc/passwd\" }}\n";
    let Some(env) = chart(looks) else { return };
    snapshot!(env.run(&["template", "web", "chart"]), @r#"
    exit 0
    --- stdout
    ---
    # Source: c/templates/a.yaml
    a: ""
    "#);
}

#[test]
fn patterns_and_values_that_explode_do_not() {
    let Some(env) = chart(r#"a: {{ regexMatch "(x+x+)+y" (repeat 100000 "x") }}"#) else { return };
    env.run(&["template", "web", "chart"]).ok();
    let mut aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..10 {
        aliases += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","));
    }
    env.write("aliases.yaml", aliases);
    env.write("deep.yaml", format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let mut said = String::new();
    for file in ["aliases.yaml", "deep.yaml"] {
        said += &refuses(&env, &["-f", file]).to_string();
    }
    snapshot!(said, @"
    exit 3
    --- stderr
    error: failed to parse aliases.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: document contains excessive aliasing
    exit 3
    --- stderr
    error: failed to parse deep.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: exceeded max depth of 10000
    ");
}

#[test]
fn a_schema_reaches_neither_files_nor_the_network() {
    let Some(env) = chart("") else { return };
    let mut said = String::new();
    for reference in
        ["file:///etc/passwd", "http://127.0.0.1:1/schema.json", "https://127.0.0.1:1/schema.json"]
    {
        env.write("chart/values.schema.json", format!("{{\"$ref\": \"{reference}\"}}"));
        said += &refuses(&env, &[]).to_string();
    }
    snapshot!(said, @r#"
    exit 3
    --- stderr
    error: values don't meet the specifications of the schema(s) in the following chart(s):
    c:
    failing loading "file:///etc/passwd": open /etc/passwd: Bad file number
    exit 3
    --- stderr
    error: values don't meet the specifications of the schema(s) in the following chart(s):
    c:
    failing loading "http://127.0.0.1:[port]/schema.json": HTTP request failed for http://127.0.0.1:[port]/schema.json: no network in the sandbox
    exit 3
    --- stderr
    error: values don't meet the specifications of the schema(s) in the following chart(s):
    c:
    failing loading "https://127.0.0.1:[port]/schema.json": HTTP request failed for https://127.0.0.1:[port]/schema.json: no network in the sandbox
    "#);
}

#[test]
fn links_and_special_files_are_not_followed_out_of_the_chart() {
    let Some(env) = chart("") else { return };
    let link = env.path("chart/link");
    let mut said = String::new();
    for target in ["/etc/passwd", "../other", "/proc/self/environ", ".", "loop/link"] {
        env.write("other/a", "");
        env.write("chart/loop/a", "");
        symlink(target, &link).unwrap();
        said += &refuses(&env, &[]).to_string();
        std::fs::remove_file(&link).unwrap();
    }
    let fifo = env.path("chart/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    said += &refuses(&env, &[]).to_string();
    snapshot!(said, @"
    exit 3
    --- stderr
    error: [folder]/chart/link: a link to /etc/passwd, outside of the chart
      help: copy what it leads to into the chart, or name it in .helmignore
    exit 3
    --- stderr
    error: [folder]/chart/link: a link to [folder]/other, outside of the chart
      help: copy what it leads to into the chart, or name it in .helmignore
    exit 3
    --- stderr
    error: [folder]/chart/link: a link to /proc/[pid]/environ, outside of the chart
      help: copy what it leads to into the chart, or name it in .helmignore
    exit 3
    --- stderr
    error: [folder]/chart/link: a link to a folder that it lies in
    exit 3
    --- stderr
    error: error evaluating symlink [folder]/chart/link: lstat [folder]/chart/loop/link: no such file or directory
    exit 3
    --- stderr
    error: cannot load irregular file [folder]/chart/fifo as it has file mode type bits set
    ");
    env.write("chart/.helmignore", "fifo\n");
    env.run(&["template", "web", "chart"]).ok();
}

#[test]
fn links_in_very_many_ways_are_too_many() {
    let Some(env) = chart("") else { return };
    for level in 0..20 {
        let folder = env.path(&format!("chart/l{level}"));
        std::fs::create_dir_all(&folder).unwrap();
        for way in ["a", "b", "c"] {
            symlink(format!("../l{}", level + 1), folder.join(way)).unwrap();
        }
    }
    env.write("chart/l20/file", "");
    snapshot!(refuses(&env, &[]), @"
    exit 3
    --- stderr
    error: the chart has more than 40000 files and folders
    ");
}

#[test]
fn very_many_files_are_too_many() {
    let Some(env) = chart("") else { return };
    for folder in 0..201 {
        let folder = env.path(&format!("chart/files/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        (0..100).for_each(|file| std::fs::write(folder.join(file.to_string()), "").unwrap());
    }
    snapshot!(refuses(&env, &[]), @"
    exit 3
    --- stderr
    error: the chart has more than 20000 files
    ");
}

#[test]
fn gigabytes_are_too_large() {
    let Some(env) = chart("") else { return };
    let sparse = |name: &str| {
        env.write(name, "");
        std::fs::File::options().write(true).open(env.path(name)).unwrap().set_len(1 << 30).unwrap();
    };
    sparse("values.yaml");
    let mut said = refuses(&env, &["-f", "values.yaml"]).to_string();
    sparse("chart/files/large");
    said += &refuses(&env, &[]).to_string();
    std::fs::remove_file(env.path("chart/files/large")).unwrap();
    env.write("chart/values.yaml", format!("a: {}\n", "x".repeat(90 << 20)));
    said += &refuses(&env, &[]).to_string();
    snapshot!(said, @"
    exit 3
    --- stderr
    error: open values.yaml: more than 100 MiB
    exit 3
    --- stderr
    error: error reading [folder]/chart/files/large: chart exceeds maximum decompressed size of 104857600 bytes
    exit 3
    --- stderr
    error: rendering was stopped: memory limit of 256 MiB reached (the plugin asked for 289.5 MiB)
      help: charts are rendered in a sandbox with 256 MiB of memory; --render-timeout gives more time
    ");
}

/// A `.tgz` with one entry behind a chart that is fine.
fn archive(env: &TestEnv, entry: impl FnOnce(&mut Builder<GzEncoder<Vec<u8>>>)) {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let text = b"apiVersion: v2\nname: c\nversion: 0.1.0\n";
    let mut header = Header::new_gnu();
    header.set_size(text.len() as u64);
    archive.append_data(&mut header, "c/Chart.yaml", &text[..]).unwrap();
    entry(&mut archive);
    env.write("chart.tgz", archive.into_inner().unwrap().finish().unwrap());
}

/// A header whose name is not looked at.
fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header
}

#[test]
fn archives_that_lie_are_refused() {
    let Some(env) = TestEnv::with_engine() else { return };
    let mut said = String::new();
    let mut refuse = |env: &TestEnv| {
        let args = ["template", "web", "chart.tgz"];
        said += &env.refuses_within(&args, MEMORY, TIME).to_string();
    };
    for name in
        [&b"c/../../evil"[..], b"/etc/evil", b"../evil", b"c\\..\\evil", b"c/a/../../../b", b"c:/evil"]
    {
        archive(&env, |archive| archive.append(&header(name, EntryType::Regular, 0), &b""[..]).unwrap());
        refuse(&env);
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char] {
        archive(&env, |archive| archive.append(&header(b"c/evil", kind, 0), &b""[..]).unwrap());
        refuse(&env);
    }
    archive(&env, |archive| {
        let size = 120 << 20;
        let zeros = std::io::Read::take(std::io::repeat(0), size);
        archive.append(&header(b"c/bomb", EntryType::Regular, size), zeros).unwrap();
    });
    refuse(&env);
    archive(&env, |_| ());
    let whole = std::fs::read(env.path("chart.tgz")).unwrap();
    env.write("chart.tgz", &whole[..whole.len() / 2]);
    refuse(&env);
    env.write("chart.tgz", "no archive");
    refuse(&env);
    let mut empty = GzEncoder::new(Vec::new(), Compression::fast());
    empty.write_all(&[0; 1024]).unwrap();
    env.write("chart.tgz", empty.finish().unwrap());
    refuse(&env);
    snapshot!(said, @r#"
    exit 3
    --- stderr
    error: unable to load chart archive: "c/../../evil" lies outside of the chart
    exit 3
    --- stderr
    error: unable to load chart archive: "/etc/evil" lies outside of the chart
    exit 3
    --- stderr
    error: unable to load chart archive: "../evil" lies outside of the chart
    exit 3
    --- stderr
    error: unable to load chart archive: "c\\..\\evil" lies outside of the chart
    exit 3
    --- stderr
    error: unable to load chart archive: "c/a/../../../b" lies outside of the chart
    exit 3
    --- stderr
    error: unable to load chart archive: "c:/evil" lies outside of the chart
    exit 3
    --- stderr
    error: unable to load chart archive: "c/evil" is a link or a special file
    exit 3
    --- stderr
    error: unable to load chart archive: "c/evil" is a link or a special file
    exit 3
    --- stderr
    error: unable to load chart archive: "c/evil" is a link or a special file
    exit 3
    --- stderr
    error: unable to load chart archive: "c/evil" is a link or a special file
    exit 3
    --- stderr
    error: unable to load chart archive: chart exceeds maximum decompressed size of 104857600 bytes
    exit 3
    --- stderr
    error: unable to load chart archive: incomplete deflate stream
    exit 3
    --- stderr
    error: file 'chart.tgz' does not appear to be a gzipped archive
    exit 3
    --- stderr
    error: unable to load chart archive: no files in chart archive
    "#);
}
