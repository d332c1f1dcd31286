//! What recipients write back: STOP and START change who may be written to, everything else is for
//! somebody to read.
//!
//! Without a secret nobody's signature can be checked, and one that the provider has never accepted proves
//! nothing, since anybody may invent one. Then the provider itself is asked for the
//! message; where it cannot be asked, a STOP is taken all the same, since a message too few does less
//! harm than one too many, and a START is not.

use chrono::TimeDelta;

use super::mail::MailContent;
use super::notices::Notice;
use super::sending::receipts::ReportAnswer;
use super::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::connection::Provider;
use crate::domain::delivery::{Channel, Hold};
use crate::domain::ids::{ConnectionId, ReplyId, TenantId};
use crate::domain::page::{Cursor, Page};
use crate::domain::phone::Phone;
use crate::domain::reply::{Reply, Wish};
use crate::domain::working_days;
use crate::mail::untrusted::{self, NAME_LENGTH};
use crate::store::{NewReply, Said, TenantStore};
use crate::transport::{Inbound, InboundAnswer, SignedRequest, Trust};

/// For how long a message that comes again is one that the provider could not tell us the first time.
const TOLD_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// Of how many replies that nobody proved owners are told within [`FLOOD`].
const MOST_TOLD: u64 = 20;

/// Working days in which somebody may say what an unclear reply means; after that it means stop.
const DAYS_TO_ANSWER: u32 = 2;

const FLOOD: TimeDelta = TimeDelta::hours(1);
/// How much of a reply stands in the e-mail: lines, and characters of each. An SMS has 1,600 at most.
const LINES: usize = 60;
const LINE_LENGTH: usize = 1_600;

/// How many replies Overview shows.
pub(super) const SHOWN: u64 = 20;

impl App {
    /// Takes a message of a recipient.
    pub async fn receive_inbound(
        &self,
        provider: Provider,
        token: &str,
        request: SignedRequest,
    ) -> Result<ReportAnswer, AppError> {
        let platform = self.store().platform();
        let Some(target) = platform.hook(provider, token).await? else {
            return Ok(ReportAnswer::UnknownHook);
        };
        let (tenant, store) = (target.tenant, self.tenant(target.tenant));
        let Some(connection) = store.connection_by_id(target.connection).await? else {
            return Ok(ReportAnswer::UnknownHook);
        };
        let Some(kind) = self.parts.transports.provider(provider) else {
            return Ok(ReportAnswer::UnknownHook);
        };
        let secrets = self.secrets(target.tenant, target.connection).await?;
        let trust = self.trust_in(kind, &request, &secrets);
        if trust == Trust::Forged {
            self.reject_forged(kind, target, &request, "The message of a recipient")
                .await;
            return Ok(ReportAnswer::Forged);
        }
        let is_signed = trust == Trust::Signed;
        let Some(told) = kind.read_inbound(&request) else {
            return Ok(ReportAnswer::Unreadable);
        };
        let is_ours = |account: &str| account == connection.account;
        if told.account.as_deref().is_some_and(|a| !is_ours(a)) {
            self.reject_forged(kind, target, &request, "The message of another account")
                .await;
            return Ok(ReportAnswer::Forged);
        }
        let (told, is_proven) = if is_signed && connection.is_accepted() {
            (told, true)
        } else {
            self.as_the_provider_has_it(&store, connection.id, told)
                .await?
        };
        let Some(from) = told.from.clone() else {
            return Ok(ReportAnswer::Unreadable);
        };
        let channel = Phone::from_stored(&from).map(|_| Channel::Sms);
        let (account, now) = (connection.account, self.now());
        let zone = store
            .tenant()
            .await?
            .ok_or(AppError::NotFound("tenant"))?
            .zone;
        let decide_by = working_days::after(now, DAYS_TO_ANSWER, zone);
        let new = NewReply {
            decide_by,
            account: account.clone(),
            sid: told.id,
            channel,
            address: from.clone(),
            sender: told.to.unwrap_or_default(),
            wish: told.wish,
            body: told.body,
            is_proven,
            now,
        };
        let sid = new.sid.clone();
        // Providers tell again what we answered too late, or with an error half-way: what may be done
        // twice is. A captured START lifts nothing, and a captured STOP is soon too old.
        let (kept, is_new) = match store.keep_reply(new).await? {
            Some(kept) => (kept, true),
            None => match store.reply_of(&account, &sid).await? {
                Some(kept) if now - kept.received_at < TOLD_AGAIN => (kept, false),
                _ => return Ok(ReportAnswer::Kept),
            },
        };
        match (kept.wish, channel) {
            // What is unclear is asked of those whose hook it came to only: others have no reply to answer.
            (Wish::Stop | Wish::Start, Some(channel))
                if is_proven && (is_new || kept.wish == Wish::Stop) =>
            {
                let at = (provider, account.as_str());
                for (other, connection) in platform.writers_to(at, &from, tenant).await? {
                    // Anybody may enter any account and invent a token, which proves nothing to
                    // others.
                    let secrets = self.secrets(other, connection).await?;
                    if is_signed && self.trust_in(kind, &request, &secrets) != Trust::Signed {
                        continue;
                    }
                    let store = self.tenant(other);
                    let words = Said {
                        wish: kept.wish,
                        body: kept.body.clone(),
                        decide_by,
                    };
                    store.follow_wish(channel, from.clone(), words, now).await?;
                }
            }
            _ => {}
        }
        if matches!(kept.wish, Wish::Stop | Wish::Start) {
            // They have answered for themselves what may have been open.
            let sentence = "Released: the recipient has said what they wish";
            self.release(tenant, vec![Hold::OptOut], sentence).await?;
        }
        if matches!(kept.wish, Wish::Read | Wish::Unclear) {
            self.mail_on(&store, &kept, &sid).await?;
        }
        Ok(ReportAnswer::Kept)
    }

