//! The target of a request: path and query, percent-encoded once. These bytes are signed, and these bytes are sent.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the characters that RFC 3986 calls unreserved, so that no layer below finds anything to normalise.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path with its query, built from parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    text: String,
    queried: bool,
}

impl Target {
    /// Starts from a fixed path such as `/api/v1/sub-accounts`.
    pub(super) fn new(path: &'static str) -> Self {
        Self { text: path.to_owned(), queried: false }
    }

    /// Adds one segment to the path, whatever characters it holds.
    pub(super) fn segment(mut self, segment: &str) -> Self {
        self.text.push('/');
        self.text.extend(utf8_percent_encode(segment, ENCODED));
        self
    }

    /// Adds one pair to the query, after the path is whole.
    pub(super) fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.text.push(if self.queried { '&' } else { '?' });
        self.queried = true;
        self.text.extend(utf8_percent_encode(name, ENCODED));
        self.text.push('=');
        self.text.extend(utf8_percent_encode(&value.to_string(), ENCODED));
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_targets_come_out_as_their_signature_vectors_have_them() {
        let list = Target::new("/api/v1/sub-accounts").query("page", 0).query("size", 10);
        assert_eq!(list.as_str(), "/api/v1/sub-accounts?page=0&size=10");
        let search = Target::new("/api/v1/sub-accounts")
            .query("searchColumn", "name")
            .query("searchWord", "홍길동")
            .query("page", 0)
            .query("size", 10);
        assert_eq!(
            search.as_str(),
            "/api/v1/sub-accounts?searchColumn=name&searchWord=%ED%99%8D%EA%B8%B8%EB%8F%99&page=0&size=10"
        );
    }

    #[test]
    fn no_segment_can_leave_its_place() {
        let target = |id: &str| Target::new("/p").segment(id).segment("password").as_str().to_owned();
        assert_eq!(target("a/b"), "/p/a%2Fb/password");
        assert_eq!(target("a?b#c%d e"), "/p/a%3Fb%23c%25d%20e/password");
        assert_eq!(target("A-z.0_~"), "/p/A-z.0_~/password");
    }
}
