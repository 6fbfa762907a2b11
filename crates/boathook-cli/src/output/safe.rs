//! Text from guests and clusters, made safe for a terminal and for CI: it cannot move the cursor, forge a line of ours, or
//! be read as a command of a CI system. It decides what is shown, and prints nothing.

/// One line of foreign text: control characters (C0, C1, DEL), bidi controls and zero-width characters are shown as
/// `\u{…}`, tabs become blanks, and what CI systems act on is broken up: `::set-output` at the start, `##vso[`, `##[` and
/// `##teamcity[` anywhere, because their readers look for them behind other text too.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let start = text.trim_start();
    if start.starts_with("::") || start.starts_with("##") {
        out.push('\\');
    }
    for (at, c) in text.char_indices() {
        match c {
            '#' if is_command(&text[at..]) => out.push_str("#\\"),
            '\t' => out.push_str("    "),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Whether a text starts with `##`, a word or none, and `[`.
fn is_command(text: &str) -> bool {
    text.strip_prefix("##")
        .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('['))
}

/// JSON that shows no text of others to a terminal: what [`line()`] escapes stands as `\uXXXX`, which means the same. Only
/// strings of a document hold such characters.
pub(crate) fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if is_unsafe(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out += &format!("\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The same for text that may have several lines; each is made safe on its own.
pub(crate) fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_drive_a_terminal() {
        assert_eq!(line("\x1b[31mred\x1b[0m"), "\\u{1b}[31mred\\u{1b}[0m");
        assert_eq!(line("a\rb"), "a\\u{d}b");
        assert_eq!(line("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
        assert_eq!(line("a\u{9b}31m"), "a\\u{9b}31m");
        assert_eq!(line("grüß dich\tdu"), "grüß dich    du");
    }

    #[test]
    fn breaks_up_commands_of_ci_systems() {
        assert_eq!(line("::set-env name=A::b"), "\\::set-env name=A::b");
        assert_eq!(line("  ##vso[task.setvariable]"), "\\  #\\#vso[task.setvariable]");
        assert_eq!(line("a::b"), "a::b");
        assert_eq!(line("a ##vso[task.x]b ##[c]"), "a #\\#vso[task.x]b #\\#[c]");
        assert_eq!(line("a ###teamcity[x]"), "a ##\\#teamcity[x]");
        assert_eq!(line("a ## b [c]"), "a ## b [c]");
    }

    #[test]
    fn json_means_the_same_and_drives_no_terminal() {
        let value = serde_json::json!({"a\u{9b}": "x\u{7f}\u{202e}\u{1b}\u{e0001}ü"});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains(|c| is_unsafe(c) && c != '\n'), "{text}");
        assert!(text.contains("\\u009b") && text.contains("\\udb40\\udc01"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn keeps_lines_apart() {
        assert_eq!(lines("a\n::b"), "a\n\\::b");
    }
}
