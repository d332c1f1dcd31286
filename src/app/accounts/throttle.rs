//! How often something may be tried, by all processes together.
//!
//! Three counts, since each alone is easy to walk around: one per client network, one per account, and,
//! where strangers may try, a strict one per account and network. An account's own count then is high:
//! whoever guesses must not shut the account's owner out, who comes from elsewhere.
//!
//! Where a network says nothing, since everybody seems to come from one proxy, only the account is
//! counted, and letters all together: a stranger's tries must not become everybody's. Where tries send
//! letters to somebody, the account's count is silent: it spares the reader and refuses nobody.
//!
//! A browser in which somebody has signed in before, or has chosen their password by a letter, bears a
//! mark, and its tries count for themselves: however many strangers guess, it is not shut out.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::{App, AppError};
use crate::crypto::token;
use crate::domain::ids::UserId;

/// How long tries count.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// No count of anybody runs longer.
const LONGEST_WINDOW: TimeDelta = TimeDelta::days(1);
const PER_NETWORK: i64 = 30;
/// Sign-ins of a browser that is known.
const PER_BROWSER: i64 = 10;
/// How long the digest in a browser's mark is, in hex.
const MAC_LENGTH: usize = 64;
/// Letters of one kind to anybody, where networks cannot be told apart.
const LETTERS_TOGETHER: i64 = 300;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    SignIn,
    /// The code of the set-up page.
    SetUp,
    /// Each sends a letter to an address that anybody may type.
    SignUp,
    /// Each sends a letter to an address that anybody may type.
    Reset,
    /// Another company of somebody who is signed in.
    NewCompany,
    /// A code at sign-in; each sign-in allows but five.
    SecondStep,
    /// Of one company to one address; each sends a letter.
    Invite,
    /// Of all companies to one address.
    Invited,
    /// Password or code of somebody who is signed in already.
    Own,
    /// A link of an e-mail by which its reader stops reminders.
    StopReminders,
    /// The e-mail of a rule while somebody writes it; each is rendered anew.
    Preview,
}

impl Gate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::SetUp => "set-up",
            Self::SignUp => "sign-up",
            Self::Reset => "reset",
            Self::NewCompany => "new-company",
            Self::SecondStep => "second-step",
            Self::Invite => "invite",
            Self::Invited => "invited",
            Self::Own => "own",
            Self::StopReminders => "stop-reminders",
            Self::Preview => "preview",
        }
    }

    /// From anywhere.
    const fn per_account(self) -> i64 {
        match self {
            Self::SignIn | Self::SetUp => 300,
            Self::StopReminders => 100,
            // Two after each pause in typing.
            Self::Preview => 2_000,
            Self::Own | Self::Invited => 20,
            Self::SecondStep => 15,
            Self::SignUp | Self::Reset | Self::Invite | Self::NewCompany => 5,
        }
    }

    /// From one network, whatever the account. A company's mail scanner follows the links of all that it
    /// lets in.
    const fn per_network(self) -> i64 {
        match self {
            Self::StopReminders => 600,
            // A whole office may write rules.
            Self::Preview => 10_000,
            _ => PER_NETWORK,
        }
    }

    /// From one network; none where nobody can try who does not have the account already, or where
    /// each try costs its owner a letter.
    const fn per_account_and_network(self) -> Option<i64> {
        match self {
            Self::SignIn | Self::SetUp => Some(10),
            _ => None,
        }
    }

    /// Whether anybody may have letters sent to somebody else by it.
    const fn sends_letters(self) -> bool {
        matches!(self, Self::SignUp | Self::Reset)
    }
}

/// What becomes of one more try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    Admitted,
    /// Too many: whoever asks is told to wait.
    Refused,
    /// Nothing more is sent to this address for a while. Whoever asks is answered as ever: somebody
    /// else may have asked before, and the letters sent then are still good.
    Silenced,
}

