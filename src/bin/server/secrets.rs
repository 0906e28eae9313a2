//! Tokens and certificates: read at the start, which fails without them, and again on SIGHUP.

use anyhow::{Context, bail};
use imgsrv::internals::config::Config;
use imgsrv::internals::service;
use imgsrv::internals::service::admission;
use imgsrv::internals::service::auth::Tokens;
use imgsrv::internals::service::reload::Reloadable;
use std::sync::Arc;

/// Something to be read again.
pub(crate) struct Reload {
    what: &'static str,
    again: Box<dyn Fn() -> anyhow::Result<()> + Send>,
}

impl Reload {
    /// Reads it again; what was there stays when that fails.
    pub(crate) fn run(&self) {
        match (self.again)() {
            Ok(()) => log::info!("{} read again", self.what),
            Err(error) => log::error!("{} not read again, the old stay: {error:#}", self.what),
        }
    }
}

/// Puts what the configuration names into the settings of gate and doors.
///
/// # Errors
/// When a file is missing, open to everybody, empty or broken: a server must not start without the
/// protection that it was told to have.
pub(crate) fn read(
    config: &Config,
    gate: &mut admission::AdmissionSettings,
    settings: &mut service::settings::ServiceSettings,
) -> anyhow::Result<Vec<Reload>> {
    let mut reloads = Vec::new();
    if let Some(path) = config.token_file.clone() {
        let name = path.display().to_string();
        let tokens = Reloadable::new(move || Tokens::read(&path));
        let tokens = Arc::new(tokens.with_context(|| format!("token file {name}"))?);
        log::info!(tokens = tokens.current().count(); "requests need a token");
        gate.tokens = Some(tokens.clone());
        let again = Box::new(move || tokens.reload().with_context(|| format!("token file {name}")));
        reloads.push(Reload { what: "tokens", again });
    }
    match (&config.tls_cert, &config.tls_key) {
        (None, None) => {}
        (Some(_), None) => bail!("tls_cert is given without tls_key"),
        (None, Some(_)) => bail!("tls_key is given without tls_cert"),
        #[cfg(feature = "tls")]
        (Some(certificate), Some(key)) => {
            let tls = Arc::new(service::tls::tls(certificate.clone(), key.clone())?);
            settings.tls = Some(tls.clone());
            let again = Box::new(move || Ok(tls.reload()?));
            reloads.push(Reload { what: "certificates", again });
        }
        #[cfg(not(feature = "tls"))]
        (Some(_), Some(_)) => {
            let _ = settings;
            bail!("tls_cert is given, but this program was built without the feature 'tls'")
        }
    }
    Ok(reloads)
}
