//! What the user says of values: files that are read here, texts that Helm's own parser reads in the sandbox.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::chart::MAX_BYTES;

/// The flags that set values, as they were given. Their order is Helm's: by kind, and as given within one.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// `--values`.
    pub files: Vec<Named>,
    /// `--set-json`.
    pub set_json: Vec<String>,
    /// `--set`.
    pub set: Vec<String>,
    /// `--set-string`.
    pub set_string: Vec<String>,
    /// `--set-file`.
    pub set_file: Vec<String>,
    /// The files that `set_file` names.
    pub set_files: Vec<Named>,
    /// `--set-literal`.
    pub set_literal: Vec<String>,
}

/// A file by the name that the user gave it; or why it could not be read, which Helm says when it comes to it.
#[derive(Clone, Debug)]
pub struct Named {
    /// As given.
    pub name: String,
    /// Its content.
    pub content: Result<Arc<Vec<u8>>, String>,
}

impl Named {
    /// Reads a file; `-` is stdin.
    pub fn read(name: &str) -> Self {
        let content = if name.trim() == "-" {
            limited(std::io::stdin().lock())
        } else {
            std::fs::File::open(Path::new(name)).and_then(limited)
        };
        let content = content.map(Arc::new).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("open {name}: no such file or directory"),
            std::io::ErrorKind::IsADirectory => format!("read {name}: is a directory"),
            _ => format!("open {name}: {error}"),
        });
        Self { name: name.to_owned(), content }
    }
}

fn limited(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!("more than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(content)
}

/// The files that texts of `--set-file` name: `key=path,key={path,path}`, where a backslash takes the meaning from the next
/// character. What is wrong with a text is for Helm's parser to say; here it names no file or one too many.
pub fn set_file_names(texts: &[String]) -> Vec<String> {
    let mut names: Vec<String> = texts.iter().flat_map(|text| names_in(text)).collect();
    names.sort();
    names.dedup();
    names
}

fn names_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    // The path that is being read, if one is; and whether it is one of a list.
    let (mut path, mut in_list) = (None::<String>, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(name) = &mut path else {
            match c {
                '=' => path = Some(String::new()),
                // Whatever follows is a part of the key.
                '\\' => drop(chars.next()),
                _ => {}
            }
            continue;
        };
        match c {
            '{' if name.is_empty() => in_list = true,
            ',' if in_list => names.push(std::mem::take(name)),
            '}' if in_list => in_list = false,
            ',' => names.extend(path.take()),
            '\\' => name.extend(chars.next()),
            c => name.push(c),
        }
    }
    names.extend(path);
    names
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("a=b", &["b"])]
    #[test_case("a=b,c.d[0]=e/f", &["b", "e/f"]; "several")]
    #[test_case("a=b=c", &["b=c"]; "an equals sign in a path")]
    #[test_case(r"a\=b=c\,d", &["c,d"]; "escapes")]
    #[test_case("a={b,c},d=e", &["b", "c", "e"]; "a list")]
    #[test_case("a=", &[""]; "no path")]
    #[test_case("a", &[]; "no value")]
    #[test_case("", &[]; "nothing")]
    fn files_are_named_as_helm_reads_them(text: &str, names: &[&str]) {
        assert_eq!(set_file_names(&[text.to_owned()]), names);
    }
}