impl App {
    /// Whether one more try is allowed; counts it. Without a client, everybody seems to come from one
    /// address.
    pub async fn admit(
        &self,
        gate: Gate,
        client: Option<IpAddr>,
        account: &str,
    ) -> Result<Tried, AppError> {
        let (whose, most) = if let Some(client) = client {
            (Some(network(client).to_string()), gate.per_network())
        } else {
            self.warn_of_proxy();
            let all = gate.sends_letters().then(|| "everybody".to_owned());
            (all, LETTERS_TOGETHER)
        };
        if let Some(whose) = whose {
            let by_network = self.name(gate, "network", &whose)?;
            if !self.count_try(by_network, most).await? {
                return Ok(Tried::Refused);
            }
        }
        // What is refused here does not count against the account: its owner may come from elsewhere.
        if let (Some(most), Some(client)) = (gate.per_account_and_network(), client) {
            let by_both = self.name(gate, "both", &both(client, account))?;
            if !self.count_try(by_both, most).await? {
                return Ok(Tried::Refused);
            }
        }
        let by_account = self.name(gate, "account", &account_key(account))?;
        let is_admitted = self.count_try(by_account, gate.per_account()).await?;
        Ok(if is_admitted {
            Tried::Admitted
        } else if gate.sends_letters() {
            Tried::Silenced
        } else {
            Tried::Refused
        })
    }

    /// A success: the account's tries from there are forgotten. What others tried meanwhile is not,
    /// or each visit of its owner would let them begin again.
    pub async fn succeeded(
        &self,
        gate: Gate,
        client: Option<IpAddr>,
        account: &str,
    ) -> Result<(), AppError> {
        let name = match (gate.per_account_and_network(), client) {
            (Some(_), Some(client)) => self.name(gate, "both", &both(client, account))?,
            (Some(_), None) => return Ok(()),
            (None, _) => self.name(gate, "account", &account_key(account))?,
        };
        Ok(self.store().platform().forget_tries(name).await?)
    }

    /// Whether one more sign-in may be tried; a browser that bears the account's mark has tries of its
    /// own first.
    pub async fn admit_sign_in(
        &self,
        client: Option<IpAddr>,
        account: &str,
        mark: Option<&SecretString>,
    ) -> Result<Tried, AppError> {
        if let Some(by_browser) = self.browser(account, mark)?
            && self.count_try(by_browser, PER_BROWSER).await?
        {
            return Ok(Tried::Admitted);
        }
        self.admit(Gate::SignIn, client, account).await
    }

    /// Somebody has signed in: the tries from there, and of this browser, are forgotten.
    pub async fn signed_in(
        &self,
        client: Option<IpAddr>,
        account: &str,
        mark: Option<&SecretString>,
    ) -> Result<(), AppError> {
        if let Some(by_browser) = self.browser(account, mark)? {
            self.store().platform().forget_tries(by_browser).await?;
        }
        self.succeeded(Gate::SignIn, client, account).await
    }

    /// What a browser bears from now on in which somebody has shown that the account is theirs. It
    /// opens nothing.
    pub fn browser_mark(&self, account: &str) -> Result<SecretString, AppError> {
        let of = token::random().text;
        let mac = self.mark(account, of.expose_secret())?;
        Ok(SecretString::from(format!("{mac}{}", of.expose_secret())))
    }

    /// Under which name the tries of a browser count, if it bears a mark of this account.
    fn browser(
        &self,
        account: &str,
        mark: Option<&SecretString>,
    ) -> Result<Option<String>, AppError> {
        let parts = mark.and_then(|mark| mark.expose_secret().split_at_checked(MAC_LENGTH));
        let Some((mac, of)) = parts else {
            return Ok(None);
        };
        if !token::equal(mac, &self.mark(account, of)?) {
            return Ok(None);
        }
        self.name(Gate::SignIn, "browser", of).map(Some)
    }

    fn mark(&self, account: &str, of: &str) -> Result<String, AppError> {
        let key = self.parts.vault.derive("browsers")?;
        Ok(token::keyed_digest(&key, &[&account_key(account), of]))
    }

