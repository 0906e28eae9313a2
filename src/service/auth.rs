//! `Tokens`, the digests that a server knows; `Authenticator`, the rules for accepting a token.

use crate::net::TransportKind;
use crate::reject_reason::RejectReason;
use crate::service::caller::{Caller, Peer};
use crate::service::guesses::{TooManyGuesses, WrongTokens};
use crate::service::reload::Reloadable;
use crate::status::Status;
use crate::token::{TokenFileError, entries, read_secret};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// SHA-256 digest of a token.
pub type TokenDigest = [u8; 32];

/// The tokens that a server accepts, as digests, each with a name for the log. Entry 0 is a dummy: a miss takes as
/// long as a hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens(Vec<(Arc<str>, TokenDigest)>);

impl Tokens {
    /// Reads `name:token` lines; a line without a name is named after its number. Empty lines and lines that begin
    /// with `#` are skipped.
    ///
    /// # Errors
    /// [`TokenFileError::Empty`] without any token, [`TokenFileError::BadLine`].
    pub fn parse(text: &str) -> Result<Tokens, TokenFileError> {
        let mut tokens = vec![("".into(), [0; 32])];
        for entry in entries(text) {
            let (name, token) = entry?;
            tokens.push((name.into(), digest(token.reveal())));
        }
        if tokens.len() == 1 { Err(TokenFileError::Empty) } else { Ok(Tokens(tokens)) }
    }

    /// Reads a file that only its owner and group can read.
    ///
    /// # Errors
    /// [`TokenFileError`]; a server must not start without the tokens that it was told to use.
    pub fn read(path: &Path) -> Result<Tokens, TokenFileError> {
        Tokens::parse(&read_secret(path)?)
    }

    /// Name of the token with the text `offered`.
    pub fn name_of(&self, offered: &str) -> Option<&Arc<str>> {
        self.name_of_digest(&digest(offered))
    }

    fn name_of_digest(&self, offered: &TokenDigest) -> Option<&Arc<str>> {
        match self.index_of(offered) {
            0 => None,
            index => Some(&self.0[index].0),
        }
    }

    /// Index of a digest among the tokens; 0 for an unknown one. Takes the same time for every digest: all are
    /// compared, and whole.
    pub fn index_of(&self, offered: &TokenDigest) -> usize {
        let mut found = 0_u32;
        for (index, (_, known)) in (0_u32..).zip(&self.0).skip(1) {
            found.conditional_assign(&index, known.ct_eq(offered));
        }
        found as usize
    }

    /// Number of tokens.
    pub fn count(&self) -> usize {
        self.0.len() - 1
    }
}

/// Digest of a token's text.
pub fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// A token file that is read again on reload.
pub type TokenSource = Arc<Reloadable<Tokens, TokenFileError>>;

/// The rules for accepting a token.
#[derive(Debug, Default)]
pub struct Authenticator {
    tokens: Option<TokenSource>,
    tokens_in_clear: bool,
    wrong: WrongTokens,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// One message for a missing and a wrong token, so that neither tells more than the other.
    #[error("a valid token is needed")]
    Unauthorized,
    /// A listener on the network could have read the token.
    #[error("a token came over an unencrypted connection and is refused: use TLS, and a new token")]
    TokenInClear,
    /// Too many wrong tokens.
    #[error(transparent)]
    Guessing(#[from] TooManyGuesses),
}

impl Denied {
    /// Status of the reply.
    pub fn status(&self) -> Status {
        match self {
            Denied::Unauthorized | Denied::TokenInClear => Status::Unauthorized,
            Denied::Guessing(_) => Status::Busy,
        }
    }

    /// Word for metrics and log.
    pub fn reject_reason(&self) -> RejectReason {
        match self {
            Denied::Unauthorized | Denied::TokenInClear => RejectReason::Unauthorized,
            Denied::Guessing(_) => RejectReason::Guessing,
        }
    }

    /// Time after which trying again may help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Denied::Unauthorized | Denied::TokenInClear => None,
            Denied::Guessing(guesses) => Some(guesses.retry_after),
        }
    }
}

impl Authenticator {
    /// Accepts `tokens`, or every caller without them. `tokens_in_clear` accepts them from other machines without TLS.
    pub fn new(tokens: Option<TokenSource>, tokens_in_clear: bool) -> Authenticator {
        Authenticator { tokens, tokens_in_clear, wrong: WrongTokens::default() }
    }

    /// Returns true if callers need a token.
    pub fn needs_token(&self) -> bool {
        self.tokens.is_some()
    }

