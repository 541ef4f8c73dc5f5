//! How a service across a network is reached: how long an answer is waited for, through which proxy, vouched for by whom.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use jiff::SignedDuration;
use toml::Spanned;
use url::Url;

use super::endpoint;
use super::environment::Environment;
use super::keys::{KeyProblem, SecretSource};
use super::problem::{Code, Problem};
use super::raw::{self, Text};
use super::reader::{Reader, refuse};
use super::{defaults, duration, sources};

/// How a service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// How long an answer is waited for: [`Self::REQUEST_TIMEOUTS`].
    pub request_timeout: SignedDuration,
    /// The proxy, when there is one.
    pub proxy: Option<Proxy>,
    /// CA certificates (PEM) that are trusted instead of the machine's own.
    pub ca_file: Option<PathBuf>,
}

impl Network {
    /// The shortest and the longest wait for an answer. Past the longest a request's signature is dead at the gateway.
    pub const REQUEST_TIMEOUTS: (SignedDuration, SignedDuration) =
        (SignedDuration::from_secs(1), SignedDuration::from_mins(5));
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    address: String,
    credentials: Option<SecretSource>,
}

impl Proxy {
    /// The address with the credentials as they are now in it: from here on the `Url` is a secret.
    pub fn url(&self, environment: &Environment) -> Result<Url, KeyProblem> {
        let unusable = |place: String, what| KeyProblem::UnusableCredentials { place, what };
        let mut url = Url::parse(&self.address).map_err(|_| unusable(self.address.clone(), "it is no address"))?;
        let Some(source) = &self.credentials else { return Ok(url) };
        let text = source.line(environment)?;
        let (user, password) = text
            .split_once(':')
            .filter(|(user, _)| !user.is_empty())
            .ok_or_else(|| unusable(source.to_string(), "it is not like user:password"))?;
        let set = url.set_username(user).and_then(|()| url.set_password(Some(password)));
        set.map_err(|()| unusable(self.address.clone(), "it takes no user"))?;
        Ok(url)
    }

    /// Where the credentials are, when there are any.
    #[must_use]
    pub const fn credentials(&self) -> Option<&SecretSource> {
        self.credentials.as_ref()
    }
}

impl fmt::Display for Proxy {
    /// The address alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// What a table says of it.
pub(super) struct Given {
    pub(super) request_timeout: Option<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) proxy_credentials: Option<Spanned<raw::ProxyCredentials>>,
    pub(super) ca_file: Option<Text>,
}

impl Given {
    /// The keys that mean something across a network only, and where they stand.
    pub(super) fn of_the_network(&self) -> [(&'static str, Option<Range<usize>>); 3] {
        [
            ("proxy", self.proxy.as_ref().map(Spanned::span)),
            ("proxy_credentials", self.proxy_credentials.as_ref().map(Spanned::span)),
            ("ca_file", self.ca_file.as_ref().map(Spanned::span)),
        ]
    }
}

/// Reads what a table says.
pub(super) fn read(reader: &mut Reader<'_>, given: Given) -> Option<Network> {
    let request_timeout =
        given.request_timeout.map_or(Some(defaults::REQUEST_TIMEOUT), |text| request_timeout(reader, &text));
    let proxy = proxy(reader, given.proxy, given.proxy_credentials);
    let ca_file = given.ca_file.map(|text| {
        let path = reader.path("ca_file", &text)?;
        reader.needs_file("CA file", text.span(), path.clone());
        Some(path)
    });
    let ca_file = match ca_file {
        Some(path) => Some(path?),
        None => None,
    };
    Some(Network { request_timeout: request_timeout?, proxy: proxy?, ca_file })
}

fn request_timeout(reader: &mut Reader<'_>, text: &Text) -> Option<SignedDuration> {
    let timeout = reader.parsed(Code::BadDuration, text, duration::parse)?;
    let (shortest, longest) = Network::REQUEST_TIMEOUTS;
    if (shortest..=longest).contains(&timeout) {
        return Some(timeout);
    }
    let message = format!("`request_timeout` is from {} to {}", duration::show(shortest), duration::show(longest));
    let problem = Problem::at(Code::BadDuration, text.span(), "out of bounds", message);
    refuse(reader, problem.help("past the signature's life no answer is worth having; leave it out for the default"))
}

/// Outside: whether it could be read; inside: whether there is one.
#[expect(clippy::option_option, reason = "no proxy and an unreadable one are different things")]
fn proxy(
    reader: &mut Reader<'_>,
    address: Option<Text>,
    credentials: Option<Spanned<raw::ProxyCredentials>>,
) -> Option<Option<Proxy>> {
    let credentials_place = credentials.as_ref().map(Spanned::span);
    let credentials = credentials.map(|raw| sources::proxy_credentials(reader, raw));
    let Some(text) = address else {
        let Some(place) = credentials_place else { return Some(None) };
        let problem = Problem::at(Code::MissingKey, place, "for which proxy?", "`proxy` is missing");
        return refuse(
            reader,
            problem.help("write proxy = \"http://proxy.example:3128\", or leave the credentials out"),
        );
    };
    let (code, message) = match endpoint::proxy(text.get_ref()) {
        Ok(address) => {
            let credentials = match credentials {
                Some(source) => Some(source?),
                None => None,
            };
            return Some(Some(Proxy { address, credentials }));
        }
        Err(problem) => problem,
    };
    let problem = Problem::at(code, text.span(), "this address", message);
    let help = if code == Code::InlineSecret {
        "write the address alone, and say where user:password is: proxy_credentials = { env | file | credential = \"…\" }; \
         a password that stood in a file is best replaced"
    } else {
        "write the address alone, such as \"http://proxy.example:3128\""
    };
    refuse(reader, problem.help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(value: &'static str) -> Environment {
        Environment::from_lookup(move |name| (name == "PROXY").then(|| value.into()))
    }

    #[test]
    fn credentials_are_put_into_the_address_only_when_it_is_used() {
        let proxy = |credentials| Proxy { address: "http://proxy.example:3128".into(), credentials };
        let plain = proxy(None).url(&Environment::empty()).unwrap();
        assert_eq!(plain.as_str(), "http://proxy.example:3128/");

        let source = || Some(SecretSource::Env("PROXY".into()));
        let url = proxy(source()).url(&environment("me:p@ss:w/rd")).unwrap();
        assert_eq!((url.username(), url.password()), ("me", Some("p%40ss%3Aw%2Frd")));
        assert_eq!(proxy(source()).to_string(), "http://proxy.example:3128");

        for bad in ["hunter2", ":hunter2"] {
            let problem = proxy(source()).url(&environment(bad)).unwrap_err();
            let told = format!("{problem} {problem:?}");
            assert!(told.contains("user:password") && !told.contains("hunter2"), "{told}");
        }
    }
}
