//! `Token`: the secret that a caller sends, and the files that hold such secrets.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longest token, in bytes.
const MAX_TOKEN_LEN: usize = 1024;

/// Largest token file, in bytes.
const MAX_FILE_LEN: u64 = 64 << 10;

/// Secret of a caller. Its text stays out of logs, errors and debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token of 1 to 1,024 bytes without spaces or control characters.
    pub fn new(text: &str) -> Option<Token> {
        let fine = (1..=MAX_TOKEN_LEN).contains(&text.len())
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        fine.then(|| Token(text.to_owned()))
    }

    /// The first token of a file of `name:token` lines.
    ///
    /// # Errors
    /// [`TokenFileError`].
    pub fn read(path: &Path) -> Result<Token, TokenFileError> {
        let text = read_secret(path)?;
        let (_, token) = entries(&text).next().ok_or(TokenFileError::Empty)??;
        Ok(token)
    }

    /// The secret itself, for the wire.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

/// A token file that cannot be used. No message shows a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Every user of the machine can read it.
    #[error("every user of this machine can read it: chmod o-r")]
    WorldReadable,
    /// It holds no token.
    #[error("it holds no token")]
    Empty,
    /// It is longer than a list of tokens can be.
    #[error("it is longer than {MAX_FILE_LEN} bytes")]
    TooLong,
    /// A line is no token.
    #[error("line {0} is not 'name:token' with 1 to {MAX_TOKEN_LEN} bytes and no spaces")]
    BadLine(usize),
}

/// Reads a file that only its owner and group can read.
pub(crate) fn read_secret(path: &Path) -> Result<String, TokenFileError> {
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata()?;
        // A pipe, as shells make for `<(command)`, has no other readers whatever its mode says.
        if metadata.is_file() && metadata.permissions().mode() & 0o004 != 0 {
            return Err(TokenFileError::WorldReadable);
        }
    }
    let mut text = String::new();
    let got = file.take(MAX_FILE_LEN + 1).read_to_string(&mut text)?;
    if got as u64 > MAX_FILE_LEN { Err(TokenFileError::TooLong) } else { Ok(text) }
}

/// Names and tokens of `name:token` lines; a line without a name is named by its number.
/// Empty lines and lines that begin with `#` are skipped.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = Result<(String, Token), TokenFileError>> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| {
        let (name, token) = match line.split_once(':') {
            Some((name, token)) => (name.trim().escape_debug().to_string(), token.trim()),
            None => (format!("line-{number}"), line),
        };
        let token = Token::new(token).filter(|_| !name.is_empty());
        Ok((name, token.ok_or(TokenFileError::BadLine(number))?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", Token::new("hunter2")), "Some(Token(...))");
    }
}