    /// Codes that were tried with a password which is no longer valid: its owner, who has another
    /// one now, may try theirs.
    pub(super) async fn forget_second_steps(&self, user: UserId) -> Result<(), AppError> {
        self.succeeded(Gate::SecondStep, None, &user.to_string())
            .await
    }

    /// Says once that visitors are not told apart, unless only this machine visits.
    fn warn_of_proxy(&self) {
        if !self.public_url().is_loopback()
            && !self.caches.is_proxy_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "Visitors cannot be told apart: all seem to come from one proxy. Until \
                 TRUSTED_PROXIES names its address, tries are limited by account only"
            );
        }
    }

    /// Sweeps out sessions, links and counts that are over.
    pub async fn sweep_accounts(&self) -> Result<(), AppError> {
        let now = self.now();
        let platform = self.store().platform();
        Ok(platform.sweep_accounts(now - LONGEST_WINDOW, now).await?)
    }

    async fn count_try(&self, name: String, most: i64) -> Result<bool, AppError> {
        let now = self.now();
        let platform = self.store().platform();
        Ok(platform.count_try(name, most, now - WINDOW, now).await?)
    }

    /// No address lies in the table in clear, nor in a form that could be guessed back.
    fn name(&self, gate: Gate, kind: &str, whose: &str) -> Result<String, AppError> {
        let key = self.parts.vault.derive("throttles")?;
        Ok(token::keyed_digest(&key, &[gate.as_str(), kind, whose]))
    }
}

/// A household has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// An account as tried from one network. No network's text holds a blank.
fn both(client: IpAddr, account: &str) -> String {
    format!("{} {}", network(client), account_key(account))
}

