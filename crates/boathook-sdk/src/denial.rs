//! A call that the hook's grant does not allow.

use std::fmt;

/// What was refused, and what would allow it. Nothing was sent; whether anything exists is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `kubernetes`, `http`.
    pub capability: String,
    /// What was refused, in one line.
    pub reason: String,
    /// The YAML lines that would allow it.
    pub grant_hint: String,
}

impl fmt::Display for Denial {
    /// The reason, and below it the lines to add.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.grant_hint.is_empty() { Ok(()) } else { write!(f, "\n{}", self.grant_hint) }
    }
}
