//! Passwords: argon2id with the parameters that OWASP recommends, and only such as are hard to guess.
//!
//! An unknown user costs as much as a wrong password, or the time of an answer would tell who has
//! an account. Hashing takes 19 MiB and some 20 ms, so [`Passwords`] hashes one after the other, bounds how
//! many wait, and keeps the memory: given back to the allocator and asked for again on thread after
//! thread, it would stay with each of them.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::sync::{Mutex, Semaphore};
use zxcvbn::Score;
use zxcvbn::feedback::{Feedback, Warning};

/// The shortest password that is accepted, in characters.
pub const MIN_CHARACTERS: usize = 10;
/// The longest password that is accepted, in bytes.
pub const MAX_BYTES: usize = 1024;
/// How many may wait for their turn: a second or two of work, so nobody looks at a page that hangs.
const MOST_WAITING: usize = 64;

// OWASP Password Storage Cheat Sheet: argon2id with m=19 MiB, t=2, p=1.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A stored hash may ask for more than today's, but not for any amount.
const MOST_STORED_KIB: u32 = 65_536;

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
    /// Nothing was computed: so many wait already.
    #[error("too many passwords are being checked at this moment; try again in a few seconds")]
    Busy,
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

/// The memory that one hash needs: made at the first, wiped after each, kept for the next.
#[derive(Default)]
struct Workspace {
    blocks: Vec<Block>,
    is_used: bool,
}

impl Workspace {
    fn at_least(&mut self, blocks: usize) -> &mut [Block] {
        self.is_used = true;
        if self.blocks.len() < blocks {
            // Exactly: it stays.
            self.blocks.reserve_exact(blocks - self.blocks.len());
            self.blocks.resize(blocks, Block::new());
        }
        &mut self.blocks
    }

    /// What is left in it would tell of a password; what it has beyond today's need goes back.
    fn wipe(&mut self) {
        let kept = MEMORY_KIB as usize;
        if self.blocks.len() > kept {
            self.blocks.fill(Block::new());
            self.blocks.truncate(kept);
            self.blocks.shrink_to_fit();
        } else if self.is_used {
            self.blocks.fill(Block::new());
        }
        self.is_used = false;
    }
}

/// Hashes to a PHC string (`$argon2id$v=19$…`). Blocks for some 20 ms.
fn hash(password: &NewPassword, workspace: &mut Workspace) -> Result<String, PasswordError> {
    let (argon2, params) = (hasher()?, params()?);
    let salt: [u8; Salt::RECOMMENDED_LENGTH] = rand::random();
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let blocks = workspace.at_least(params.block_count());
    let bytes = password.0.expose_secret().as_bytes();
    argon2
        .hash_password_into_with_memory(bytes, &salt, &mut out, blocks)
        .map_err(|_| PasswordError::Hashing)?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| PasswordError::Hashing)?,
        salt: Some(Salt::new(&salt).map_err(|_| PasswordError::Hashing)?),
        hash: Some(Output::new(&out).map_err(|_| PasswordError::Hashing)?),
    };
    Ok(phc.to_string())
}

/// Whether `attempt` is the password behind `phc`. Blocks as long as [`hash`].
fn verify(
    attempt: &SecretString,
    phc: &str,
    workspace: &mut Workspace,
) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(phc).map_err(|_| PasswordError::StoredHash)?;
    let bytes = attempt.expose_secret().as_bytes();
    if bytes.len() > MAX_BYTES {
        return Ok(false);
    }
    let (argon2, params) = hasher_of(&stored).ok_or(PasswordError::StoredHash)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(PasswordError::StoredHash);
    };
    let mut out = [0; Output::MAX_LENGTH];
    let out = &mut out[..expected.as_bytes().len()];
    let blocks = workspace.at_least(params.block_count());
    argon2
        .hash_password_into_with_memory(bytes, salt, out, blocks)
        .map_err(|_| PasswordError::StoredHash)?;
    Ok(bool::from(out.ct_eq(expected.as_bytes())))
}

/// Takes as long as [`verify`], for a user who does not exist.
fn verify_nobody(attempt: &SecretString, workspace: &mut Workspace) -> Result<(), PasswordError> {
    let bytes = attempt.expose_secret().as_bytes();
    if bytes.len() > MAX_BYTES {
        return Ok(());
    }
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let blocks = workspace.at_least(params()?.block_count());
    hasher()?
        .hash_password_into_with_memory(bytes, b"nobody has this salt", &mut out, blocks)
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

fn params() -> Result<Params, PasswordError> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Hashing)
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params()?))
}

/// Whatever a stored hash was made with; `None` when it cannot be read or asks for too much.
fn hasher_of(stored: &PasswordHash) -> Option<(Argon2<'static>, Params)> {
    let algorithm = stored.algorithm.as_str().parse::<Algorithm>().ok()?;
    let version = match stored.version {
        Some(version) => Version::try_from(version).ok()?,
        None => Version::default(),
    };
    let params = Params::try_from(stored).ok()?;
    let is_bearable = params.m_cost() <= MOST_STORED_KIB;
    is_bearable.then(|| (Argon2::new(algorithm, version, params.clone()), params))
}

