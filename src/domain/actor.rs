//! Who did something, as the security log tells it.

use std::fmt;

use super::ids::UserId;

/// Who did something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// An e-mail address, a token's name, or who in the service itself.
    pub name: String,
    /// The client's network address; empty where there is none, as at a shell.
    pub address: String,
    /// Which user it is; none for a token and for the service itself.
    pub user: Option<UserId>,
}

impl Actor {
    /// Somebody whose network address is not known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: String::new(),
            user: None,
        }
    }

    /// Whoever runs the service, at a shell.
    pub fn operator() -> Self {
        Self::named("the operator")
    }

    /// The same, known as a user: what they make lasts no longer than their place in the team.
    #[must_use]
    pub fn who_is(self, user: UserId) -> Self {
        Self {
            user: Some(user),
            ..self
        }
    }

    /// The same from a network address.
    #[must_use]
    pub fn at(self, address: impl fmt::Display) -> Self {
        Self {
            address: address.to_string(),
            ..self
        }
    }
}

/// The name alone: addresses are for the security log only.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
