//! https with an authority of one's own, and a proxy.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ncloud_rotator::ports::vault::VaultError;
use ncloud_rotator::vault::aws::{AwsVault, BadSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::room::Room;

/// A certificate authority that nobody else knows, and a TLS front before the room's server.
struct Front {
    folder: TempDir,
    port: u16,
}

async fn front(server: SocketAddr) -> Front {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned(), "secrets.test".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    Front { folder, port }
}

impl Front {
    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// A proxy that connects to `port` whatever it was asked for, if it was given the right user and password; and the heads of
/// what it was asked.
async fn proxy(port: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && client.read_buf(&mut head).await.unwrap() > 0 {}
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let is_known = head.contains("proxy-authorization: basic bwu6cebzczp3");
                told.lock().unwrap().push(head);
                if !is_known {
                    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
                    let _ = client.write_all(refusal).await;
                    return;
                }
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let room = Room::new();
    let front = front(room.server.address()).await;
    let mut settings = room.settings();
    settings.endpoint_url = Some(format!("https://localhost:{}", front.port));
    settings.ca_file = Some(front.ca());
    let vault = room.vault_of(settings);
    assert!(room.read(&*vault).await.current.is_none());
    vault.check().await.unwrap();

    let other = self::front(room.server.address()).await;
    let mut settings = room.settings();
    settings.endpoint_url = Some(format!("https://localhost:{}", front.port));
    settings.ca_file = Some(other.ca());
    let Err(VaultError::Unavailable(told)) = room.vault_of(settings).read(room.place(), &room.clock).await else {
        panic!("it was trusted")
    };
    assert!(told.contains("TLS") && told.contains("ca_file"), "{told}");
}

#[tokio::test]
async fn https_goes_through_the_proxy_with_its_user_and_password() {
    let room = Room::new();
    let front = front(room.server.address()).await;
    let (address, asked) = proxy(front.port).await;
    let settings = |credentials: &str| {
        let mut settings = room.settings();
        settings.endpoint_url = Some("https://secrets.test".to_owned());
        settings.ca_file = Some(front.ca());
        settings.proxy = Some(format!("http://{credentials}{address}").parse().unwrap());
        settings
    };
    // "me" and "p@ss:w", as a URL carries them.
    let vault = room.vault_of(settings("me:p%40ss%3Aw@"));
    assert!(room.read(&*vault).await.current.is_none());
    let heads = asked.lock().unwrap().clone();
    assert!(heads.iter().all(|head| head.starts_with("connect secrets.test:443 ")), "{heads:?}");

    let told = room.vault_of(settings("")).read(room.place(), &room.clock).await.unwrap_err().to_string();
    assert!(told.contains("the proxy asks for a user and a password"), "{told}");
}

#[tokio::test]
async fn what_the_connector_cannot_do_is_refused_with_the_reason() {
    let room = Room::new();
    let refused = |change: &dyn Fn(&mut ncloud_rotator::vault::aws::Settings)| {
        let mut settings = room.settings();
        change(&mut settings);
        AwsVault::new(settings).map(|_| ()).unwrap_err()
    };
    let proxy = refused(&|settings| settings.proxy = Some("https://me:hunter2@proxy.example".parse().unwrap()));
    assert!(matches!(proxy, BadSettings::Proxy { .. }) && proxy.to_string().contains("http://"), "{proxy}");
    assert!(!format!("{proxy} {proxy:?}").contains("hunter2"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for text in [
        None,
        Some(""),
        Some("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"),
        Some("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let bad = refused(&|settings| settings.ca_file = Some(path.clone()));
        assert!(matches!(bad, BadSettings::CaFile { .. }), "{text:?}: {bad}");
    }
}
