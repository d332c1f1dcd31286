//! How often something may be tried, by all processes together.
//!
//! Three counts, since each alone is easy to walk around: one per client network, one per account, and,
//! where strangers may try, a strict one per account and network. An account's own count then is high:
//! whoever guesses must not shut the account's owner out, who comes from elsewhere.

use std::net::IpAddr;

use chrono::TimeDelta;

use crate::app::{App, AppError};
use crate::crypto::token;

/// How long tries count.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// No count of anybody runs longer.
const LONGEST_WINDOW: TimeDelta = TimeDelta::days(1);
const PER_NETWORK: i64 = 30;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    SignIn,
    /// The code of the set-up page.
    SetUp,
    /// Each sends a letter.
    SignUp,
    /// Each sends a letter.
    Reset,
    /// A code at sign-in; each sign-in allows but five.
    SecondStep,
    /// Each sends a letter.
    Invite,
    /// Password or code of somebody who is signed in already.
    Own,
}

impl Gate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::SetUp => "set-up",
            Self::SignUp => "sign-up",
            Self::Reset => "reset",
            Self::SecondStep => "second-step",
            Self::Invite => "invite",
            Self::Own => "own",
        }
    }

    /// From anywhere.
    const fn per_account(self) -> i64 {
        match self {
            Self::SignIn | Self::SetUp => 300,
            Self::Own => 20,
            Self::SecondStep => 15,
            Self::SignUp | Self::Reset | Self::Invite => 5,
        }
    }

    /// From one network; none where nobody can try who does not have the account already, or where
    /// each try costs its owner a letter.
    const fn per_account_and_network(self) -> Option<i64> {
        match self {
            Self::SignIn | Self::SetUp => Some(10),
            Self::SignUp | Self::Reset | Self::SecondStep | Self::Invite | Self::Own => None,
        }
    }
}

impl App {
    /// Whether one more try is allowed; counts it.
    pub async fn admit(&self, gate: Gate, client: IpAddr, account: &str) -> Result<bool, AppError> {
        let by_network = self.name(gate, "network", &network(client).to_string())?;
        if !self.count_try(by_network, PER_NETWORK).await? {
            return Ok(false);
        }
        // What is refused here does not count against the account: its owner may come from elsewhere.
        if let Some(most) = gate.per_account_and_network() {
            let by_both = self.name(gate, "both", &both(client, account))?;
            if !self.count_try(by_both, most).await? {
                return Ok(false);
            }
        }
        let by_account = self.name(gate, "account", &account_key(account))?;
        self.count_try(by_account, gate.per_account()).await
    }

    /// A success: the account's tries from there are forgotten. What others tried meanwhile is not,
    /// or each visit of its owner would let them begin again.
    pub async fn succeeded(
        &self,
        gate: Gate,
        client: IpAddr,
        account: &str,
    ) -> Result<(), AppError> {
        let name = match gate.per_account_and_network() {
            Some(_) => self.name(gate, "both", &both(client, account))?,
            None => self.name(gate, "account", &account_key(account))?,
        };
        Ok(self.store().platform().forget_tries(name).await?)
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
    use crate::app::test_house::House;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[tokio::test]
    async fn a_stranger_does_not_shut_the_owner_out_who_comes_from_elsewhere() {
        let house = House::build().await;
        let try_from = async |n: u8| {
            let app = &house.app;
            app.admit(Gate::SignIn, ip(n), "Ann@x.com").await.unwrap()
        };
        for n in 0..10 {
            assert!(try_from(1).await, "{n}");
        }
        assert!(!try_from(1).await);
        assert!(try_from(2).await, "another network");
        house.clock.advance(TimeDelta::minutes(14));
        assert!(!try_from(1).await);
        house.clock.advance(TimeDelta::minutes(2));
        assert!(try_from(1).await);
    }

    #[tokio::test]
    async fn guessing_from_many_networks_is_bounded() {
        let house = House::build().await;
        let try_from = async |n: u8| {
            let app = &house.app;
            app.admit(Gate::SignIn, ip(n), "ann@x.com").await.unwrap()
        };
        for n in 0..150 {
            assert!(try_from(n).await && try_from(n).await, "{n}");
        }
        assert!(!try_from(200).await);
        let app = &house.app;
        let succeeded = app.succeeded(Gate::SignIn, ip(0), "ann@x.com");
        succeeded.await.unwrap();
        assert!(!try_from(201).await, "a success lets nobody begin again");
        house.clock.advance(TimeDelta::minutes(16));
        assert!(try_from(201).await);
    }

    #[tokio::test]
    async fn a_network_is_slowed_down_over_many_accounts() {
        let house = House::build().await;
        let here: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        for n in 0..30 {
            let account = format!("{n}@x.com");
            assert!(house.app.admit(Gate::SignIn, here, &account).await.unwrap());
        }
        let admit = |gate| house.app.admit(gate, neighbour, "new@x.com");
        assert!(!admit(Gate::SignIn).await.unwrap());
        // Each gate counts for itself.
        assert!(admit(Gate::Reset).await.unwrap());
    }

    #[tokio::test]
    async fn a_success_clears_what_was_tried_from_there_and_the_sweep_what_is_over() {
        let house = House::build().await;
        let app = &house.app;
        let admit = async |gate| app.admit(gate, ip(1), "ann@x.com").await.unwrap();
        for (gate, most) in [(Gate::SignIn, 10), (Gate::SecondStep, 15)] {
            for n in 0..most {
                assert!(admit(gate).await, "{n}");
            }
            assert!(!admit(gate).await);
            app.succeeded(gate, ip(1), "ANN@x.com").await.unwrap();
            assert!(admit(gate).await);
        }
        assert!(house.database.count("throttles").await >= 5);
        house.clock.advance(TimeDelta::hours(25));
        app.sweep_accounts().await.unwrap();
        assert_eq!(house.database.count("throttles").await, 0);
    }

    #[tokio::test]
    async fn no_address_lies_in_the_table() {
        let house = House::build().await;
        house
            .app
            .admit(Gate::SignIn, ip(1), "ann@x.com")
            .await
            .unwrap();
        let plain = "throttles WHERE length(name) <> 64 OR name LIKE '%ann%' OR name LIKE '%.%'";
        assert_eq!(house.database.count(plain).await, 0);
        assert_eq!(house.database.count("throttles").await, 3);
    }
}
