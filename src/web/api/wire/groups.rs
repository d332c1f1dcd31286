//! Groups.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::groups::{GroupInput, MemberInput};
use crate::domain::group;
use crate::domain::ids::{GroupId, MemberId, UserId};

/// People whom rules write to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    #[schema(value_type = String)]
    pub id: GroupId,
    pub name: String,
    pub members: Vec<Member>,
    pub created_at: DateTime<Utc>,
}

/// One of the people of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    #[schema(value_type = String)]
    pub id: MemberId,
    /// Somebody of the team: name, number and address are theirs.
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    pub name: String,
    /// In E.164 form.
    pub phone: Option<String>,
    pub email: Option<String>,
    /// One who is off gets nothing.
    pub is_on: bool,
}

impl From<group::Group> for Group {
    fn from(of: group::Group) -> Self {
        Self {
            id: of.id,
            name: of.name,
            members: of.members.into_iter().map(Member::from).collect(),
            created_at: of.created_at,
        }
    }
}

impl From<group::Member> for Member {
    fn from(of: group::Member) -> Self {
        Self {
            id: of.id,
            user: of.user,
            name: of.name,
            phone: of.phone.map(|p| p.to_string()),
            email: of.email.map(|e| e.to_string()),
            is_on: of.is_on,
        }
    }
}

/// A group to be kept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewGroup {
    /// At most 100 characters; no two groups have the same.
    pub name: String,
    /// At most 50.
    pub members: Vec<NewMember>,
}

/// One of its people: somebody of the team by `user`, or a name with a number, an address or both.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewMember {
    /// Of one who is in the group already.
    #[schema(value_type = Option<String>)]
    pub id: Option<MemberId>,
    /// `usr_…`
    pub user: Option<String>,
    pub name: Option<String>,
    /// Without a country code it is read as one of the tenant's country.
    pub phone: Option<String>,
    pub email: Option<String>,
    /// True unless given.
    pub is_on: bool,
}

impl Default for NewMember {
    fn default() -> Self {
        Self {
            id: None,
            user: None,
            name: None,
            phone: None,
            email: None,
            is_on: true,
        }
    }
}

impl From<NewGroup> for GroupInput {
    fn from(new: NewGroup) -> Self {
        let members = new.members.into_iter().map(|m| MemberInput {
            id: m.id,
            user: m.user.unwrap_or_default(),
            name: m.name.unwrap_or_default(),
            phone: m.phone.unwrap_or_default(),
            email: m.email.unwrap_or_default(),
            is_on: m.is_on,
        });
        Self {
            name: new.name,
            members: members.collect(),
        }
    }
}
