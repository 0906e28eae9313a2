//! The server's side of TLS: certificate and key from PEM files, TLS 1.2 at least.

use crate::service::reload::Reloadable;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Configuration of TLS handshakes.
pub type Tls = Reloadable<Arc<ServerConfig>, TlsError>;

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file.
    #[error("certificate {path}: {reason}")]
    Certificate {
        /// Path of the file.
        path: String,
        /// The problem.
        reason: String,
    },
    /// The key file.
    #[error("key {path}: {reason}")]
    Key {
        /// Path of the file.
        path: String,
        /// The problem.
        reason: String,
    },
    /// Certificate and key do not match, or are of an unknown kind.
    #[error("certificate and key cannot be used")]
    Pair(#[from] rustls::Error),
}

/// Reads a certificate chain and its private key, both PEM, now and at each reload.
///
/// # Errors
/// [`TlsError`].
pub fn tls(certificate: PathBuf, key: PathBuf) -> Result<Tls, TlsError> {
    Reloadable::new(move || read(&certificate, &key).map(Arc::new))
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let wrong = |reason: String| TlsError::Certificate { path: certificate.display().to_string(), reason };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong("no certificate in this file".into()));
    }
    let wrong = |reason: String| TlsError::Key { path: key.display().to_string(), reason };
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?; // TLS 1.2 and 1.3
    Ok(builder.with_no_client_auth().with_single_cert(chain, key)?)
}
