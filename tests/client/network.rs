//! TLS with an authority of one's own, and a proxy that is asked to connect.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ncloud_rotator::domain::rotation::{Answer, Block};
use ncloud_rotator::ncloud::{Api, SubAccounts, Transport, TransportError, TransportSettings};
use ncloud_rotator::ports::provider::{Provider, ProviderError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::harness::{ID, PASSWORD, Server, always, change, settings};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 45\r\n\r\n{\"success\":true,\"items\":[],\"totalItems\":0  }\n";

/// A certificate authority that nobody else knows.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        let path = self.folder.path().join("ca.pem");
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned(), "gateway.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A gateway over TLS: how many handshakes it finished, and what came through them.
#[derive(Clone, Default)]
struct Heard {
    handshakes: Arc<AtomicUsize>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

async fn gateway(authority: &Authority) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (acceptor, heard) = (authority.acceptor(), Heard::default());
    let told = heard.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, told) = (acceptor.clone(), told.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                told.handshakes.fetch_add(1, Ordering::SeqCst);
                let request = head_and_body(&mut stream).await;
                told.bytes.lock().unwrap().extend(request);
                let _ = stream.write_all(ANSWER).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, heard)
}

/// One request, as its bytes came.
async fn head_and_body(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return bytes;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return bytes;
        }
    }
}

/// What a proxy does when it is asked to connect.
#[derive(Clone, Copy)]
enum Manner {
    /// Connects to this port of this machine, whatever name it was asked for.
    Connects(u16),
    /// Answers with this status.
    Answers(&'static str),
}

/// A proxy that keeps the heads of what it was asked, and every byte that passed from the client.
async fn proxy(manner: Manner) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let told = told.clone();
            tokio::spawn(async move {
                let head = head_and_body(&mut client).await;
                told.lock().unwrap().push(String::from_utf8(head).unwrap());
                match manner {
                    Manner::Answers(status) => {
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        let _ = client.write_all(answer.as_bytes()).await;
                    }
                    Manner::Connects(port) => {
                        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                        let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                }
            });
        }
    });
    (address, asked)
}

fn reach(base: &str, proxy: Option<String>, ca_file: Option<PathBuf>) -> SubAccounts {
    let proxy = proxy.map(|proxy| proxy.parse().unwrap());
    let settings = TransportSettings { proxy, ca_file, ..settings(base) };
    SubAccounts::new(Transport::new(settings).unwrap(), Api::V1)
}

#[tokio::test]
async fn a_server_of_the_named_authority_is_trusted_and_another_is_sent_nothing() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (port, heard) = gateway(&ours).await;
    let base = format!("https://localhost:{port}");
    let trusting = reach(&base, None, Some(ours.file()));
    assert_eq!(change(&trusting, ID).await, Answer::Accepted);
    assert_eq!(trusting.probe().await, Ok(()));
    assert_eq!(heard.handshakes.load(Ordering::SeqCst), 2);
    assert!(String::from_utf8_lossy(&heard.bytes.lock().unwrap()).contains("newPassword"));

    heard.bytes.lock().unwrap().clear();
    let distrusting = reach(&base, None, Some(other.file()));
    assert_eq!(change(&distrusting, ID).await, Answer::Blocked(Block::NotSent));
    let error = distrusting.probe().await.unwrap_err();
    assert!(matches!(&error, ProviderError::Unreachable { cause, .. } if cause.starts_with("TLS: ")), "{error}");
    assert!(heard.bytes.lock().unwrap().is_empty(), "not a byte of a request");

    let misnamed = reach(&format!("https://127.0.0.1:{port}"), None, Some(ours.file()));
    assert_eq!(change(&misnamed, ID).await, Answer::Blocked(Block::NotSent), "the name counts too");
}

#[tokio::test]
async fn a_file_of_both_authorities_trusts_both() {
    let (one, two) = (Authority::new(), Authority::new());
    let both = one.folder.path().join("both.pem");
    std::fs::write(&both, format!("# one\n{}\n# two\n{}", one.issuer.pem(), two.issuer.pem())).unwrap();
    for authority in [&one, &two] {
        let (port, _) = gateway(authority).await;
        let provider = reach(&format!("https://localhost:{port}"), None, Some(both.clone()));
        assert_eq!(provider.probe().await, Ok(()));
    }
}

