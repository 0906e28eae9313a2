//! `Reload`: tokens and certificates, read at the start and again on request.

use crate::config::Config;
use crate::server::ServerError;
use crate::service::ServiceSettings;
use crate::service::auth::Tokens;
use crate::service::reload::Reloadable;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

type ReadAgain = Box<dyn Fn() -> Result<(), Box<dyn Error>> + Send>;

/// Files that can be read again.
pub struct Reload {
    name: &'static str,
    read: ReadAgain,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reload").field(&self.name).finish()
    }
}

impl Reload {
    /// A value of the programs: `read` replaces it, and says what changed.
    pub fn new(name: &'static str, read: impl Fn() -> Result<(), Box<dyn Error>> + Send + 'static) -> Reload {
        Reload { name, read: Box::new(read) }
    }

    /// Reads the files again. A failure keeps the previous value.
    pub fn run(&self) {
        match (self.read)() {
            Ok(()) => log::info!("reloaded the {}", self.name),
            Err(error) => log::error!("reload failed, keeping the previous {}: {error}", self.name),
        }
    }
}

/// Reads the files that the configuration names into the settings.
///
/// # Errors
/// When a file is missing, readable by all users, empty or broken: a server must not start without its protection.
pub(super) fn read_secrets(
    config: &Config,
    settings: &mut ServiceSettings,
) -> Result<Vec<Reload>, ServerError> {
    let mut reloads = Vec::new();
    if let Some(path) = config.token_file.clone() {
        let name = path.display().to_string();
        let tokens = Reloadable::new(move || Tokens::read(&path));
        let tokens = Arc::new(tokens.map_err(|source| ServerError::Tokens { path: name.clone(), source })?);
        log::info!(tokens = tokens.current().count(); "requests need a token");
        settings.tokens = Some(tokens.clone());
        let read = move || tokens.reload().map_err(|error| format!("token file {name}: {error}").into());
        reloads.push(Reload { name: "tokens", read: Box::new(read) });
    }
    match (&config.tls_cert, &config.tls_key) {
        (None, None) => {}
        (Some(_), None) => {
            return Err(ServerError::TlsIncomplete { given: "tls_cert", missing: "tls_key" });
        }
        (None, Some(_)) => {
            return Err(ServerError::TlsIncomplete { given: "tls_key", missing: "tls_cert" });
        }
        #[cfg(feature = "tls")]
        (Some(certificate), Some(key)) => {
            let tls = Arc::new(crate::service::tls::tls(certificate.clone(), key.clone())?);
            settings.tls = Some(tls.clone());
            reloads.push(Reload { name: "certificates", read: Box::new(move || Ok(tls.reload()?)) });
        }
        #[cfg(not(feature = "tls"))]
        (Some(_), Some(_)) => {
            return Err(ServerError::MissingFeature { setting: "tls_cert", feature: "tls" });
        }
    }
    Ok(reloads)
}
