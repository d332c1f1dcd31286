//! Passwords: argon2id with the parameters that OWASP recommends, and only such as are hard to guess.
//!
//! An unknown user costs as much as a wrong password, or the time of an answer would tell who has
//! an account. Hashing takes 19 MiB and some 20 ms, so [`Passwords`] bounds how many run at once.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use zxcvbn::Score;
use zxcvbn::feedback::{Feedback, Warning};

/// The shortest password that is accepted, in characters.
pub const MIN_CHARACTERS: usize = 10;
/// The longest password that is accepted, in bytes.
pub const MAX_BYTES: usize = 1024;
/// How many hashes may be computed at once.
const AT_ONCE: usize = 2;

// OWASP Password Storage Cheat Sheet: argon2id with m=19 MiB, t=2, p=1.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Why a password was refused or could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("use at least {MIN_CHARACTERS} characters")]
    TooShort,
    #[error("use at most {MAX_BYTES} bytes")]
    TooLong,
    /// Easy to guess; what to do about it.
    #[error("{0}")]
    Weak(&'static str),
    #[error("the password could not be hashed")]
    Hashing,
    #[error("the stored password hash cannot be read")]
    StoredHash,
}

/// A new password that is neither too short nor too long, and hard to guess.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Checks length and strength; what is typed is taken as it is, blanks included. `known` is what
    /// somebody who knows the person would try first: their address, their company. Takes some
    /// milliseconds.
    pub fn parse(text: SecretString, known: &[String]) -> Result<Self, PasswordError> {
        let plain = text.expose_secret();
        if plain.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if plain.chars().count() < MIN_CHARACTERS {
            return Err(PasswordError::TooShort);
        }
        let known: Vec<_> = known.iter().flat_map(|k| words(k)).collect();
        let estimate = zxcvbn::zxcvbn(plain, &known);
        if estimate.score() < Score::Three {
            let warning = estimate.feedback().and_then(Feedback::warning);
            return Err(PasswordError::Weak(advice(warning)));
        }
        Ok(Self(text))
    }
}

/// A text and each of its words: of `ann@paper.example` also `ann` and `paper`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    std::iter::once(text).chain(parts.filter(|part| part.chars().count() > 2))
}

/// What to do about a password that is easy to guess.
fn advice(warning: Option<Warning>) -> &'static str {
    match warning {
        Some(
            Warning::StraightRowsOfKeysAreEasyToGuess
            | Warning::ShortKeyboardPatternsAreEasyToGuess,
        ) => "rows of keys are tried first; use a few words that do not belong together",
        Some(
            Warning::RepeatsLikeAaaAreEasyToGuess
            | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess,
        ) => "repeating something adds little; add words that do not belong together",
        Some(
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword,
        ) => "many people use this one, so it is tried first; choose another",
        Some(Warning::SequencesLikeAbcAreEasyToGuess) => {
            "sequences such as abc or 6543 are tried first; add words that do not belong together"
        }
        Some(Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess) => {
            "years and dates are tried first; add words that do not belong together"
        }
        Some(
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
            | Warning::CommonNamesAndSurnamesAreEasyToGuess,
        ) => "names are tried first; add words that do not belong together",
        Some(Warning::AWordByItselfIsEasyToGuess) | None => {
            "too easy to guess; add another word or two, best uncommon ones"
        }
    }
}

/// Hashes to a PHC string (`$argon2id$v=19$…`). Blocks for some 20 ms.
pub fn hash(password: &NewPassword) -> Result<String, PasswordError> {
    let hash = hasher()?.hash_password(password.0.expose_secret().as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|_| PasswordError::Hashing)
}

/// Whether `attempt` is the password behind `phc`. Blocks as long as [`hash`].
pub fn verify(attempt: &SecretString, phc: &str) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(phc).map_err(|_| PasswordError::StoredHash)?;
    let bytes = attempt.expose_secret().as_bytes();
    if bytes.len() > MAX_BYTES {
        return Ok(false);
    }
    Ok(hasher()?.verify_password(bytes, &stored).is_ok())
}

/// Takes as long as [`verify`], for a user who does not exist.
pub fn verify_nobody(attempt: &SecretString) -> Result<(), PasswordError> {
    let bytes = attempt.expose_secret().as_bytes();
    if bytes.len() > MAX_BYTES {
        return Ok(());
    }
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    hasher()?
        .hash_password_into(bytes, b"nobody has this salt", &mut out)
        .map_err(|_| PasswordError::Hashing)?;
    std::hint::black_box(out);
    Ok(())
}

