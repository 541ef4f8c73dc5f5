//! Where something answers: services of the provider, a proxy, a server's metadata.

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
    pub(super) fn parse(text: &str) -> Result<Self, Trouble> {
        let bad = (Code::BadEndpoint, "an endpoint is scheme, host and port, like \"https://host.example:8443\"");
        let url = address(text).ok_or(bad)?;
        if has_user(&url, text) {
            return Err((Code::BadEndpoint, "an endpoint has no user and no password"));
        }
        if !is_bare(&url) {
            return Err((
                Code::BadEndpoint,
                "an endpoint ends with its host or port; /api/v1/… and /api/v2/accounts/… are appended to it",
            ));
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err((
                Code::PlainHttp,
                "plain http is accepted on loopback only: passwords would cross the network in the open",
            ));
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

/// A kind of problem, and what it says.
type Trouble = (Code, &'static str);

/// Reads the address of a proxy: scheme, host and port. Plain http is usual there, and what passes through is TLS.
pub(super) fn proxy(text: &str) -> Result<String, Trouble> {
    let bad = (Code::BadEndpoint, "a proxy is scheme, host and port, like \"http://proxy.example:3128\"");
    if text.contains('@') {
        return Err((Code::InlineSecret, "`proxy` has no user and no password in it"));
    }
    let url = address(text).filter(is_bare).ok_or(bad)?;
    Ok(url.origin().ascii_serialization())
}

/// Reads the address of a server's metadata, which may have a path.
pub(super) fn metadata(text: &str) -> Result<String, Trouble> {
    let bad = (Code::BadEndpoint, "`metadata` is an address, like \"http://169.254.169.254\"");
    let url = address(text).filter(|url| !has_user(url, text)).ok_or(bad)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err((Code::BadEndpoint, "`metadata` has no query and no fragment"));
    }
    if url.scheme() == "http" && !is_loopback(&url) && !is_link_local(&url) {
        return Err((
            Code::PlainHttp,
            "plain http is accepted on loopback and link-local addresses only: keys would cross the network in the open",
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// An address of http or https, written out.
fn address(text: &str) -> Option<Url> {
    let odd = text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let url = Url::parse(text).ok()?;
    let fine = !odd && text.contains("://") && matches!(url.scheme(), "http" | "https") && url.host().is_some();
    fine.then_some(url)
}

fn has_user(url: &Url, text: &str) -> bool {
    !url.username().is_empty() || url.password().is_some() || text.contains('@')
}

fn is_bare(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none() && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_unicast_link_local(),
        Some(Host::Domain(_)) | None => false,
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

    #[test]
    fn a_proxy_is_scheme_host_and_port_on_any_machine() {
        for (text, expected) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("https://Proxy.example/", "https://proxy.example"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ] {
            assert_eq!(proxy(text), Ok(expected.to_owned()));
        }
        for (text, code) in [
            ("http://me:secret@proxy.example", Code::InlineSecret),
            ("me:secret@proxy.example:3128", Code::InlineSecret),
            ("http://@proxy.example", Code::InlineSecret),
            ("proxy.example:3128", Code::BadEndpoint),
            ("socks5://proxy.example", Code::BadEndpoint),
            ("http://proxy.example/pac", Code::BadEndpoint),
            ("http://proxy.example?x", Code::BadEndpoint),
            ("", Code::BadEndpoint),
        ] {
            assert_eq!(proxy(text).map_err(|(code, _)| code), Err(code), "{text}");
        }
    }

    #[test]
    fn metadata_is_near_or_behind_tls() {
        for (text, expected) in [
            ("http://169.254.169.254", "http://169.254.169.254"),
            ("http://169.254.169.254/latest/meta-data/", "http://169.254.169.254/latest/meta-data"),
            ("http://127.0.0.1:8610/door/metadata", "http://127.0.0.1:8610/door/metadata"),
            ("http://[fe80::1]", "http://[fe80::1]"),
            ("https://metadata.example", "https://metadata.example"),
        ] {
            assert_eq!(metadata(text), Ok(expected.to_owned()));
        }
        for (text, code) in [
            ("http://metadata.example", Code::PlainHttp),
            ("http://10.0.0.1", Code::PlainHttp),
            ("http://me@169.254.169.254", Code::BadEndpoint),
            ("http://169.254.169.254/?x", Code::BadEndpoint),
            ("http://169.254.169.254/#x", Code::BadEndpoint),
            ("169.254.169.254", Code::BadEndpoint),
        ] {
            assert_eq!(metadata(text).map_err(|(code, _)| code), Err(code), "{text}");
        }
    }
}
