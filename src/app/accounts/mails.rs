//! What the e-mails about accounts say. Each stands alone; a link is on a line of its own.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::mail::MailContent;
use crate::config::web::PublicUrl;
use crate::mail::untrusted::{self, NAME_LENGTH};

/// The longest e-mail address that there is.
const ADDRESS_LENGTH: usize = 254;

fn mail(subject: &str, paragraphs: &[&str]) -> MailContent {
    MailContent {
        subject: subject.to_owned(),
        text: format!("{}\n", paragraphs.join("\n\n")),
    }
}

fn link(url: &PublicUrl, path: &str, token: &SecretString) -> String {
    url.join(&format!("{path}/{}", token.expose_secret()))
}

/// A way on, and the words of its button where e-mails have such.
fn button(words: &str, address: &str) -> String {
    format!("{words}\n{address}")
}

pub(in crate::app) fn instant(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y at %H:%M UTC").to_string()
}

/// What to do when it was somebody else; the first thing is the same for all.
fn not_you(url: &PublicUrl, rest: &str) -> String {
    format!(
        "If this was not you: reset your password now, at {}. {rest}",
        url.join("/reset")
    )
}

/// To a stranger who wants to sign up.
pub(super) fn sign_up(url: &PublicUrl, company: &str, token: &SecretString) -> MailContent {
    mail(
        "Confirm your address for ml-connector",
        &[
            &format!(
                "Somebody, most likely you, asked for an account with this address, for the \
                 company {}. To finish, open this page and press the button:",
                untrusted::quoted(company, NAME_LENGTH)
            ),
            &button("Confirm the address", &link(url, "/sign-up", token)),
            "The link is good for 24 hours and works once.",
            "If you did not ask for it, do nothing: no account is made.",
        ],
    )
}

/// To somebody who has an account already and is signed up once more.
pub(super) fn sign_up_known(url: &PublicUrl) -> MailContent {
    mail(
        "You have an account at ml-connector already",
        &[
            "Somebody, most likely you, asked for an account with this address. There is one \
             already, so nothing was changed. Sign in here:",
            &button("Sign in", &url.join("/sign-in")),
            &format!(
                "If you have forgotten the password, reset it: {}",
                url.join("/reset")
            ),
            "If it was not you who asked, you need not do anything.",
        ],
    )
}

/// To somebody who forgot their password.
pub(super) fn reset(url: &PublicUrl, token: &SecretString) -> MailContent {
    mail(
        "Choose a new password for ml-connector",
        &[
            "Somebody, most likely you, asked for a new password. To choose one, open this page:",
            &button("Choose a password", &link(url, "/reset", token)),
            "The link is good for one hour and works once. The old password stays valid until then.",
            "If you did not ask for it, do nothing. Whoever asked has not learnt anything.",
        ],
    )
}

/// To somebody whose password is another one now.
pub(super) fn password_changed(url: &PublicUrl, at: DateTime<Utc>) -> MailContent {
    mail(
        "Your password for ml-connector was changed",
        &[
            &format!(
                "It was changed on {}. All other browsers were signed out.",
                instant(at)
            ),
            &not_you(
                url,
                "Then look at the sessions and the second factor of your account.",
            ),
        ],
    )
}

/// To an address that is to become somebody's.
pub(super) fn email_change(url: &PublicUrl, token: &SecretString) -> MailContent {
    mail(
        "Confirm your new address for ml-connector",
        &[
            "Somebody, most likely you, wants to sign in to ml-connector with this address from \
             now on. To confirm it, open this page and press the button:",
            &button("Confirm the address", &link(url, "/e-mail", token)),
            "The link is good for 24 hours and works once.",
            "If you know nothing of it, do nothing: nothing changes.",
        ],
    )
}

/// To an address that is to become somebody's, and is another's.
pub(super) fn email_known(url: &PublicUrl) -> MailContent {
    mail(
        "This address has an account at ml-connector already",
        &[
            "Somebody asked to sign in to another account of ml-connector with this address. \
             Since it has an account of its own, nothing was changed. Sign in to it here:",
            &button("Sign in", &url.join("/sign-in")),
            "If it was not you who asked, you need not do anything.",
        ],
    )
}

/// To the address that somebody wants to leave.
pub(super) fn email_change_asked(url: &PublicUrl, new: &str) -> MailContent {
    mail(
        "Your address for ml-connector is to change",
        &[
            &format!(
                "Somebody who knows your password asked to sign in with {} instead of this \
                 address. It takes effect once the new address is confirmed.",
                untrusted::quoted(new, ADDRESS_LENGTH)
            ),
            &not_you(url, "That also makes the link to the new address void."),
        ],
    )
}

/// To the address that somebody left.
pub(super) fn email_changed(url: &PublicUrl, new: &str) -> MailContent {
    mail(
        "Your address for ml-connector was changed",
        &[
            &format!(
                "From now on you sign in with {}. This address opens nothing any more.",
                untrusted::quoted(new, ADDRESS_LENGTH)
            ),
            &format!(
                "If this was not you, write to whoever runs {} at once.",
                url.join("/")
            ),
        ],
    )
}

/// To somebody who turned their second factor on.
pub(super) fn second_factor_on(url: &PublicUrl, at: DateTime<Utc>) -> MailContent {
    mail(
        "The second factor for ml-connector is on",
        &[
            &format!(
                "It was turned on on {}. From now on signing in takes a code of your \
                 authenticator app as well. Keep the recovery codes where you find them without \
                 your phone.",
                instant(at)
            ),
            &not_you(url, "Then write to whoever runs the service."),
        ],
    )
}

/// To somebody who turned their second factor off.
pub(super) fn second_factor_off(url: &PublicUrl, at: DateTime<Utc>) -> MailContent {
    mail(
        "The second factor for ml-connector is off",
        &[
            &format!(
                "It was turned off on {}. From now on your password alone opens the account.",
                instant(at)
            ),
            &not_you(url, "Then turn the second factor on again."),
        ],
    )
}

/// To somebody who has new recovery codes.
pub(super) fn recovery_codes_renewed(url: &PublicUrl, at: DateTime<Utc>) -> MailContent {
    mail(
        "You have new recovery codes for ml-connector",
        &[
            &format!(
                "They were made on {}. The earlier ones no longer work.",
                instant(at)
            ),
            &not_you(url, "Then make new recovery codes."),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> PublicUrl {
        PublicUrl::parse("https://sms.example.com").unwrap()
    }

    #[test]
    fn a_link_stands_on_a_line_of_its_own() {
        let mail = reset(&url(), &SecretString::from("abc"));
        let line = "https://sms.example.com/reset/abc";
        assert!(mail.text.lines().any(|l| l == line), "{}", mail.text);
    }

    #[test]
    fn a_strangers_words_make_no_link() {
        let evil = "Acme\n\nhttps://evil.example/x\n";
        let mail = sign_up(&url(), evil, &SecretString::from("abc"));
        assert!(!mail.text.contains("evil.example"), "{}", mail.text);
        let lines = mail.text.lines().filter(|l| l.contains("evil"));
        assert!(lines.clone().count() == 1, "{}", mail.text);
    }
}
