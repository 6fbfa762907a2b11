//! Text from guests and clusters, made safe for a terminal and for CI: it cannot move the cursor, forge a line of ours, or
//! be read as a command of a CI system.

/// One line of foreign text: control characters (C0, C1, DEL), bidi controls and zero-width characters are shown as
/// `\u{…}`, tabs become blanks, and a prefix that CI systems act on (`::set-output`, `##vso[`, `##[`) is broken up.
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let start = text.trim_start();
    if start.starts_with("::") || start.starts_with("##") {
        out.push('\\');
    }
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
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
        assert_eq!(line("  ##vso[task.setvariable]"), "\\  ##vso[task.setvariable]");
        assert_eq!(line("a::b"), "a::b");
    }

    #[test]
    fn keeps_lines_apart() {
        assert_eq!(lines("a\n::b"), "a\n\\::b");
    }
}