fn account_key(account: &str) -> String {
    account.trim().to_lowercase().chars().take(254).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::company::TestCompany;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    async fn admit(app: &App, gate: Gate, client: Option<IpAddr>, account: &str) -> bool {
        app.admit(gate, client, account).await.unwrap() == Tried::Admitted
    }

    #[tokio::test]
    async fn behind_a_proxy_that_nobody_named_a_stranger_shuts_nobody_out() {
        let company = TestCompany::begin().await;
        for n in 0..100 {
            let account = format!("{}@x.com", n % 2);
            assert!(
                admit(&company.app, Gate::SignIn, None, &account).await,
                "{n}"
            );
        }
        assert!(admit(&company.app, Gate::SignIn, None, "ann@x.com").await);
        for n in 0..300 {
            let account = format!("{n}@x.com");
            assert!(
                admit(&company.app, Gate::Reset, None, &account).await,
                "{n}"
            );
        }
        let more = company.app.admit(Gate::Reset, None, "more@x.com").await;
        assert_eq!(more.unwrap(), Tried::Refused, "letters have an end");
    }

    #[tokio::test]
    async fn a_browser_that_is_known_is_not_shut_out_however_many_guess() {
        let company = TestCompany::begin().await;
        let app = &company.app;
        for n in 0..=255 {
            app.admit(Gate::SignIn, Some(ip(n)), "ann@x.com")
                .await
                .unwrap();
        }
        for _ in 0..60 {
            app.admit(Gate::SignIn, None, "ann@x.com").await.unwrap();
        }
        let tried = async |account: &str, mark: Option<&SecretString>| {
            app.admit_sign_in(None, account, mark).await.unwrap() == Tried::Admitted
        };
        assert!(!tried("ann@x.com", None).await);
        let (mark, other) = (app.browser_mark("Ann@x.com"), app.browser_mark("eve@x.com"));
        let (mark, other) = (mark.unwrap(), other.unwrap());
        for forged in [
            &other,
            &SecretString::from("x"),
            &SecretString::from("0".repeat(107)),
        ] {
            assert!(!tried("ann@x.com", Some(forged)).await);
        }
        for n in 0..10 {
            assert!(tried("ann@x.com", Some(&mark)).await, "{n}");
        }
        assert!(
            !tried("ann@x.com", Some(&mark)).await,
            "it has its own limit"
        );
        app.signed_in(None, "ann@x.com", Some(&mark)).await.unwrap();
        assert!(tried("ann@x.com", Some(&mark)).await);
    }

    #[tokio::test]
    async fn the_limit_on_letters_to_one_address_is_silent() {
        let company = TestCompany::begin().await;
        for gate in [Gate::Reset, Gate::SignUp] {
            for n in 0..5 {
                assert!(admit(&company.app, gate, Some(ip(n)), "ann@x.com").await);
            }
            for n in 5..9 {
                let tried = company
                    .app
                    .admit(gate, Some(ip(n)), "Ann@x.com")
                    .await
                    .unwrap();
                assert_eq!(tried, Tried::Silenced);
            }
        }
    }

    #[tokio::test]
    async fn a_stranger_does_not_shut_the_owner_out_who_comes_from_elsewhere() {
        let company = TestCompany::begin().await;
        let try_from =
            async |n: u8| admit(&company.app, Gate::SignIn, Some(ip(n)), "Ann@x.com").await;
        for n in 0..10 {
            assert!(try_from(1).await, "{n}");
        }
        assert!(!try_from(1).await);
        assert!(try_from(2).await, "another network");
        company.clock.advance(TimeDelta::minutes(14));
        assert!(!try_from(1).await);
        company.clock.advance(TimeDelta::minutes(2));
        assert!(try_from(1).await);
    }

    #[tokio::test]
    async fn guessing_from_many_networks_is_bounded() {
        let company = TestCompany::begin().await;
        let try_from =
            async |n: u8| admit(&company.app, Gate::SignIn, Some(ip(n)), "ann@x.com").await;
        for n in 0..150 {
            assert!(try_from(n).await && try_from(n).await, "{n}");
        }
        assert!(!try_from(200).await);
        let app = &company.app;
        let succeeded = app.succeeded(Gate::SignIn, Some(ip(0)), "ann@x.com");
        succeeded.await.unwrap();
        assert!(!try_from(201).await, "a success lets nobody begin again");
        company.clock.advance(TimeDelta::minutes(16));
        assert!(try_from(201).await);
    }

    #[tokio::test]
    async fn a_network_is_slowed_down_over_many_accounts() {
        let company = TestCompany::begin().await;
        let here: Option<IpAddr> = "2001:db8::1".parse().ok();
        let neighbour: Option<IpAddr> = "2001:db8::2".parse().ok();
        for n in 0..30 {
            let account = format!("{n}@x.com");
            assert!(admit(&company.app, Gate::SignIn, here, &account).await);
        }
        let tried = |gate| admit(&company.app, gate, neighbour, "new@x.com");
        assert!(!tried(Gate::SignIn).await);
        // Each gate counts for itself.
        assert!(tried(Gate::Reset).await);
    }

    #[tokio::test]
    async fn a_success_clears_what_was_tried_from_there_and_the_sweep_what_is_over() {
        let company = TestCompany::begin().await;
        let app = &company.app;
        let admit = async |gate| admit(app, gate, Some(ip(1)), "ann@x.com").await;
        for (gate, most) in [(Gate::SignIn, 10), (Gate::SecondStep, 15)] {
            for n in 0..most {
                assert!(admit(gate).await, "{n}");
            }
            assert!(!admit(gate).await);
            app.succeeded(gate, Some(ip(1)), "ANN@x.com").await.unwrap();
            assert!(admit(gate).await);
        }
        assert!(company.database.count("throttles").await >= 5);
        company.clock.advance(TimeDelta::hours(25));
        app.sweep_accounts().await.unwrap();
        assert_eq!(company.database.count("throttles").await, 0);
    }

    #[tokio::test]
    async fn no_address_lies_in_the_table() {
        let company = TestCompany::begin().await;
        company
            .app
            .admit(Gate::SignIn, Some(ip(1)), "ann@x.com")
            .await
            .unwrap();
        let plain = "throttles WHERE length(name) <> 64 OR name LIKE '%ann%' OR name LIKE '%.%'";
        assert_eq!(company.database.count(plain).await, 0);
        assert_eq!(company.database.count("throttles").await, 3);
    }
}