#[test]
fn a_ca_file_that_is_none_is_told_with_its_name_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let make = |ca_file: PathBuf| {
        let settings = TransportSettings { ca_file: Some(ca_file), ..settings("https://localhost:1") };
        Transport::new(settings).unwrap_err()
    };
    let missing = make(folder.path().join("none.pem"));
    assert!(matches!(missing, TransportError::CaFile { line: None, .. }), "{missing}");
    assert!(missing.to_string().contains("none.pem cannot be read"), "{missing}");
    let broken = folder.path().join("broken.pem");
    let good = Authority::new().issuer.pem();
    std::fs::write(&broken, format!("{good}-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n")).unwrap();
    let error = make(broken);
    let line = good.lines().count() + 1;
    assert!(matches!(error, TransportError::CaFile { line: Some(at), .. } if at == line), "{error}");
    assert!(error.to_string().contains(&format!("broken.pem, line {line}, begins")), "{error}");
}

#[tokio::test]
async fn through_a_proxy_the_request_stays_between_client_and_gateway() {
    let authority = Authority::new();
    let (port, heard) = gateway(&authority).await;
    let (address, asked) = proxy(Manner::Connects(port)).await;
    let through = format!("http://us%3Aer:hunt%40er2@{address}");
    let provider = reach("https://gateway.test", Some(through), Some(authority.file()));
    assert_eq!(change(&provider, ID).await, Answer::Accepted);
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "one connection for one request");
    assert!(asked[0].starts_with("CONNECT gateway.test:443 HTTP/1.1\r\n"), "{}", asked[0]);
    let header = asked[0].lines().find(|line| line.to_ascii_lowercase().starts_with("proxy-authorization: "));
    assert_eq!(header.unwrap().split_once(": ").unwrap().1, "Basic dXM6ZXI6aHVudEBlcjI=");
    assert!(!asked[0].contains("x-ncp-") && !asked[0].contains(PASSWORD));
    let inside = String::from_utf8_lossy(&heard.bytes.lock().unwrap()).into_owned();
    assert!(inside.starts_with(&format!("PUT /api/v1/sub-accounts/{ID}/password HTTP/1.1\r\n")), "{inside}");
    assert!(!inside.to_ascii_lowercase().contains("proxy-authorization"), "{inside}");
}

#[tokio::test]
async fn without_credentials_none_are_offered() {
    let authority = Authority::new();
    let (port, _) = gateway(&authority).await;
    let (address, asked) = proxy(Manner::Connects(port)).await;
    let provider = reach("https://gateway.test", Some(format!("http://{address}")), Some(authority.file()));
    assert_eq!(provider.probe().await, Ok(()));
    assert!(!asked.lock().unwrap()[0].to_ascii_lowercase().contains("authorization"));
}

#[tokio::test]
async fn a_gateway_of_an_unknown_authority_is_not_trusted_behind_a_proxy_either() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (port, heard) = gateway(&ours).await;
    let (address, _) = proxy(Manner::Connects(port)).await;
    let provider = reach("https://gateway.test", Some(format!("http://{address}")), Some(other.file()));
    assert_eq!(change(&provider, ID).await, Answer::Blocked(Block::NotSent));
    assert_eq!(heard.bytes.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_carried_nothing_and_its_password_is_shown_nowhere() {
    let authority = Authority::new();
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (asks_who, first) = proxy(Manner::Answers("407 Proxy Authentication Required")).await;
    let (unwilling, second) = proxy(Manner::Answers("503 Service Unavailable")).await;
    for (address, words) in [
        (asks_who, "asks for a user"),
        (unwilling, "would not connect"),
        (nowhere, "the proxy cannot be reached (connection refused)"),
    ] {
        let through = format!("http://user:hunter2@{address}");
        let provider = reach("https://gateway.test", Some(through), Some(authority.file()));
        assert_eq!(change(&provider, ID).await, Answer::Blocked(Block::NotSent));
        let error = provider.probe().await.unwrap_err();
        assert!(matches!(&error, ProviderError::Unreachable { cause, .. } if cause.contains(words)), "{error}");
        assert!(!format!("{error} {error:?} {provider:?}").contains("hunter2"));
    }
    for asked in [first, second] {
        assert_eq!(asked.lock().unwrap().len(), 2, "each request asks once");
    }
}

/// A plain-http endpoint is on this machine, and a proxy's loopback is another's.
#[tokio::test]
async fn a_plain_endpoint_on_loopback_is_reached_without_the_proxy() {
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    let (address, asked) = proxy(Manner::Answers("503 Service Unavailable")).await;
    let provider = reach(&server.base, Some(format!("http://{address}")), None);
    assert_eq!(change(&provider, ID).await, Answer::Accepted);
    assert!(asked.lock().unwrap().is_empty());
    server.only();
}

#[test]
fn a_proxy_that_cannot_be_one_is_refused_without_being_shown() {
    let proxy = Some("socks5://user:hunter2@proxy:1080".parse().unwrap());
    let error = Transport::new(TransportSettings { proxy, ..settings("https://localhost:1") }).unwrap_err();
    assert!(matches!(error, TransportError::Proxy { .. }) && !format!("{error} {error:?}").contains("hunter2"));
}
