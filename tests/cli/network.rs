//! The way to the provider: an authority of one's own, and a proxy.

use std::fs;
use std::sync::{Arc, Mutex};

use ncloud_rotator::emulator::DEMO_SECRET_KEY;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::bench::Bench;

/// An https front before the emulator; it lives as long as the runtime. Its port, and its authority's certificate.
fn front(runtime: &Runtime, emulator: &str) -> (u16, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned(), "gateway.test".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let emulator = emulator.to_owned();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, emulator) = (acceptor.clone(), emulator.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(emulator).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (port, authority.pem())
}

/// A proxy that connects to `port` of this machine whatever it is asked for. Its address, and what it was asked.
fn proxy(runtime: &Runtime, port: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&asked);
    runtime.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && client.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                told.lock().unwrap().push(String::from_utf8(head).unwrap());
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, asked)
}

/// Sends both services to `base`, with more keys in the tenant's table.
fn reach(bench: &Bench, base: &str, more: &str) {
    bench.edit(&format!("http://{}", bench.emulator.address()), base);
    bench.edit("site       = \"public\"", &format!("site       = \"public\"\n{more}"));
}

#[test]
fn a_gateway_is_trusted_by_the_authority_that_is_named_and_by_no_other() {
    let (bench, runtime) = (Bench::new(), Runtime::new().unwrap());
    let (port, ours) = front(&runtime, bench.emulator.address());
    let (_, other) = front(&runtime, bench.emulator.address());
    fs::write(bench.path("ca.pem"), ours).unwrap();
    reach(&bench, &format!("https://localhost:{port}"), "ca_file = \"ca.pem\"");
    bench.run("rotate svc-batch df001").ends_with(0);
    bench.is_settled("svc-batch", 1);
    bench.is_settled("df001", 1);
    bench.run("check").ends_with(0);
    let heard = bench.emulator.requests().len();
    fs::write(bench.path("ca.pem"), other).unwrap();
    bench.run("rotate svc-batch --wait 1s").ends_with(75).mentions("TLS");
    bench.run("check").ends_with(69).mentions("TLS");
    bench.edit("ca_file = \"ca.pem\"\n", "");
    bench.run("check").ends_with(69).mentions("TLS");
    assert_eq!(bench.emulator.requests().len(), heard, "nothing was sent");
}

#[test]
fn through_a_proxy_everything_is_rotated_and_the_proxy_hears_nothing() {
    let (bench, runtime) = (Bench::new(), Runtime::new().unwrap());
    let (port, authority) = front(&runtime, bench.emulator.address());
    let (address, asked) = proxy(&runtime, port);
    fs::write(bench.path("ca.pem"), authority).unwrap();
    let more =
        format!("ca_file = \"ca.pem\"\nproxy = \"http://{address}\"\nproxy_credentials = {{ env = \"PROXY_USER\" }}");
    reach(&bench, "https://gateway.test", &more);
    let run = |words: &[&str]| {
        let mut command = bench.command(words);
        command.env("PROXY_USER", "us:hunter2");
        bench.run_command(command)
    };
    run(&["rotate", "svc-batch", "df001"]).ends_with(0);
    bench.is_settled("svc-batch", 1);
    bench.is_settled("df001", 1);
    let heads = asked.lock().unwrap().clone();
    assert!(heads.len() >= 4, "{}", heads.len());
    for head in heads {
        assert!(head.starts_with("CONNECT gateway.test:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("Basic dXM6aHVudGVyMg==") && !head.contains("x-ncp-") && !head.contains(DEMO_SECRET_KEY));
    }
    runtime.shutdown_background();
    let down = run(&["rotate", "svc-batch", "--wait", "1s"]).ends_with(75);
    assert!(!down.text().contains("hunter2"), "{}", down.text());
    let without = bench.run("rotate svc-batch").ends_with(77);
    assert!(without.text().contains("PROXY_USER"), "{}", without.text());
}

#[test]
fn a_request_waits_no_longer_than_it_is_told() {
    let bench = Bench::new();
    bench.edit("site       = \"public\"", "site       = \"public\"\nrequest_timeout = \"1s\"");
    bench.emulator.fault_once("svc-batch", &serde_json::json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", 2);
    running.finish().ends_with(0);
    bench.emulator.release();
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    bench.holds_the_promise();
}