/// Whether `phc` was made with other parameters than today's: hash anew at the next sign-in.
pub fn needs_rehash(phc: &str) -> bool {
    let Ok(stored) = PasswordHash::new(phc) else {
        return true;
    };
    let Ok(params) = Params::try_from(&stored) else {
        return true;
    };
    stored.algorithm.as_str() != "argon2id"
        || stored.version != Some(Version::V0x13.into())
        || (params.m_cost(), params.t_cost(), params.p_cost()) != (MEMORY_KIB, PASSES, LANES)
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Hashing)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The same, on blocking threads, two at a time. Cheap to clone; clones share the bound.
#[derive(Debug, Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Passwords {
    /// [`NewPassword::parse`] and [`hash`], off the calling thread.
    pub async fn hash(
        &self,
        text: SecretString,
        known: Vec<String>,
    ) -> Result<String, PasswordError> {
        self.run(move || hash(&NewPassword::parse(text, &known)?))
            .await
    }

    /// A hash with today's parameters of a password that was right, however weak it is.
    pub async fn rehash(&self, attempt: SecretString) -> Result<String, PasswordError> {
        self.run(move || hash(&NewPassword(attempt))).await
    }

    /// Whether `attempt` fits the stored hash; without one (an unknown user) takes as long and
    /// says no.
    pub async fn verify(
        &self,
        attempt: SecretString,
        phc: Option<String>,
    ) -> Result<bool, PasswordError> {
        self.run(move || match phc {
            Some(phc) => verify(&attempt, &phc),
            None => verify_nobody(&attempt).map(|()| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Hashing)?;
        // The permit goes along: a caller who hangs up does not free a thread that still hashes.
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        task.await.map_err(|_| PasswordError::Hashing)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &str) -> Result<NewPassword, PasswordError> {
        let known = ["ann@paper-mill.example".to_owned(), "Paper Mill".to_owned()];
        NewPassword::parse(SecretString::from(text), &known)
    }

    #[test]
    fn the_right_password_fits_and_a_wrong_one_does_not() {
        let phc = hash(&new("correct horse").unwrap()).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(verify(&SecretString::from("correct horse"), &phc), Ok(true));
        assert_eq!(
            verify(&SecretString::from("correct horse "), &phc),
            Ok(false)
        );
        assert_eq!(verify(&SecretString::from(""), &phc), Ok(false));
        assert!(!needs_rehash(&phc));
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        let password = new("correct horse").unwrap();
        assert_ne!(hash(&password), hash(&password));
    }

    #[test]
    fn length_is_bounded_on_both_sides() {
        assert_eq!(new("nine char").unwrap_err(), PasswordError::TooShort);
        assert!(new("tulp çhoir").is_ok());
        assert!(new(&"mellow anvil ".repeat(78)).is_ok());
        assert_eq!(new(&"x".repeat(1025)).unwrap_err(), PasswordError::TooLong);
        let phc = hash(&new("correct horse").unwrap()).unwrap();
        assert_eq!(
            verify(&SecretString::from("x".repeat(1025)), &phc),
            Ok(false)
        );
    }

    #[test]
    fn what_is_easy_to_guess_is_refused_with_advice() {
        for (weak, says) in [
            ("password123", "many people"),
            ("qwertyuiop", "many people"),
            ("aaaaaaaaaaaa", "repeating"),
            ("paper-mill", "too easy"),
            ("ann@paper-mill.example", "too easy"),
            ("abcdefghijkl", "sequences"),
        ] {
            match new(weak).unwrap_err() {
                PasswordError::Weak(advice) => assert!(advice.contains(says), "{weak}: {advice}"),
                other => panic!("{weak}: {other}"),
            }
        }
        // The same text is fine for somebody who has nothing to do with it.
        let stranger = NewPassword::parse(SecretString::from("paper-mill anvil 4"), &[]);
        assert!(stranger.is_ok());
    }

    #[test]
    fn weaker_parameters_and_garbage_are_hashed_anew() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8192, 1, 1, None).unwrap(),
        );
        let phc = weak.hash_password(b"correct horse").unwrap().to_string();
        assert!(needs_rehash(&phc));
        assert_eq!(verify(&SecretString::from("correct horse"), &phc), Ok(true));
        assert!(needs_rehash("plain text"));
        assert_eq!(
            verify(&SecretString::from("plain text"), "plain text"),
            Err(PasswordError::StoredHash)
        );
    }

    #[tokio::test]
    async fn an_unknown_user_is_told_no() {
        let passwords = Passwords::default();
        let attempt = || SecretString::from("correct horse");
        let phc = passwords.hash(attempt(), Vec::new()).await.unwrap();
        assert_eq!(passwords.verify(attempt(), Some(phc)).await, Ok(true));
        assert_eq!(passwords.verify(attempt(), None).await, Ok(false));
    }

    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_of_their_own() {
        let passwords = Passwords::default();
        let attempt = || SecretString::from("correct horse");
        let phc = passwords.hash(attempt(), Vec::new()).await.unwrap();
        // While others hash, neither a known nor an unknown user gets an answer.
        let busy = Arc::clone(&passwords.permits);
        let busy = busy.acquire_many_owned(2).await.unwrap();
        let mut known = Box::pin(passwords.verify(attempt(), Some(phc)));
        let mut unknown = Box::pin(passwords.verify(attempt(), None));
        assert!(futures::poll!(&mut known).is_pending());
        assert!(futures::poll!(&mut unknown).is_pending());
        drop(busy);
        assert_eq!((known.await, unknown.await), (Ok(true), Ok(false)));
    }

    #[tokio::test]
    async fn no_more_than_two_hashes_run_at_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let passwords = Passwords::default();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // Each waits for a partner, so that two really run together.
        let pairs = Arc::new(std::sync::Barrier::new(2));
        let runs = (0..8).map(|_| {
            let (now, most, pairs) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&pairs));
            passwords.run(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                pairs.wait();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        assert!(
            futures::future::join_all(runs)
                .await
                .iter()
                .all(Result::is_ok)
        );
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
