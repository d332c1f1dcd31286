//! Groups: people whom a tenant keeps for its rules, such as *Finance* or *Approvers*.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::address::{Email, Phone};
use super::ids::{GroupId, MemberId, UserId};

/// How many groups a tenant may have.
pub const MOST_GROUPS: i64 = 100;

/// How many people a group may have: each is a message of their own.
pub const MOST_MEMBERS: usize = 50;

/// People whom rules write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    /// In the order in which they were added.
    pub members: Vec<Member>,
    pub created_at: DateTime<Utc>,
}

/// One of the people of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    /// Somebody of the team: name, number and address are theirs, and change with them.
    pub user: Option<UserId>,
    pub name: String,
    pub phone: Option<Phone>,
    pub email: Option<Email>,
    /// One who is off gets nothing.
    pub is_on: bool,
}

impl Group {
    /// The member of this id.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == id)
    }

    /// How many of its people are on.
    pub fn on(&self) -> usize {
        self.members.iter().filter(|m| m.is_on).count()
    }
}

impl Member {
    /// Whether this is the same person of the team, or the same number and address.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.user, other.user) {
            (Some(one), Some(two)) => one == two,
            (None, None) => self.keys() == other.keys(),
            _ => false,
        }
    }

    fn keys(&self) -> (Option<String>, Option<String>) {
        (
            self.phone.as_ref().map(|p| p.key().into_owned()),
            self.email.as_ref().map(Email::key),
        )
    }
}

/// The first of these people who is there twice: by their place in the team, their number or their address.
pub fn first_double(members: &[Member]) -> Option<usize> {
    let (mut users, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    members.iter().position(|member| {
        let (phone, email) = member.keys();
        let is_new_user = member.user.is_none_or(|user| users.insert(user));
        let mut keys = [phone, email].into_iter().flatten();
        // Both are asked, so that both are remembered.
        let doubles = keys.by_ref().filter(|key| !addresses.insert(key.clone()));
        doubles.count() > 0 || !is_new_user
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn member(n: u128, phone: &str, email: &str) -> Member {
        Member {
            id: MemberId::from_uuid(Uuid::from_u128(n)),
            user: None,
            name: format!("Member {n}"),
            phone: Phone::from_stored(phone),
            email: Email::parse(email).ok(),
            is_on: true,
        }
    }

    #[test]
    fn nobody_is_in_a_group_twice() {
        let ann = member(1, "+16175550101", "ann@example.com");
        let bo = member(2, "+16175550102", "");
        assert_eq!(first_double(&[ann.clone(), bo.clone()]), None);
        let also_ann = member(3, "", "Ann@Example.com");
        assert_eq!(first_double(&[ann.clone(), bo.clone(), also_ann]), Some(2));
        let also_bo = member(3, "+16175550102", "bo@example.com");
        assert_eq!(first_double(&[ann, bo, also_bo]), Some(2));
        let of_team = Member {
            user: Some(UserId::from_uuid(Uuid::from_u128(7))),
            ..member(4, "", "")
        };
        assert_eq!(first_double(&[of_team.clone(), of_team]), Some(1));
    }
}
