//! The SDK's client: credentials as AWS's own tools find them, one HTTP client below everything, every attempt and every
//! wait set here.

use std::fs;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{Builder, RuntimeComponents, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::settings::{BadSettings, Settings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that is kept longer may be one that the other side has closed; a write that dies on it is a doubt.
const IDLE: Duration = Duration::from_secs(20);
/// A read is safe to send again: its time is taken before the first attempt.
const READ_ATTEMPTS: u32 = 3;
/// The name of the session of an assumed role, as AWS's audit trail shows it.
const SESSION: &str = "ncloud-rotator";

/// The same client twice, but for the number of attempts.
pub(super) struct Clients {
    /// For what changes nothing.
    pub(super) reads: Client,
    /// For what changes something: sent once.
    pub(super) writes: Client,
}

/// Finds out how credentials are come by, and makes the clients. No request for a secret is sent yet.
pub(super) async fn connect(settings: &Settings, http: SharedHttpClient) -> Clients {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
        .operation_attempt_timeout(settings.timeout)
        .build();
    let loader = match &settings.credentials {
        Some(given) => aws_config::defaults(BehaviorVersion::v2026_01_12()).credentials_provider(given.clone()),
        None => aws_config::defaults(BehaviorVersion::v2026_01_12()),
    };
    let shared = loader
        .region(Region::new(settings.region.clone()))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS))
        .load()
        .await;
    let mut reads = Builder::from(&shared);
    // An address that the environment or a profile names would lead every password elsewhere: it is configuration, or not.
    reads.set_endpoint_url(settings.endpoint_url.clone());
    if let Some(role) = &settings.role_arn {
        reads.set_credentials_provider(Some(assumed(role, &shared).await));
    }
    let writes = reads.clone().retry_config(RetryConfig::disabled());
    Clients { reads: Client::from_conf(reads.build()), writes: Client::from_conf(writes.build()) }
}

async fn assumed(role: &str, shared: &SdkConfig) -> SharedCredentialsProvider {
    let provider = AssumeRoleProvider::builder(role).session_name(SESSION).configure(shared).build().await;
    SharedCredentialsProvider::new(provider)
}

/// The HTTP client. Only https goes through the proxy: plain http stays on this machine and its metadata.
pub(super) fn http(settings: &Settings) -> Result<SharedHttpClient, BadSettings> {
    let store = trust_store(settings)?;
    let tls = TlsContext::builder().with_trust_store(store).build();
    let tls = tls.map_err(|error| BadSettings::Tls(error.to_string()))?;
    let proxy = proxy(settings)?;
    Ok(HttpBuilder::new().build_with_connector_fn(move |given, components| {
        let mut connector = Connector::builder().pool_idle_timeout(IDLE).proxy_config(proxy.clone());
        connector.set_connector_settings(given.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
    }))
}

fn trust_store(settings: &Settings) -> Result<TrustStore, BadSettings> {
    let Some(path) = &settings.ca_file else {
        let plain = settings.endpoint_url.as_deref().is_some_and(|address| address.starts_with("http://"));
        // The SDK fails late and without a reason where there is no certificate at all.
        let found = !rustls_native_certs::load_native_certs().certs.is_empty();
        return match (found, plain) {
            (true, _) => Ok(TrustStore::default()),
            (false, true) => Ok(TrustStore::empty()),
            (false, false) => Err(BadSettings::NoTrustStore),
        };
    };
    let trouble = |what: String| BadSettings::CaFile { path: path.clone(), what };
    let bytes = fs::read(path).map_err(|error| trouble(format!("cannot be read: {error}")))?;
    let mut known = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|_| trouble("is not well-formed PEM; copy it anew".to_owned()))?;
        known.add(certificate).map_err(|error| trouble(format!("holds what is no usable certificate: {error}")))?;
    }
    if known.is_empty() {
        return Err(trouble("holds no certificate in PEM form".to_owned()));
    }
    Ok(TrustStore::empty().with_pem_certificate(bytes))
}

fn proxy(settings: &Settings) -> Result<ProxyConfig, BadSettings> {
    let Some(url) = &settings.proxy else { return Ok(ProxyConfig::disabled()) };
    let refuse = |what| BadSettings::Proxy { what };
    if url.scheme() != "http" {
        return Err(refuse(
            "is https, and the AWS SDK would offer it HTTP/2 and then speak HTTP/1.1; name it by http://, as what goes \
             through it is TLS anyway",
        ));
    }
    let unusable = || refuse("cannot be used; write scheme, host and port, such as http://proxy.example:3128");
    let mut address = url.clone();
    let stripped = address.set_username("").and_then(|()| address.set_password(None));
    stripped.map_err(|()| unusable())?;
    let proxy = ProxyConfig::https(address.as_str()).map_err(|_| unusable())?;
    let Some(password) = url.password() else { return Ok(proxy) };
    // As they stand in a URL: the connector puts them back into one.
    Ok(proxy.with_basic_auth(url.username(), password))
}
