//! The bodies of answers: whole and bounded, or line by line. A line longer than its bound is cut, never collected.

use std::collections::VecDeque;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::client::Body;

/// A body that could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Larger than allowed.
    TooLarge,
    /// The connection broke.
    Broken(kube::Error),
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn whole(body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    match Limited::new(body, limit).collect().await {
        Ok(read) => Ok(read.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(error) => Err(BodyError::Broken(match error.downcast::<kube::Error>() {
            Ok(error) => *error,
            Err(error) => kube::Error::Service(error),
        })),
    }
}

/// One line of a streamed body, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    /// It was longer; the rest was dropped.
    pub(crate) cut: bool,
}

/// A body that is read line by line.
pub(crate) struct Lines {
    body: Body,
    splitter: Splitter,
    ended: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(crate) fn new(body: Body, limit: usize) -> Self {
        Self { body, splitter: Splitter { limit, ..Splitter::default() }, ended: false }
    }

    /// The next line; `None` at the end. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, kube::Error> {
        loop {
            if let Some(line) = self.splitter.ready.pop_front() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Some(data) = frame?.data_ref() {
                        self.splitter.push(data);
                    }
                }
                None => {
                    self.ended = true;
                    self.splitter.finish();
                }
            }
        }
    }
}

#[derive(Default)]
struct Splitter {
    limit: usize,
    /// The line that is not complete yet.
    open: Vec<u8>,
    cut: bool,
    ready: VecDeque<Line>,
}

impl Splitter {
    fn push(&mut self, mut data: &[u8]) {
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            self.extend(&data[..end]);
            self.close();
            data = &data[end + 1..];
        }
        self.extend(data);
    }

    fn finish(&mut self) {
        if !self.open.is_empty() {
            self.close();
        }
    }

    fn extend(&mut self, part: &[u8]) {
        let room = self.limit - self.open.len();
        self.cut |= part.len() > room;
        self.open.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn close(&mut self) {
        let mut bytes = std::mem::take(&mut self.open);
        let cut = std::mem::take(&mut self.cut);
        if !cut && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        self.ready.push_back(Line { bytes, cut });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    fn split(parts: &[&str], limit: usize) -> Vec<(String, bool)> {
        let mut splitter = Splitter { limit, ..Splitter::default() };
        for part in parts {
            splitter.push(part.as_bytes());
        }
        splitter.finish();
        splitter.ready.into_iter().map(|line| (String::from_utf8(line.bytes).unwrap(), line.cut)).collect()
    }

    #[test_case(&["a\nb\n"] => vec![("a".to_owned(), false), ("b".to_owned(), false)]; "two lines")]
    #[test_case(&["a", "b\n", "c"] => vec![("ab".to_owned(), false), ("c".to_owned(), false)]; "over frames, without a last break")]
    #[test_case(&["a\r\n\r\n"] => vec![("a".to_owned(), false), (String::new(), false)]; "carriage returns")]
    #[test_case(&["abcd", "efgh\nx\n"] => vec![("abcde".to_owned(), true), ("x".to_owned(), false)]; "cut")]
    #[test_case(&["abcde\n"] => vec![("abcde".to_owned(), false)]; "exactly the limit")]
    #[test_case(&[] => Vec::<(String, bool)>::new(); "nothing")]
    fn lines(parts: &[&str]) -> Vec<(String, bool)> {
        split(parts, 5)
    }

    proptest! {
        /// Where the frames are cut changes nothing.
        #[test]
        fn frames_do_not_matter(text in "[a-c\n]{0,40}", at in 0_usize..40) {
            let at = at.min(text.len());
            prop_assert_eq!(split(&[&text[..at], &text[at..]], 5), split(&[&text], 5));
        }
    }
}