    /// The message as the provider has it, and whether it does: what nobody signed is only a hint.
    async fn as_the_provider_has_it(
        &self,
        store: &TenantStore,
        connection: ConnectionId,
        told: Inbound,
    ) -> Result<(Inbound, bool), AppError> {
        let Some(link) = self.link_by_id(store, connection, Channel::Sms).await? else {
            return Ok((told, false));
        };
        let Some(answer) = link.transport.inbound(&told).await else {
            return Ok((told, false));
        };
        self.accept(store, &link.connection).await?;
        Ok(match answer {
            InboundAnswer::Confirmed(confirmed) => (confirmed, true),
            InboundAnswer::Other => (told, false),
        })
    }

    /// Tells the owners what somebody wrote.
    async fn mail_on(&self, store: &TenantStore, reply: &Reply, sid: &str) -> Result<(), AppError> {
        // Whoever knows the hook's address must not fill the owners' mailboxes by it.
        if !reply.is_proven && store.is_flooded(self.now() - FLOOD, MOST_TOLD).await? {
            return Ok(());
        }
        let tenant = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let number = untrusted::bare(&reply.address, NAME_LENGTH);
        let who = if reply.name.is_empty() {
            number
        } else {
            format!("{} ({number})", untrusted::quoted(&reply.name, NAME_LENGTH))
        };
        let company = untrusted::quoted(&tenant.name, NAME_LENGTH);
        let cited = untrusted::cited(&reply.body, LINES, LINE_LENGTH);
        let proof = if reply.is_proven {
            String::new()
        } else {
            let words = self.provider_words(Channel::Sms);
            format!(
                "\n{}'s signature could not be checked: {}.\n",
                words.name, words.proof
            )
        };
        let url = self.public_url().join(&format!("/t/{}/", tenant.slug));
        let text = format!(
            "A reply from {who} to {}:\n\n{cited}\n{proof}\nThis service does not answer. Whoever should, \
             does so by phone or e-mail.\n\n{url}\n",
            untrusted::bare(&reply.sender, NAME_LENGTH)
        );
        let notice = Notice {
            kind: "reply",
            occasion: format!("reply:{}:{sid}", tenant.id),
            tenant: &tenant,
            mail: MailContent {
                subject: format!("A reply from {who} to {company}"),
                text,
            },
        };
        let owners = self.owners(tenant.id).await?;
        self.notify(notice, owners).await
    }

    /// All that recipients wrote, newest first.
    pub async fn replies(
        &self,
        tenant: TenantId,
        cursor: Cursor,
        limit: u64,
    ) -> Result<Page<Reply>, AppError> {
        Ok(self.tenant(tenant).replies(cursor, limit).await?)
    }

    /// A person says what an unclear reply means: stop writing, or go on.
    pub async fn answer_reply(
        &self,
        tenant: TenantId,
        id: ReplyId,
        stops: bool,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let (store, now) = (self.tenant(tenant), self.now());
        if !store.answer_reply(id, stops, actor.clone(), now).await? {
            return Err(AppError::NotFound("open question"));
        }
        let sentence = format!("Released: {actor} said what the reply means");
        self.release(tenant, vec![Hold::OptOut], &sentence).await
    }

    /// Unclear replies that nobody has answered in time mean stop.
    pub async fn close_questions(&self) -> Result<(), AppError> {
        let now = self.now();
        for tenant in self.store().platform().overdue_questions(now).await? {
            self.tenant(tenant).close_questions(now).await?;
            let sentence = "Released: nobody said within two working days what the reply means";
            self.release(tenant, vec![Hold::OptOut], sentence).await?;
        }
        Ok(())
    }

    /// Reads a reply off the list.
    pub async fn see_reply(&self, tenant: TenantId, id: ReplyId) -> Result<(), AppError> {
        if self.tenant(tenant).see_reply(id, self.now()).await? {
            Ok(())
        } else {
            Err(AppError::NotFound("reply"))
        }
    }
}
