//! Secrets: named in the configuration, kept elsewhere.
//!
//! A secret never implements `Display`, and `Debug` hides it.

use std::fmt;
use std::path::Path;

/// A secret that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Largest file that is read as a secret.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a secret could not be read; names the place, never the content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {file}: {reason}")]
    File {
        /// Path.
        file: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file is larger than any secret.
    #[error("{0} is larger than 64 KiB, which no secret is")]
    TooLarge(String),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    Unset(String),
}

/// Reads a secret from a file; the line break at its end does not belong to it.
///
/// # Errors
/// If the file cannot be read, is empty or far too large.
pub fn from_file(path: &Path) -> Result<Secret, Error> {
    let file = path.display().to_string();
    let unreadable = |reason| Error::File { file: file.clone(), reason };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(Error::TooLarge(file));
    }
    let text = std::fs::read_to_string(path).map_err(|reason| Error::File { file: file.clone(), reason })?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err(Error::Empty(file)) } else { Ok(Secret(secret.to_owned())) }
}

/// Reads a secret from an environment variable.
///
/// # Errors
/// If the variable is not set or empty.
pub fn from_env(name: &str) -> Result<Secret, Error> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Secret(value)),
        Ok(_) => Err(Error::Empty(format!("the environment variable {name}"))),
        Err(_) => Err(Error::Unset(name.to_owned())),
    }
}

/// Reads the privacy key: 64 hexadecimal characters.
#[must_use]
pub fn privacy_key(secret: &Secret) -> Option<[u8; 32]> {
    let text = secret.expose().trim();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}
