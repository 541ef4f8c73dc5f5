//! What a vault is made of, and why none can be made.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::config::SharedCredentialsProvider;
use jiff::SignedDuration;
use url::Url;

use crate::ports::clock::Clock;

/// What a vault is made of.
pub struct Settings {
    /// Its name in the configuration, for people.
    pub name: String,
    /// The region.
    pub region: String,
    /// The address that replaces AWS's own: https, or plain http on loopback.
    pub endpoint_url: Option<String>,
    /// The KMS key of secrets that are made.
    pub kms_key_id: Option<String>,
    /// The tags of secrets that are made.
    pub tags: BTreeMap<String, String>,
    /// Who hands out credentials; none: they are found as AWS's own tools find them.
    pub credentials: Option<SharedCredentialsProvider>,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// How long a write may stay unseen by readers.
    pub settle: SignedDuration,
    /// The time from one write to the next.
    pub write_interval: Duration,
    /// Whether nobody else writes, and this process holds the lock that keeps the operator's own other processes out
    /// (`protocol.md`, rule 7).
    pub sole: bool,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// A proxy for https: `http://`, host, port, and a user and a password where it wants them.
    pub proxy: Option<Url>,
    /// A PEM file of the CA certificates to trust **instead of** the machine's own.
    pub ca_file: Option<PathBuf>,
    /// What the names of this configuration's secrets begin with. Nothing else is listed.
    pub prefixes: Vec<String>,
    /// This machine's clocks.
    pub clock: Arc<dyn Clock>,
}

/// Why no vault can be made of these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// The file of CA certificates is no such file.
    #[error("the CA file {} {what}", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// There are no CA certificates to check a server by.
    #[error(
        "no CA certificates are found on this machine, so that no https server can be checked; install the package \
         ca-certificates, name a bundle in SSL_CERT_FILE, or set ca_file"
    )]
    NoTrustStore,
    /// The proxy is one that the SDK's connector cannot use. It is not shown, since it may carry credentials.
    #[error("the proxy {what}")]
    Proxy {
        /// What is wrong with it, and what to do.
        what: &'static str,
    },
    /// The TLS library does not take what it was given.
    #[error("TLS cannot be set up: {0}; this is a fault of this program, please report it")]
    Tls(String),
}

impl fmt::Debug for Settings {
    /// Without the proxy, which may carry credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).field("region", &self.region).finish_non_exhaustive()
    }
}
