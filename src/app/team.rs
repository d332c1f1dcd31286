//! The team: who is in it, who is invited, and how people come and go.

pub use crate::store::Teammate;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::accounts::parse_email;
use super::mail::{Mail, MailContent};
use super::{App, AppError, FieldProblem, job};
use crate::crypto::token::{self, NewToken, TokenDigest};
use crate::domain::actor::Actor;
use crate::domain::ids::{InvitationId, TenantId, UserId};
use crate::domain::name;
use crate::domain::tenant::Tenant;
use crate::domain::user::Role;
use crate::mail::untrusted::{self, NAME_LENGTH};
use crate::store::{
    Invitation, Invited, Joined, Joining, MOST_MEMBERS, MemberEdit, TeamChange, User,
};

/// How long an invitation holds.
const HOLDS: TimeDelta = TimeDelta::days(7);

/// The people of a tenant.
#[derive(Debug, Clone)]
pub struct Team {
    pub members: Vec<Teammate>,
    /// Newest first; those that are over among them.
    pub invitations: Vec<Invitation>,
}

/// An invitation that holds, as its page needs it.
#[derive(Debug, Clone)]
pub struct OpenInvitation {
    pub invitation: Invitation,
    pub tenant: Tenant,
    /// Whether the invited address has an account already.
    pub has_account: bool,
}

impl App {
    /// Everybody in the team, and who is invited.
    pub async fn team(&self, tenant: TenantId) -> Result<Team, AppError> {
        let store = self.tenant(tenant);
        Ok(Team {
            members: store.team().await?,
            invitations: store.invitations().await?,
        })
    }

    /// One person of the team.
    pub async fn teammate(&self, tenant: TenantId, user: UserId) -> Result<Teammate, AppError> {
        let found = self.tenant(tenant).teammate(user).await?;
        found.ok_or(AppError::NotFound("member"))
    }

    /// Invites somebody by mail; an earlier invitation to the same address is replaced.
    pub async fn invite(
        &self,
        tenant: TenantId,
        email: &str,
        role: Role,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        if !self.can_mail() {
            return Err(AppError::field(
                "email",
                "this service cannot send mail yet; its operator sets SMTP_URL",
            ));
        }
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let now = self.now();
        let NewToken { text, digest } = token::random();
        let invitation = Invitation {
            id: InvitationId::new(now),
            tenant,
            email: email.clone(),
            role,
            invited_by: actor.name.clone(),
            created_at: now,
            expires_at: now + HOLDS,
        };
        let link = format!("/invitations/{}", text.expose_secret());
        let mail = self.sealed(Mail {
            tenant: Some(tenant),
            to: email,
            kind: "invitation",
            once: format!("invitation:{}", invitation.id),
            content: invitation_mail(&row.name, &invitation, &self.public_url().join(&link)),
        })?;
        let wish = job::send_mail(mail.tenant, mail.id, now);
        let invited = store
            .invite(invitation, *digest.as_bytes(), mail, actor.clone())
            .await?;
        match invited {
            Invited::Sent => {
                self.wake(vec![wish]).await;
                Ok(())
            }
            Invited::IsMember => Err(AppError::field("email", "they are in the team already")),
            Invited::TooSoon => Err(AppError::field(
                "email",
                "a mail went to this address just now; wait a minute before the next",
            )),
            Invited::TooMany => Err(AppError::field(
                "email",
                "a hundred people are invited and have not come; revoke some of these first",
            )),
            Invited::TeamFull => Err(AppError::field(
                "email",
                format!(
                    "the team has {MOST_MEMBERS} people, those who are invited among them, and may \
                     have no more; remove somebody first"
                ),
            )),
        }
    }

    /// Takes an invitation back.
    pub async fn revoke_invitation(
        &self,
        tenant: TenantId,
        id: InvitationId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        if store
            .revoke_invitation(id, actor.clone(), self.now())
            .await?
        {
            Ok(())
        } else {
            Err(AppError::NotFound("invitation"))
        }
    }

    /// Gives a person another role; `false` when nobody would be left to own the tenant.
    pub async fn change_role(
        &self,
        tenant: TenantId,
        user: UserId,
        role: Role,
        actor: &Actor,
    ) -> Result<bool, AppError> {
        self.change_member(tenant, user, MemberEdit::Role(role), actor)
            .await
    }

    /// Takes a person out of the team, who loses access with their next request; `false` when nobody
    /// would be left to own the tenant. Whoever takes themselves out leaves.
    pub async fn remove_member(
        &self,
        tenant: TenantId,
        user: UserId,
        by: &User,
        actor: &Actor,
    ) -> Result<bool, AppError> {
        let edit = if by.id == user {
            MemberEdit::Leave
        } else {
            MemberEdit::Remove
        };
        self.change_member(tenant, user, edit, actor).await
    }

