//! One-time codes of an authenticator app: RFC 6238 with SHA-1, six digits, 30 seconds.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use totp_rs::{Builder, Secret, Totp};

/// Seconds for which a code is shown.
const STEP: u64 = 30;
/// How many steps the clock of a phone may be off.
const SKEW: u16 = 1;
/// Bytes of a secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// What an authenticator app calls us.
const ISSUER: &str = "ml-connector";

/// A new secret, in base 32.
pub fn secret() -> SecretString {
    let mut bytes = [0; SECRET_BYTES];
    rand::fill(&mut bytes);
    SecretString::from(Secret::new_stack(bytes).to_base32())
}

/// What the QR code of a secret says: `otpauth://totp/…`; `None` for what is no secret.
pub fn address(secret: &SecretString, account: &str) -> Option<SecretString> {
    // A colon would end the name.
    let account = account.replace(':', " ");
    let totp = builder(secret)?
        .with_issuer(Some(ISSUER))
        .with_account_name(account)
        .build()
        .ok()?;
    totp.to_url().ok().map(SecretString::from)
}

/// The 30 s step that a code belongs to, the one before `at` and the one after it included.
pub fn step(secret: &SecretString, code: &str, at: DateTime<Utc>) -> Option<i64> {
    let now = u64::try_from(at.timestamp()).ok()?;
    let step = totp(secret)?.check(code, now)?;
    i64::try_from(step).ok()
}

/// The code of an instant, as an app shows it.
pub fn code(secret: &SecretString, at: DateTime<Utc>) -> Option<String> {
    let now = u64::try_from(at.timestamp()).ok()?;
    Some(totp(secret)?.generate(now).to_string())
}

fn totp(secret: &SecretString) -> Option<Totp> {
    builder(secret)?.build().ok()
}

fn builder(secret: &SecretString) -> Option<Builder> {
    let secret = Secret::try_from_base32(secret.expose_secret()).ok()?;
    Some(
        Builder::new()
            .with_secret(secret)
            .with_digits(6)
            .with_skew(SKEW)
            .with_step_duration(STEP),
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// The secret of RFC 6238, appendix B: "12345678901234567890".
    fn known() -> SecretString {
        SecretString::from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // The last six of the eight digits given there.
        for (seconds, said) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(code(&known(), at(seconds)).unwrap(), said);
            assert_eq!(step(&known(), said, at(seconds)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_clock_may_be_off_by_one_step() {
        let shown = code(&known(), at(3_000)).unwrap();
        assert_eq!(step(&known(), &shown, at(3_030)), Some(100));
        assert_eq!(step(&known(), &shown, at(2_970)), Some(100));
        assert_eq!(step(&known(), &shown, at(3_060)), None);
        assert_eq!(step(&known(), &shown, at(2_939)), None);
        for odd in ["", "12345", "1234567", "abcdef", "２８７０８２"] {
            assert_eq!(step(&known(), odd, at(59)), None, "{odd}");
        }
    }

    #[test]
    fn an_app_reads_name_and_secret() {
        let address = address(&known(), "a:nn@example.com").unwrap();
        assert_eq!(
            address.expose_secret(),
            "otpauth://totp/ml-connector:a%20nn%40example.com\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ml-connector"
        );
        assert!(code(&secret(), at(0)).is_some_and(|c| c.len() == 6));
    }
}
