//! How objects are written: applied by the server, or patched by the client as Helm 3 did it. A release remembers which.

use serde::{Deserialize, Serialize};

/// How objects are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplyMethod {
    /// Server-side apply.
    #[default]
    #[serde(rename = "ssa")]
    ServerSide,
    /// Creation, and three-way patches.
    #[serde(rename = "csa")]
    ClientSide,
}

/// The user's wish (`--server-side`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerSide {
    /// As the release has it.
    Auto,
    /// Server-side.
    Yes,
    /// Client-side.
    No,
}

impl ServerSide {
    /// What the wish comes to, given `apply_method` of a record. Helm 3 and Helm before 4 know no method: that is
    /// client-side.
    pub fn resolve(self, recorded: Option<&str>) -> ApplyMethod {
        match self {
            Self::Auto => ApplyMethod::recorded(recorded),
            Self::Yes => ApplyMethod::ServerSide,
            Self::No => ApplyMethod::ClientSide,
        }
    }
}

impl ApplyMethod {
    /// The method that a record's `apply_method` means.
    pub fn recorded(recorded: Option<&str>) -> Self {
        match recorded {
            Some("ssa") => Self::ServerSide,
            _ => Self::ClientSide,
        }
    }

    /// Helm's word in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerSide => "ssa",
            Self::ClientSide => "csa",
        }
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    /// C40.
    #[test_case(ServerSide::Auto, Some("ssa") => "ssa")]
    #[test_case(ServerSide::Auto, Some("csa") => "csa")]
    #[test_case(ServerSide::Auto, None => "csa"; "a record of Helm 3")]
    #[test_case(ServerSide::Yes, Some("csa") => "ssa")]
    #[test_case(ServerSide::No, Some("ssa") => "csa")]
    fn resolves(wish: ServerSide, recorded: Option<&str>) -> &'static str {
        wish.resolve(recorded).as_str()
    }
}
