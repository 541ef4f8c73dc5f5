//! Where each site answers (`ncloud-api.md`, sections 2 and 3), and what may be written in a site's stead.

use std::net::IpAddr;

use reqwest::Url;

use super::transport::TransportError;
use crate::domain::account::{Kind, Site};

/// The endpoint of a kind of account on a site, scheme and host; none where the documents name none.
#[must_use]
pub const fn default_endpoint(site: Site, kind: Kind) -> Option<&'static str> {
    match (kind, site) {
        (Kind::SubAccount, Site::Public) => Some("https://subaccount.apigw.ntruss.com"),
        (Kind::SubAccount, Site::Gov) => Some("https://subaccount.apigw.gov-ntruss.com"),
        (Kind::SubAccount, Site::Fin) => Some("https://subaccount.apigw.fin-ntruss.com"),
        (Kind::DataForest, Site::Public) => Some("https://df.apigw.ntruss.com"),
        (Kind::DataForest, Site::Gov | Site::Fin) | (_, Site::Emulator) => None,
    }
}

/// An endpoint that holds scheme, host and port, and nothing that would change the signed target.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    origin: String,
    host: String,
    plain: bool,
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Result<Self, TransportError> {
        let url = Url::parse(text).map_err(|_| TransportError::Endpoint { what: "is no URL" })?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(TransportError::Endpoint { what: "names no host" });
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TransportError::Endpoint { what: "carries a user or a password" });
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(TransportError::Endpoint { what: "carries a path or a query" });
        }
        let plain = match url.scheme() {
            "https" => false,
            "http" if is_loopback(host) => true,
            "http" => return Err(TransportError::PlainHttp { host: host.to_owned() }),
            _ => return Err(TransportError::Endpoint { what: "is neither https nor http" }),
        };
        Ok(Self { origin: url.origin().ascii_serialization(), host: format!("{host}:{port}"), plain })
    }

    /// Scheme, host and port, without a slash at the end.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Host and port, for people.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether no TLS is spoken.
    pub(super) const fn is_plain(&self) -> bool {
        self.plain
    }
}

/// Whether a host is this machine, or an address that no router passes on.
pub(super) fn is_near(host: &str) -> bool {
    let link_local = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_loopback(host) || address(host).is_some_and(link_local)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_endpoint_is_one_that_the_client_takes() {
        for site in [Site::Public, Site::Gov, Site::Fin, Site::Emulator] {
            for kind in Kind::ALL {
                let Some(text) = default_endpoint(site, kind) else { continue };
                let endpoint = Endpoint::parse(text).unwrap();
                assert_eq!(endpoint.origin(), text);
                assert!(!endpoint.is_plain());
            }
        }
        assert_eq!(default_endpoint(Site::Gov, Kind::DataForest), None);
        assert_eq!(default_endpoint(Site::Emulator, Kind::SubAccount), None);
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in ["http://127.0.0.1:8610", "http://127.9.9.9:1/", "http://localhost:80", "http://[::1]:8610"] {
            assert!(Endpoint::parse(good).unwrap().is_plain(), "{good}");
        }
        for bad in ["http://10.0.0.1:8610", "http://localhost.example", "http://0.0.0.0:1", "http://127.0.0.1.example"]
        {
            assert!(matches!(Endpoint::parse(bad), Err(TransportError::PlainHttp { .. })), "{bad}");
        }
        assert_eq!(Endpoint::parse("http://[::1]:8610").unwrap().host(), "[::1]:8610");
        assert_eq!(Endpoint::parse("https://df.apigw.ntruss.com/").unwrap().host(), "df.apigw.ntruss.com:443");
    }

    #[test]
    fn anything_beyond_scheme_host_and_port_is_refused_without_being_shown() {
        for bad in [
            "",
            "df.apigw.ntruss.com",
            "https://h/api/v1",
            "https://h?a",
            "https://h#a",
            "ftp://h",
            "https://u:hunter2@h",
        ] {
            let error = Endpoint::parse(bad).unwrap_err();
            assert!(matches!(error, TransportError::Endpoint { .. }), "{bad}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
