//! Rules for names, label keys and label values, with the texts of apimachinery's `util/validation`.

use crate::resource::NameRule;

/// RFC 1123 subdomain, as apimachinery tells it.
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/// RFC 1123 label.
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// The name part of a qualified name: label keys, annotation keys, finalizers.
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
/// Label values.
pub(crate) const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
/// Keys of ConfigMap and Secret data.
pub(crate) const DATA_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Why a name breaks the rule of its kind, or `None`.
pub(crate) fn problem(name: &str, rule: NameRule) -> Option<String> {
    match rule {
        NameRule::Subdomain if name.len() > 253 => Some("must be no more than 253 bytes".to_owned()),
        NameRule::Subdomain => (!is_subdomain(name)).then(|| SUBDOMAIN.to_owned()),
        NameRule::Label if name.len() > 63 => Some("must be no more than 63 bytes".to_owned()),
        NameRule::Label if is_label(name) => None,
        NameRule::Label if is_subdomain(name) => Some("must not contain dots".to_owned()),
        NameRule::Label => Some(LABEL.to_owned()),
        NameRule::PathSegment => match name {
            "." => Some("may not be '.'".to_owned()),
            ".." => Some("may not be '..'".to_owned()),
            _ if name.contains('/') => Some("may not contain '/'".to_owned()),
            _ if name.contains('%') => Some("may not contain '%'".to_owned()),
            _ => None,
        },
    }
}

/// RFC 1123 label of at most 63 characters.
pub(crate) fn is_label(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(|c| plain(c) || c == '-')
        && text.starts_with(plain)
        && text.ends_with(plain)
}

/// RFC 1123 subdomain; its parts have no length limit of their own (the real one has none either).
pub(crate) fn is_subdomain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|part| {
            part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || c == '-')
        })
}

/// A label or annotation key: an optional subdomain and `/`, then a name of at most 63 characters.
pub(crate) fn is_qualified_name(text: &str) -> bool {
    qualified_problem(text).is_none()
}

/// Why a text is no such key, or `None`.
pub(crate) fn qualified_problem(text: &str) -> Option<String> {
    let (prefix, name) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            let rule = QUALIFIED.strip_prefix("name part").unwrap_or(QUALIFIED);
            return Some(format!(
                "a valid label key{rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
        }
    };
    match prefix {
        Some("") => return Some("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            if let Some(rule) = problem(prefix, NameRule::Subdomain) {
                return Some(format!("prefix part {rule}"));
            }
        }
        None => {}
    }
    match name {
        "" => Some("name part must be non-empty".to_owned()),
        name if name.len() > 63 => Some("name part must be no more than 63 bytes".to_owned()),
        name => (!is_label_value(name)).then(|| QUALIFIED.to_owned()),
    }
}

/// A base of generated names without the dash that many end with: it stands inside the whole name.
pub(crate) fn without_trailing_dash(base: &str) -> &str {
    match base.strip_suffix('-') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => base,
    }
}

/// A label value: empty, or at most 63 characters.
pub(crate) fn is_label_value(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63
            && text.starts_with(plain)
            && text.ends_with(plain)
            && text.chars().all(|c| plain(c) || matches!(c, '-' | '_' | '.')))
}

/// A key of ConfigMap or Secret data.
pub(crate) fn is_data_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text != "."
        && !text.starts_with("..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// The characters of generated names: no vowels, no look-alikes.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A text as the controllers write hashes: in the characters of generated names.
pub(crate) fn safe(text: &str) -> String {
    text.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

/// A name from `generateName`: five characters of the alphabet that the real server uses.
pub(crate) fn generate(base: &str) -> String {
    let mut bits = crate::uid::random_bits();
    let base: String = base.chars().take(58).collect();
    let suffix: String = (0..5)
        .map(|_| {
            let index = usize::try_from(bits % 27).unwrap_or(0);
            bits /= 27;
            char::from(ALPHABET[index])
        })
        .collect();
    base + &suffix
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("a.b-c", NameRule::Subdomain => true)]
    #[test_case("A", NameRule::Subdomain => false)]
    #[test_case("a..b", NameRule::Subdomain => false)]
    #[test_case("a.b", NameRule::Label => false)]
    #[test_case("1a", NameRule::Label => true)]
    #[test_case("system:x", NameRule::PathSegment => true)]
    #[test_case("a/b", NameRule::PathSegment => false)]
    fn names(name: &str, rule: NameRule) -> bool {
        problem(name, rule).is_none()
    }

    #[test]
    fn generated_names_keep_the_base() {
        let name = generate("web-");
        assert_eq!(name.len(), 9);
        assert!(name.starts_with("web-") && problem(&name, NameRule::Label).is_none());
        assert_ne!(name, generate("web-"));
    }
}
