//! The ways to sign in to an account with what is stored of a connection.

use secrecy::SecretString;

use super::Region;
use super::credentials::{Account, AccountSid, ApiKeySid, User};
use super::settings::TwilioSettings;
use crate::transport::Login;

/// The names under which its secrets are stored.
pub(super) const AUTH_TOKEN: &str = "auth_token";
pub(super) const API_KEY_SECRET: &str = "api_key_secret";

/// The ways to sign in to an account; the first is what messages are sent with.
pub(super) fn accounts<'a>(login: &Login<'a>) -> impl Iterator<Item = Account> + use<'a> {
    let Login {
        account,
        settings,
        secrets,
    } = *login;
    let secret = |name: &str| secrets.iter().find(|(n, _)| n == name).map(|(_, s)| s);
    let key = ApiKeySid::parse(&TwilioSettings::of(settings).api_key_sid).ok();
    let key = key.map(User::ApiKey).zip(secret(API_KEY_SECRET));
    let token = secret(AUTH_TOKEN).map(|token| (User::AuthToken, token));
    let account_sid = AccountSid::parse(account).ok();
    let account = move |(user, secret): (User, &SecretString)| {
        Some(Account {
            account_sid: account_sid.clone()?,
            user,
            secret: secret.clone(),
            region: Region::Us1,
        })
    };
    key.into_iter().chain(token).filter_map(account)
}
