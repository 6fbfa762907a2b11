//! Where text came from: the input of the whole path, and the places that diagnostics point at.

use serde::{Deserialize, Serialize};

/// One file (or stdin) of manifest text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The path as Helm would know it: relative to the source's folder, with `/`. It takes part in the order of
    /// hooks (the fourth key), so it must not depend on where the folder lies.
    pub path: String,
    /// The text as read; encodings other than UTF-8 are refused before this point.
    pub text: String,
}

/// A place in a source: lines and columns count from 1, documents from 0 within their file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// [`Source::path`].
    pub path: String,
    /// Index of the document in its file, as Helm splits it.
    pub document: usize,
    /// Line of the document's first line that holds anything but white space or a comment.
    pub line: usize,
}