/// The same, on blocking threads, one at a time. Cheap to clone; clones share the bounds.
#[derive(Clone)]
pub struct Passwords {
    /// Who waits or is at work.
    places: Arc<Semaphore>,
    /// Whoever has it is at work.
    workspace: Arc<Mutex<Workspace>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::waiting_at_most(MOST_WAITING)
    }
}

impl Passwords {
    fn waiting_at_most(waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(1 + waiting)),
            workspace: Arc::default(),
        }
    }

    /// So many wait that nobody is let in.
    #[cfg(test)]
    pub fn overrun() -> Self {
        let full = Self::default();
        full.places.close();
        full
    }

    /// [`NewPassword::parse`] and the hash behind it, off the calling thread.
    pub async fn hash(
        &self,
        text: SecretString,
        known: Vec<String>,
    ) -> Result<String, PasswordError> {
        self.run(move |workspace| hash(&NewPassword::parse(text, &known)?, workspace))
            .await
    }

    /// A hash with today's parameters of a password that was right, however weak it is.
    pub async fn rehash(&self, attempt: SecretString) -> Result<String, PasswordError> {
        self.run(move |workspace| hash(&NewPassword(attempt), workspace))
            .await
    }

    /// Whether `attempt` fits the stored hash; without one (an unknown user) takes as long and
    /// says no.
    pub async fn verify(
        &self,
        attempt: SecretString,
        phc: Option<String>,
    ) -> Result<bool, PasswordError> {
        self.run(move |workspace| match phc {
            Some(phc) => verify(&attempt, &phc, workspace),
            None => verify_nobody(&attempt, workspace).map(|()| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Workspace) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.places.try_acquire().map_err(|_| PasswordError::Busy)?;
        let mut workspace = Arc::clone(&self.workspace).lock_owned().await;
        // It goes along: a caller who hangs up does not free a thread that still hashes.
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&mut workspace);
            workspace.wipe();
            result
        });
        task.await.map_err(|_| PasswordError::Hashing)?
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher as _;

    use super::*;

    fn hash(password: &NewPassword) -> Result<String, PasswordError> {
        super::hash(password, &mut Workspace::default())
    }

    fn verify(attempt: &SecretString, phc: &str) -> Result<bool, PasswordError> {
        super::verify(attempt, phc, &mut Workspace::default())
    }

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
        let busy = passwords.workspace.lock().await;
        let mut known = Box::pin(passwords.verify(attempt(), Some(phc)));
        let mut unknown = Box::pin(passwords.verify(attempt(), None));
        assert!(futures::poll!(&mut known).is_pending());
        assert!(futures::poll!(&mut unknown).is_pending());
        drop(busy);
        assert_eq!((known.await, unknown.await), (Ok(true), Ok(false)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn hashes_are_made_one_after_the_other() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let passwords = Passwords::default();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let runs = (0..8).map(|_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            passwords.run(move |workspace| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                verify_nobody(&SecretString::from("wrong"), workspace)?;
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
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn who_finds_too_many_waiting_is_told_at_once() {
        let passwords = Passwords::waiting_at_most(3);
        let attempt = || SecretString::from("wrong wrong wrong");
        let busy = passwords.workspace.lock().await;
        let mut waiting: Vec<_> = (0..4)
            .map(|_| Box::pin(passwords.verify(attempt(), None)))
            .collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        let late = passwords.verify(attempt(), None).await;
        assert_eq!(late, Err(PasswordError::Busy));
        // Whoever hangs up makes room.
        drop(waiting.pop());
        let mut next = Box::pin(passwords.verify(attempt(), None));
        assert!(futures::poll!(&mut next).is_pending());
        drop((waiting, busy));
        assert_eq!(next.await, Ok(false));
    }

    #[tokio::test]
    async fn hashing_uses_the_same_memory_again_and_leaves_nothing_in_it() {
        let passwords = Passwords::default();
        let attempts = (0..8).map(|_| passwords.verify(SecretString::from("wrong"), None));
        for answer in futures::future::join_all(attempts).await {
            assert_eq!(answer, Ok(false));
        }
        let weak = passwords.hash(SecretString::from("short"), Vec::new());
        assert_eq!(weak.await, Err(PasswordError::TooShort));
        let kept = passwords.workspace.lock().await;
        assert_eq!(kept.blocks.capacity(), MEMORY_KIB as usize);
        let words = kept.blocks.iter().flat_map(AsRef::as_ref);
        assert!(words.copied().all(|word: u64| word == 0));
    }

    #[test]
    fn a_hash_that_took_more_memory_keeps_none_of_it_and_one_that_asks_for_too_much_is_refused() {
        let attempt = SecretString::from("correct horse");
        let made = |kib| {
            let params = Params::new(kib, 1, 1, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            argon2.hash_password(b"correct horse").unwrap().to_string()
        };
        let mut workspace = Workspace::default();
        let large = made(MEMORY_KIB + 4096);
        assert_eq!(super::verify(&attempt, &large, &mut workspace), Ok(true));
        workspace.wipe();
        assert_eq!(workspace.blocks.capacity(), MEMORY_KIB as usize);
        let huge = made(MOST_STORED_KIB + 1024);
        let refused = super::verify(&attempt, &huge, &mut workspace);
        assert_eq!(refused, Err(PasswordError::StoredHash));
    }
}
