//! A case as its file gives it: comments, the ways in which the chart is rendered, its files, and what is expected.
//!
//! ```text
//! # what it is there for
//! $ plain
//! $ prod -f prod.yaml --set 'a=b c'
//! -- chart/Chart.yaml --
//! …
//! -- chart/templates/a.yaml (json) --
//! "a JSON string, for what lines cannot hold: no line break at the end, \r\n"
//! -- prod.yaml --
//! …
//! == plain
//! the text that it gives
//! ~~ plain
//! what Helm logs
//! !! prod
//! the error that it gives instead
//! ?? prod
//! the error that ours gives, where that is different (docs/charts.md says why)
//! ```
//!
//! What lies below a name that ends in `.tgz/` goes into an archive of that name; `(link)` makes a link to what its line says.

use std::fmt;

/// One case.
pub(crate) struct Case {
    pub(crate) why: String,
    pub(crate) ways: Vec<Way>,
    pub(crate) files: Vec<File>,
}

/// One way of rendering the chart.
pub(crate) struct Way {
    pub(crate) name: String,
    /// Behind `template web chart`.
    pub(crate) args: Vec<String>,
    pub(crate) expected: Option<Expected>,
    /// The error that ours gives instead.
    pub(crate) ours: Option<String>,
}

/// What rendering gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    /// The text, or the error.
    pub(crate) result: Result<String, String>,
    /// Lines of Helm's log.
    pub(crate) log: Vec<String>,
}

/// A file, or a link.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    Text(String),
    Link(String),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(text) => write!(f, "{text}")?,
            Err(error) => write!(f, "error: {error}")?,
        }
        for line in &self.log {
            write!(f, "\n~~ {line}")?;
        }
        Ok(())
    }
}

impl Case {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut case = Self { why: String::new(), ways: Vec::new(), files: Vec::new() };
        for section in sections(text) {
            let body = section.body.as_str();
            match section.head {
                Head::Comment => case.top(body)?,
                Head::File(name) => {
                    let (path, form) = name.split_once(" (").unwrap_or((name, "text)"));
                    let content = match form {
                        "text)" => Content::Text(body.to_owned()),
                        "link)" => Content::Link(body.trim_end().to_owned()),
                        "json)" => Content::Text(
                            serde_json::from_str(body).map_err(|error| format!("{name}: {error}"))?,
                        ),
                        _ => return Err(format!("{name}: no such form")),
                    };
                    case.files.push(File { path: path.to_owned(), content });
                }
                Head::Text(name) => case.expect(name)?.result = Ok(body.to_owned()),
                Head::Error(name) => case.expect(name)?.result = Err(body.trim_end().to_owned()),
                Head::Ours(name) => {
                    self::way(&mut case.ways, name)?.ours = Some(body.trim_end().to_owned());
                }
                Head::Log(name) => case.expect(name)?.log = body.lines().map(str::to_owned).collect(),
            }
        }
        if case.ways.is_empty() { Err("no line begins with $".to_owned()) } else { Ok(case) }
    }

    fn top(&mut self, body: &str) -> Result<(), String> {
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                self.why += comment;
            } else if let Some(way) = line.strip_prefix("$ ") {
                let mut words = words(way)?;
                let name = words.remove(0);
                self.ways.push(Way { name, args: words, expected: None, ours: None });
            } else if !line.trim().is_empty() {
                return Err(format!("{line:?} is neither a comment nor a way"));
            }
        }
        Ok(())
    }

    fn expect(&mut self, name: &str) -> Result<&mut Expected, String> {
        Ok(way(&mut self.ways, name)?
            .expected
            .get_or_insert_with(|| Expected { result: Ok(String::new()), log: Vec::new() }))
    }

    /// The file again, with what is expected now.
    pub(crate) fn text(&self, before: &str) -> String {
        let starts = |line: &&str| ["== ", "!! ", "?? ", "~~ "].iter().any(|mark| line.starts_with(mark));
        let at = before.split_inclusive('\n').take_while(|line| !starts(line)).map(str::len).sum();
        let mut text = before[..at].to_owned();
        for way in &self.ways {
            let Some(expected) = &way.expected else { continue };
            let name = &way.name;
            text += &match &expected.result {
                Ok(result) => format!("== {name}\n{result}"),
                Err(error) => format!("!! {name}\n{error}\n"),
            };
            if let Some(ours) = &way.ours {
                text += &format!("?? {name}\n{ours}\n");
            }
            if !expected.log.is_empty() {
                text += &format!("~~ {name}\n{}\n", expected.log.join("\n"));
            }
        }
        text
    }
}

fn way<'a>(ways: &'a mut [Way], name: &str) -> Result<&'a mut Way, String> {
    ways.iter_mut().find(|way| way.name == name).ok_or_else(|| format!("{name}: there is no such way"))
}

/// What stands in a section's first line.
enum Head<'a> {
    Comment,
    File(&'a str),
    Text(&'a str),
    Error(&'a str),
    Ours(&'a str),
    Log(&'a str),
}

struct Section<'a> {
    head: Head<'a>,
    body: String,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section { head: Head::Comment, body: String::new() }];
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end_matches('\n');
        let head = if let Some(name) = trimmed.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            Head::File(name)
        } else if let Some(name) = trimmed.strip_prefix("== ") {
            Head::Text(name)
        } else if let Some(name) = trimmed.strip_prefix("!! ") {
            Head::Error(name)
        } else if let Some(name) = trimmed.strip_prefix("?? ") {
            Head::Ours(name)
        } else if let Some(name) = trimmed.strip_prefix("~~ ") {
            Head::Log(name)
        } else {
            if let Some(section) = sections.last_mut() {
                section.body += line;
            }
            continue;
        };
        sections.push(Section { head, body: String::new() });
    }
    sections
}

/// Words as a shell takes them: blanks divide, single quotes hold together.
pub(crate) fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quoted || words.is_empty() { Err(format!("{text:?}: quotes do not close")) } else { Ok(words) }
}
