//! Patterns as Go's `filepath.Match` takes them.

/// A pattern of Go's `filepath.Match`; `None` matches nothing.
#[derive(Debug)]
pub(crate) struct Pattern(Option<Vec<Token>>);

#[derive(Debug)]
enum Token {
    /// `*`: any characters but `/`.
    Star,
    /// `?`: one character but `/`.
    Any,
    /// `[a-z]`: one of these.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// Itself.
    Literal(char),
}

impl Pattern {
    /// # Errors
    /// Go's text for a pattern that is none.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        let bad = || "syntax error in pattern".to_owned();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => Token::Literal(chars.next().ok_or_else(bad)?),
                '[' => {
                    let negated = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    // A class holds something, so that `]` cannot stand first.
                    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
                        let low = bound(&mut chars).ok_or_else(bad)?;
                        let high = match chars.next_if_eq(&'-') {
                            Some(_) => bound(&mut chars).ok_or_else(bad)?,
                            None => low,
                        };
                        ranges.push((low, high));
                    }
                    Token::Class { negated, ranges }
                }
                c => Token::Literal(c),
            });
        }
        Ok(Self(Some(tokens)))
    }

    pub(crate) fn nothing() -> Self {
        Self(None)
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.as_ref().is_some_and(|tokens| matches(tokens, &name))
    }
}

/// One end of a range in a class.
fn bound(chars: &mut impl Iterator<Item = char>) -> Option<char> {
    match chars.next()? {
        '\\' => chars.next(),
        '-' | ']' => None,
        c => Some(c),
    }
}

/// Greedy, with one place to come back to: behind the last star, one character further. No star reaches over a `/`, so an
/// earlier one has nothing to offer that the last one has not.
fn matches(tokens: &[Token], name: &[char]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        match tokens.get(token) {
            Some(Token::Star) => {
                token += 1;
                back = Some((token, at));
                continue;
            }
            Some(one) if name.get(at).is_some_and(|c| one.takes(*c)) => {
                token += 1;
                at += 1;
                continue;
            }
            None if at == name.len() => return true,
            _ => {}
        }
        match back {
            Some((behind, start)) if name.get(start).is_some_and(|c| *c != '/') => {
                (token, at) = (behind, start + 1);
                back = Some((behind, start + 1));
            }
            _ => return false,
        }
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => c != '/',
            Self::Literal(literal) => c == *literal,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}
