//! `Gate`: who may come in, and how often: connections, tokens and rates, counted once for all doors.

use crate::reject_reason::RejectReason;
use crate::service::auth::{Guesses, Tokens, TooManyGuesses};
use crate::service::connections::ConnectionRegistry;
use crate::service::rates::RateLimits;
use crate::service::reload::Reloadable;
use crate::status::Status;
use crate::token::TokenFileError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Who is let in.
#[derive(Debug, Clone)]
pub struct AdmissionSettings {
    /// Most open connections. Default: 2,048.
    pub max_connections: usize,
    /// Most open connections of one address. Default: 256.
    pub per_ip: usize,
    /// Whose requests are taken. Default: everybody's.
    pub tokens: Option<Arc<Reloadable<Tokens, TokenFileError>>>,
    /// Whether tokens are taken from other machines without TLS: only where the network in between is
    /// trusted. Default: false.
    pub tokens_in_clear: bool,
    /// Requests a second of one caller. Default: no limit.
    pub rate_requests: Option<u32>,
    /// Source megapixels a minute of one caller. Default: no limit.
    pub rate_megapixels: Option<u32>,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        AdmissionSettings {
            max_connections: 2048,
            per_ip: 256,
            tokens: None,
            tokens_in_clear: false,
            rate_requests: None,
            rate_megapixels: None,
        }
    }
}

/// What all doors of a server share.
#[derive(Debug)]
pub struct Gate {
    /// Who is connected.
    pub guests: Arc<ConnectionRegistry>,
    /// How much each caller has had.
    pub rates: RateLimits,
    tokens: Option<Arc<Reloadable<Tokens, TokenFileError>>>,
    tokens_in_clear: bool,
    guesses: Guesses,
}

/// Whether somebody on the way can read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Everything is in the clear.
    Open,
    /// TLS.
    Encrypted,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// One message for a missing and a wrong token, so that neither tells more than the other.
    #[error("a valid token is needed")]
    Unauthorized,
    /// Whoever listens has it now.
    #[error("a token came over an open line and is not taken: use TLS, and a new token")]
    TokenInClear,
    /// Too many wrong ones.
    #[error(transparent)]
    Guessing(#[from] TooManyGuesses),
}

impl Denied {
    /// The status that a peer is told.
    pub fn status(&self) -> Status {
        match self {
            Denied::Unauthorized | Denied::TokenInClear => Status::Unauthorized,
            Denied::Guessing(_) => Status::Busy,
        }
    }

    /// The word for metrics and log.
    pub fn reason(&self) -> RejectReason {
        match self {
            Denied::Unauthorized | Denied::TokenInClear => RejectReason::Unauthorized,
            Denied::Guessing(_) => RejectReason::Guessing,
        }
    }
}

impl Gate {
    /// A gate with nobody inside.
    pub fn new(settings: AdmissionSettings) -> Arc<Gate> {
        let AdmissionSettings {
            max_connections,
            per_ip,
            tokens,
            tokens_in_clear,
            rate_requests,
            rate_megapixels,
        } = settings;
        let guests = ConnectionRegistry::new(max_connections, per_ip);
        let rates = RateLimits::new(rate_requests, rate_megapixels);
        Arc::new(Gate { guests, rates, tokens, tokens_in_clear, guesses: Guesses::default() })
    }

    /// Whether callers have to show a token.
    pub fn asks_for_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// The name of the token that a caller shows, where one is needed.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn identify(
        &self,
        peer: IpAddr,
        line: Line,
        offered: Option<&str>,
    ) -> Result<Option<Arc<str>>, Denied> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        let offered = offered.ok_or(Denied::Unauthorized)?;
        if line == Line::Open && !peer.to_canonical().is_loopback() && !self.tokens_in_clear {
            return Err(Denied::TokenInClear);
        }
        let now = Instant::now();
        self.guesses.may_try(peer, now)?;
        match tokens.current().name_of(offered) {
            Some(name) => Ok(Some(name.into())),
            None => {
                self.guesses.note_wrong(peer, now);
                Err(Denied::Unauthorized)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn gate(tokens_in_clear: bool) -> Arc<Gate> {
        let tokens = Reloadable::new(|| Tokens::parse("me:sesame")).unwrap();
        Gate::new(AdmissionSettings {
            tokens: Some(Arc::new(tokens)),
            tokens_in_clear,
            ..AdmissionSettings::default()
        })
    }

    #[test]
    fn a_token_is_taken_over_tls_and_loopback_and_elsewhere_only_on_demand() {
        let name =
            |gate: &Gate, peer, line| gate.identify(peer, line, Some("sesame")).map(|name| name.is_some());
        assert_eq!(name(&gate(false), HERE, Line::Open), Ok(true));
        assert_eq!(name(&gate(false), THERE, Line::Encrypted), Ok(true));
        assert_eq!(name(&gate(false), THERE, Line::Open), Err(Denied::TokenInClear));
        assert_eq!(name(&gate(true), THERE, Line::Open), Ok(true));
    }

    #[test]
    fn a_missing_and_a_wrong_token_are_denied_alike_and_guessing_ends() {
        let gate = gate(false);
        assert_eq!(gate.identify(HERE, Line::Open, None), Err(Denied::Unauthorized));
        for _ in 0..10 {
            assert_eq!(gate.identify(HERE, Line::Open, Some("x")), Err(Denied::Unauthorized));
        }
        let denied = gate.identify(HERE, Line::Open, Some("sesame"));
        assert!(matches!(denied, Err(Denied::Guessing(_))));
        assert!(gate.identify(THERE, Line::Encrypted, Some("sesame")).is_ok());
    }

    #[test]
    fn without_tokens_everybody_may_come() {
        assert_eq!(Gate::new(AdmissionSettings::default()).identify(THERE, Line::Open, Some("x")), Ok(None));
    }
}
