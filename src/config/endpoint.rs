//! Where a service answers: scheme, host and port, and nothing else.

use std::fmt;

use url::{Host, Url};

use super::problem::Code;

/// `https://host[:port]`, or plain http on loopback. The paths of the calls are appended to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(String);

impl Endpoint {
    /// Scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads an endpoint; the error is a kind of problem and what it says.
    pub(super) fn parse(text: &str) -> Result<Self, (Code, &'static str)> {
        let bad = (Code::BadEndpoint, "an endpoint is scheme, host and port, like \"https://host.example:8443\"");
        let odd = text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
        let url = Url::parse(text).map_err(|_| bad)?;
        if odd || !text.contains("://") || !matches!(url.scheme(), "http" | "https") {
            return Err(bad);
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err((Code::BadEndpoint, "an endpoint has no user and no password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err((
                Code::BadEndpoint,
                "an endpoint ends with its host or port; /api/v1/… and /api/v2/accounts/… are appended to it",
            ));
        }
        let loopback = match url.host().ok_or(bad)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if url.scheme() == "http" && !loopback {
            return Err((
                Code::PlainHttp,
                "plain http is accepted on loopback only: passwords would cross the network in the open",
            ));
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_scheme_host_and_port() {
        for (text, expected) in [
            ("http://127.0.0.1:8610", "http://127.0.0.1:8610"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("http://[::1]:8610/", "http://[::1]:8610"),
            ("http://localhost:8610", "http://localhost:8610"),
            ("https://DF.example", "https://df.example"),
            ("https://df.example:443", "https://df.example"),
        ] {
            assert_eq!(Endpoint::parse(text).map(|endpoint| endpoint.0), Ok(expected.to_owned()), "{text}");
        }
        for (text, code) in [
            ("http://df.example", Code::PlainHttp),
            ("http://localhost.evil.example", Code::PlainHttp),
            ("http://10.0.0.1", Code::PlainHttp),
            ("http://0.0.0.0:1", Code::PlainHttp),
            ("https://df.example/api/v1", Code::BadEndpoint),
            ("https://df.example?x", Code::BadEndpoint),
            ("https://df.example#x", Code::BadEndpoint),
            ("https://user@df.example", Code::BadEndpoint),
            ("https://user:pass@df.example", Code::BadEndpoint),
            ("https://@df.example", Code::BadEndpoint),
            ("ftp://df.example", Code::BadEndpoint),
            ("df.example", Code::BadEndpoint),
            ("127.0.0.1:8610", Code::BadEndpoint),
            ("https:df.example", Code::BadEndpoint),
            ("https://df.example ", Code::BadEndpoint),
            ("https://", Code::BadEndpoint),
            ("https://df.example:99999", Code::BadEndpoint),
            ("", Code::BadEndpoint),
        ] {
            assert_eq!(Endpoint::parse(text).map_err(|(code, _)| code), Err(code), "{text}");
        }
    }
}
