//! `Tokens`, the digests that a server knows; `Guesses`, the wrong tokens of each address.

use crate::token::{TokenFileError, entries, read_secret};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Wrong tokens that an address may offer within [`GUESS_WINDOW`].
const MAX_GUESSES: u32 = 10;

/// After this long an address may guess again.
const GUESS_WINDOW: Duration = Duration::from_secs(60);

/// Most addresses that are remembered for their guesses.
const MAX_GUESSERS: usize = 16 << 10;

/// The tokens that a server takes, as SHA-256 digests, each with a name for the log. The first entry is nobody: what
/// a wrong token is found to be, by the same steps as a right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens(Vec<(String, [u8; 32])>);

impl Tokens {
    /// Reads `name:token` lines; a line without a name is called after its number. Empty lines and lines
    /// that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`TokenFileError::Empty`] without any token, [`TokenFileError::BadLine`].
    pub fn parse(text: &str) -> Result<Tokens, TokenFileError> {
        let mut tokens = vec![(String::new(), [0; 32])];
        for entry in entries(text) {
            let (name, token) = entry?;
            tokens.push((name, digest(token.reveal())));
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

    /// The name of the token that `offered` is.
    pub fn name_of(&self, offered: &str) -> Option<&str> {
        let (name, _) = &self.0[self.place_of(offered)];
        (!name.is_empty()).then_some(name)
    }

    /// The place of `offered` among the tokens; nobody's is 0. Takes the same time for every token of a length, wrong
    /// or right: digests are compared whole, and all of them.
    pub fn place_of(&self, offered: &str) -> usize {
        let offered = digest(offered);
        let mut found = 0_u32;
        for (place, (_, known)) in (0_u32..).zip(&self.0).skip(1) {
            found.conditional_assign(&place, known.ct_eq(&offered));
        }
        found as usize
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len() - 1
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Counts wrong tokens by address, so that nobody can try many.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Tally>>);

#[derive(Debug, Clone, Copy)]
struct Tally {
    wrong: u32,
    since: Instant,
}

/// An address has offered too many wrong tokens of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong tokens from this address, try again in {} s", retry_after.as_secs().max(1))]
pub struct TooManyGuesses {
    /// When the next guess is heard.
    pub retry_after: Duration,
}

impl Guesses {
    /// Whether a token from this address is worth a comparison.
    ///
    /// # Errors
    /// [`TooManyGuesses`] after ten wrong ones within a minute.
    pub fn may_try(&self, peer: IpAddr, now: Instant) -> Result<(), TooManyGuesses> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match tallies.get(&network(peer)) {
            Some(tally) if tally.wrong >= MAX_GUESSES => {
                let retry_after = GUESS_WINDOW.saturating_sub(now.saturating_duration_since(tally.since));
                if retry_after.is_zero() { Ok(()) } else { Err(TooManyGuesses { retry_after }) }
            }
            _ => Ok(()),
        }
    }

    /// Notes a wrong token.
    pub fn note_wrong(&self, peer: IpAddr, now: Instant) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tallies.len() >= MAX_GUESSERS {
            tallies.retain(|_, tally| now.saturating_duration_since(tally.since) < GUESS_WINDOW);
            if tallies.len() >= MAX_GUESSERS {
                tallies.clear(); // so many addresses cannot all be told apart; memory stays bounded
            }
        }
        let tally = tallies.entry(network(peer)).or_insert(Tally { wrong: 0, since: now });
        if now.saturating_duration_since(tally.since) >= GUESS_WINDOW {
            *tally = Tally { wrong: 0, since: now };
        }
        tally.wrong += 1;
    }
}

/// What one caller holds: an IPv4 address, or the /64 that an IPv6 host can roam in.
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_known_token_has_a_name_and_a_wrong_one_has_none() {
        let tokens = Tokens::parse("# rotation\n\nold:abc\nnew: def\n ghi \n").unwrap();
        assert_eq!(tokens.count(), 3);
        assert_eq!(tokens.name_of("abc"), Some("old"));
        assert_eq!(tokens.name_of("def"), Some("new"));
        assert_eq!(tokens.name_of("ghi"), Some("line-5"));
        for wrong in ["", "ab", "abcd", "ABC", "old:abc"] {
            assert_eq!(tokens.name_of(wrong), None, "{wrong}");
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

    #[test]
    fn ten_wrong_tokens_silence_an_address_for_a_minute_and_no_other() {
        let guesses = Guesses::default();
        let start = Instant::now();
        for _ in 0..MAX_GUESSES {
            assert_eq!(guesses.may_try(HERE, start), Ok(()));
            guesses.note_wrong(HERE, start);
        }
        assert!(guesses.may_try(HERE, start + Duration::from_secs(59)).is_err());
        assert_eq!(guesses.may_try(Ipv4Addr::new(10, 0, 0, 1).into(), start), Ok(()));
        assert_eq!(guesses.may_try(HERE, start + GUESS_WINDOW), Ok(()));
        guesses.note_wrong(HERE, start + GUESS_WINDOW);
        assert_eq!(guesses.may_try(HERE, start + GUESS_WINDOW), Ok(()));
    }

    #[test]
    fn an_ipv6_host_cannot_hide_within_its_own_network() {
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:127.0.0.1".parse().unwrap()), HERE);
    }

    #[test]
    fn memory_for_guessers_is_bounded() {
        let guesses = Guesses::default();
        for n in 0..2 * MAX_GUESSERS as u32 {
            guesses.note_wrong(Ipv4Addr::from_bits(n).into(), Instant::now());
        }
        assert!(guesses.0.lock().unwrap().len() <= MAX_GUESSERS);
    }
}