    async fn change_member(
        &self,
        tenant: TenantId,
        user: UserId,
        edit: MemberEdit,
        actor: &Actor,
    ) -> Result<bool, AppError> {
        let store = self.tenant(tenant);
        match store
            .change_member(user, edit, actor.clone(), self.now())
            .await?
        {
            TeamChange::Done => Ok(true),
            TeamChange::LastOwner => Ok(false),
            TeamChange::Gone => Err(AppError::NotFound("member")),
        }
    }

    /// The invitation behind a mail's link, while it holds.
    pub async fn invitation(&self, token: &str) -> Result<Option<OpenInvitation>, AppError> {
        let digest = TokenDigest::of(token);
        let platform = self.store().platform();
        let found = platform.invitation(*digest.as_bytes(), self.now()).await?;
        let Some(invitation) = found else {
            return Ok(None);
        };
        let Some(tenant) = self.tenant(invitation.tenant).tenant().await? else {
            return Ok(None);
        };
        let has_account = platform.user_by_email(&invitation.email).await?.is_some();
        Ok(Some(OpenInvitation {
            invitation,
            tenant,
            has_account,
        }))
    }

    /// Accepts an invitation for somebody who is signed in; their tenant's place in addresses.
    pub async fn accept_invitation(
        &self,
        token: &str,
        user: &User,
        actor: &Actor,
    ) -> Result<String, AppError> {
        self.join(token, Joining::Known(user.id), actor).await
    }

    /// Accepts an invitation for somebody new, whose account is made with it: the mail showed that
    /// the address is theirs.
    pub async fn accept_invitation_anew(
        &self,
        token: &str,
        name: &str,
        password: SecretString,
        address: String,
    ) -> Result<String, AppError> {
        let Some(open) = self.invitation(token).await? else {
            return Err(AppError::NotFound("invitation"));
        };
        let mut problems = Vec::new();
        let parsed = name::parse(name);
        if let Err(problem) = parsed {
            let message = format!("type your name, {problem}");
            problems.push(FieldProblem::new("name", message));
        }
        let email = open.invitation.email;
        let known = [name.trim(), &open.tenant.name];
        let password_hash = match self.hash_new(password, &email, &known).await {
            Err(AppError::Invalid(weak)) => {
                problems.extend(weak);
                return Err(AppError::Invalid(problems));
            }
            hashed => hashed?,
        };
        if !problems.is_empty() {
            return Err(AppError::Invalid(problems));
        }
        let user = User {
            id: UserId::new(self.now()),
            email: email.clone(),
            name: name.trim().to_owned(),
            password_hash,
            is_operator: false,
            phone: None,
        };
        let actor = Actor::named(email).at(address);
        self.join(token, Joining::New(user), &actor).await
    }

    async fn join(&self, token: &str, joining: Joining, actor: &Actor) -> Result<String, AppError> {
        let Some(open) = self.invitation(token).await? else {
            return Err(AppError::NotFound("invitation"));
        };
        let digest = *TokenDigest::of(token).as_bytes();
        let store = self.tenant(open.tenant.id);
        let joined = store
            .accept_invitation(digest, joining, actor.clone(), self.now())
            .await?;
        match joined {
            Joined::Done => Ok(open.tenant.slug),
            Joined::Gone => Err(AppError::NotFound("invitation")),
            Joined::HasAccount => Err(AppError::Conflict(
                "This address has an account already; sign in with it to accept".to_owned(),
            )),
            Joined::NotTheirs => Err(AppError::Conflict(
                "This invitation is for another e-mail address than yours".to_owned(),
            )),
        }
    }
}

fn invitation_mail(company: &str, of: &Invitation, link: &str) -> MailContent {
    let (by, role) = (untrusted::quoted(&of.invited_by, NAME_LENGTH), of.role);
    let company = untrusted::quoted(company, NAME_LENGTH);
    let article = if matches!(role, Role::Viewer) {
        "a"
    } else {
        "an"
    };
    MailContent {
        subject: format!("You are invited to the team of {company}"),
        text: format!(
            "You are invited to the team of {company} as {article} {role}, by {by}.\n\n\
             ml-connector tells people by SMS what happens in the company's Zoho Books. To join, \
             open this address within 7 days:\n\n{link}\n\n\
             It works for {} only, once. If you expect no such mail, do nothing.\n",
            untrusted::bare(&of.email, 254)
        ),
    }
}