    /// Identifies a caller by the token that it offers, where one is needed, else by its address.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn identify(&self, peer: Peer, offered: Option<TokenDigest>, now: Instant) -> Result<Caller, Denied> {
        let Some(tokens) = &self.tokens else { return Ok(Caller::at(peer.address.ip())) };
        let offered = offered.ok_or(Denied::Unauthorized)?;
        let is_exposed = peer.transport == TransportKind::Plain && !peer.is_loopback() && !peer.is_proxied;
        if is_exposed && !self.tokens_in_clear {
            return Err(Denied::TokenInClear);
        }
        // A valid token is accepted before the guesses are counted: others behind the same address must not lock
        // its owner out.
        if let Some(name) = tokens.current().name_of_digest(&offered) {
            return Ok(Caller::Token(name.clone()));
        }
        self.wrong.check(peer.address.ip(), now)?;
        self.wrong.note(peer.address.ip(), now);
        Err(Denied::Unauthorized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn a_known_token_has_a_name_and_a_wrong_one_has_none() {
        let tokens = Tokens::parse("# rotation\n\nold:abc\nnew: def\n ghi \n").unwrap();
        assert_eq!(tokens.count(), 3);
        let name_of = |token| tokens.name_of(token).map(AsRef::as_ref);
        assert_eq!(name_of("abc"), Some("old"));
        assert_eq!(name_of("def"), Some("new"));
        assert_eq!(name_of("ghi"), Some("line-5"));
        for wrong in ["", "ab", "abcd", "ABC", "old:abc"] {
            assert_eq!(name_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_without_tokens_and_lines_without_sense_are_refused() {
        assert!(matches!(Tokens::parse("# nothing\n"), Err(TokenFileError::Empty)));
        for (text, line) in [("a:b\na:\n", 2), (":b\n", 1), ("a:b c\n", 1), ("a:\u{7}\n", 1)] {
            assert!(matches!(Tokens::parse(text), Err(TokenFileError::BadLine(n)) if n == line), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a:secret").unwrap();
        let mode = |mode| std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(matches!(Tokens::read(file.path()), Err(TokenFileError::WorldReadable)));
        mode(0o640);
        assert_eq!(Tokens::read(file.path()).unwrap().count(), 1);
        assert_eq!(crate::token::Token::read(file.path()).unwrap().reveal(), "secret");
    }

    #[test]
    fn neither_debug_nor_errors_show_a_secret() {
        assert!(!format!("{:?}", Tokens::parse("hunter2")).contains("hunter2"));
        assert!(!Tokens::parse("name:hunter2 hunter3").unwrap_err().to_string().contains("hunter"));
    }

    fn peer(ip: Ipv4Addr, transport: TransportKind) -> Peer {
        Peer { address: SocketAddr::from((ip, 4000)).into(), transport, is_proxied: false }
    }

    fn authenticator(tokens_in_clear: bool) -> Authenticator {
        let tokens = Reloadable::new(|| Tokens::parse("me:sesame")).unwrap();
        Authenticator::new(Some(Arc::new(tokens)), tokens_in_clear)
    }

    const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
    const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn a_token_is_accepted_over_tls_and_loopback_and_elsewhere_only_on_demand() {
        let named = |tokens_in_clear, peer| {
            let caller =
                authenticator(tokens_in_clear).identify(peer, Some(digest("sesame")), Instant::now());
            caller.map(|caller| caller == Caller::Token("me".into()))
        };
        assert_eq!(named(false, peer(HERE, TransportKind::Plain)), Ok(true));
        assert_eq!(named(false, peer(THERE, TransportKind::Tls)), Ok(true));
        assert_eq!(named(false, peer(THERE, TransportKind::Plain)), Err(Denied::TokenInClear));
        assert_eq!(named(true, peer(THERE, TransportKind::Plain)), Ok(true));
    }

    #[test]
    fn a_missing_and_a_wrong_token_are_denied_alike_and_guessing_ends() {
        let (authenticator, now) = (authenticator(false), Instant::now());
        let here = peer(HERE, TransportKind::Plain);
        assert_eq!(authenticator.identify(here, None, now), Err(Denied::Unauthorized));
        for _ in 0..10 {
            assert_eq!(authenticator.identify(here, Some(digest("x")), now), Err(Denied::Unauthorized));
        }
        let denied = authenticator.identify(here, Some(digest("x")), now);
        assert!(matches!(denied, Err(Denied::Guessing(_))));
        let owner = authenticator.identify(here, Some(digest("sesame")), now);
        assert_eq!(owner, Ok(Caller::Token("me".into())), "others' guesses do not lock the owner out");
    }

    #[test]
    fn without_tokens_every_address_is_a_caller() {
        let caller = Authenticator::default().identify(
            peer(THERE, TransportKind::Plain),
            Some(digest("x")),
            Instant::now(),
        );
        assert_eq!(caller, Ok(Caller::at(THERE.into())));
    }
}
