//! Whom an https connection trusts. One TLS provider, ring, whatever else is linked in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, crypto};
use rustls_platform_verifier::BuilderVerifierExt;

use super::transport::TransportError;

/// The machine's own CA certificates.
pub(super) fn system() -> Result<ClientConfig, TransportError> {
    let builder = builder()?
        .with_platform_verifier()
        .map_err(|error| TransportError::NoTrustStore { cause: error.to_string() })?;
    Ok(builder.with_no_client_auth())
}

/// The certificates of a PEM file **instead of** the machine's own: whoever names a file says whom to trust, and it works
/// where no others are installed. To have both, put both into the file.
pub(super) fn file(path: &Path) -> Result<ClientConfig, TransportError> {
    let trouble = |line, what: String| TransportError::CaFile { path: path.to_owned(), line, what };
    let bytes = fs::read(path).map_err(|error| trouble(None, format!("cannot be read: {error}")))?;
    let roots = roots(&bytes).map_err(|(line, what)| trouble(line, what))?;
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Nobody: for plain http on loopback, which must work on a machine without CA certificates too.
pub(super) fn nobody() -> Result<ClientConfig, TransportError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TransportError> {
    ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError::Client(error.to_string()))
}

/// Where in the file the trouble is, from line 1, and what it is. Nothing of the file is repeated.
type Trouble = (Option<usize>, String);

/// Reads the certificates one by one, so that the line can be told. Text between them is a comment.
fn roots(bytes: &[u8]) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let line = line.trim_ascii();
        if line.starts_with(b"-----BEGIN ") {
            if let Some((begun, _)) = open {
                return Err((Some(begun), "begins a certificate that does not end before the next begins".to_owned()));
            }
            if line != b"-----BEGIN CERTIFICATE-----" {
                return Err((Some(number), "begins something that is no certificate; take it out".to_owned()));
            }
            open = Some((number, Vec::new()));
        }
        let Some((begun, mut block)) = open.take() else { continue };
        block.extend_from_slice(line);
        block.push(b'\n');
        if line.starts_with(b"-----END ") {
            add(&mut roots, &block).map_err(|what| (Some(begun), what))?;
        } else {
            open = Some((begun, block));
        }
    }
    match open {
        Some((begun, _)) => Err((Some(begun), "begins a certificate that never ends".to_owned())),
        None if roots.is_empty() => Err((None, "holds no certificate in PEM form".to_owned())),
        None => Ok(roots),
    }
}

fn add(roots: &mut RootCertStore, block: &[u8]) -> Result<(), String> {
    let certificate = CertificateDer::from_pem_slice(block)
        .map_err(|_| "begins a certificate that is not well-formed PEM; copy it anew".to_owned())?;
    roots.add(certificate).map_err(|error| format!("begins what is no usable certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_bundle_is_read_whole_with_what_people_write_between() {
        let bundle = format!("# our CA\n{}\r\n\n# the other\n{}", certificate(), certificate().replace('\n', "\r\n"));
        assert_eq!(roots(bundle.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn trouble_is_told_with_its_line() {
        let good = certificate();
        let lines = good.lines().count();
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        let told = |text: &str| roots(text.as_bytes()).unwrap_err();
        assert_eq!(told("").0, None);
        assert_eq!(told("hello\n").0, None);
        for (bad, word) in [
            (format!("{begin}\nabc"), "never ends"),
            (format!("{begin}\n{good}"), "before the next"),
            (format!("{begin}\n!!!!\n{end}\n"), "PEM"),
            (format!("{begin}\naGVsbG8=\n{end}\n"), "usable"),
            ("-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n".to_owned(), "take it out"),
        ] {
            let (line, what) = told(&format!("{good}# next\n{bad}"));
            assert_eq!(line, Some(lines + 2), "{what}");
            assert!(what.contains(word) && !what.contains("aGVsbG8="), "{what}");
        }
    }
}
