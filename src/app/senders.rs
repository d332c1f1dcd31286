//! What a tenant's messages come from: kept, tested, and taken away.

mod dns;
mod test;

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::delivery::{Channel, Channels, Hold};
use crate::domain::ids::{SenderId, TenantId};
use crate::domain::name;
use crate::domain::party::Party;
use crate::domain::phone::CountryCode;
use crate::domain::sender::{FASTEST, MOST_CHOSEN_BY, MOST_SENDERS, SenderAddress, SenderProfile};
use crate::domain::transport::TransportName;
use crate::store::MessageEdit;

/// The longest id of a customer in the books, in characters.
const LONGEST_CUSTOMER: usize = 60;

/// What is typed of a sender.
#[derive(Debug, Clone, Default)]
pub struct SenderInput {
    /// Of a new one only.
    pub transport: String,
    pub address: String,
    pub name: String,
    pub is_default: bool,
    pub countries: Vec<String>,
    pub customers: Vec<String>,
    /// A whole number; empty for none.
    pub segments_per_second: String,
}

/// A way of sending that a sender may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderTransport {
    pub name: TransportName,
    pub channel: Channel,
}

impl App {
    /// The ways of sending that there are.
    pub fn sender_transports(&self) -> Vec<SenderTransport> {
        let kinds = self.parts.transports.kinds();
        kinds
            .map(|kind| SenderTransport {
                name: kind.name(),
                channel: kind.channel(),
            })
            .collect()
    }

    /// Every sender, the oldest first.
    pub async fn sender_profiles(&self, tenant: TenantId) -> Result<Vec<SenderProfile>, AppError> {
        Ok(self.tenant(tenant).senders().await?)
    }

    /// The customers and vendors that documents have named lately.
    pub async fn parties(&self, tenant: TenantId) -> Result<Vec<Party>, AppError> {
        Ok(self.tenant(tenant).parties().await?)
    }

    /// How many segments in a second a sender of its kind usually sends, where its provider says so.
    pub fn usual_pace(&self, of: &SenderProfile) -> Option<u16> {
        let SenderAddress::Text(sender) = &of.address else {
            return None;
        };
        self.parts
            .transports
            .named(of.transport)?
            .usual_pace(sender)
    }

    /// One sender.
    pub async fn sender_profile(
        &self,
        tenant: TenantId,
        id: SenderId,
    ) -> Result<SenderProfile, AppError> {
        let found = self.tenant(tenant).sender(id).await?;
        found.ok_or(AppError::NotFound("sender"))
    }

    /// Adds a sender; the first of its transport is the default.
    pub async fn add_sender(
        &self,
        tenant: TenantId,
        input: &SenderInput,
        actor: &Actor,
    ) -> Result<SenderProfile, AppError> {
        let transports = self.sender_transports();
        let typed = input.transport.trim();
        let Some(transport) = transports.iter().find(|t| t.name.as_str() == typed) else {
            let names: Vec<_> = transports.iter().map(|t| t.name.to_string()).collect();
            let message = format!("choose {}", names.join(" or "));
            return Err(AppError::field("transport", message));
        };
        let now = self.now();
        let new = SenderProfile {
            id: SenderId::new(now),
            transport: transport.name,
            created_at: now,
            ..self.read_sender(tenant, transport.channel, input).await?
        };
        let (store, id) = (self.tenant(tenant), new.id);
        if let Some(entered) = self.entered_with_connection(tenant, &new).await? {
            let id = entered.id;
            let changed = SenderProfile { id, ..new };
            done(store.change_sender(changed, actor.clone(), now).await?)?;
            return self.now_usable(tenant, id, actor).await;
        }
        self.try_address(tenant, &new).await?;
        done(store.add_sender(new, actor.clone(), now).await?)?;
        self.now_usable(tenant, id, actor).await
    }

    /// Changes a sender. With another address it has to be tested anew.
    pub async fn change_sender(
        &self,
        tenant: TenantId,
        id: SenderId,
        input: &SenderInput,
        actor: &Actor,
    ) -> Result<SenderProfile, AppError> {
        let old = self.sender_profile(tenant, id).await?;
        let channel = old.address.channel();
        let typed = input.transport.trim();
        if !typed.is_empty() && typed != old.transport.as_str() {
            let message = "it cannot be changed; add another sender";
            return Err(AppError::field("transport", message));
        }
        let changed = SenderProfile {
            id,
            transport: old.transport,
            ..self.read_sender(tenant, channel, input).await?
        };
        if changed.address.key() != old.address.key() {
            self.try_address(tenant, &changed).await?;
        }
        let store = self.tenant(tenant);
        let edit = store.change_sender(changed, actor.clone(), self.now());
        done(edit.await?)?;
        self.now_usable(tenant, id, actor).await
    }

    /// A sender as it is now; what waited for one is released where it may be used.
    async fn now_usable(
        &self,
        tenant: TenantId,
        id: SenderId,
        actor: &Actor,
    ) -> Result<SenderProfile, AppError> {
        let sender = self.sender_profile(tenant, id).await?;
        let (store, channel) = (self.tenant(tenant), sender.address.channel());
        let is_connected = self.connection_for(&store, channel).await?.is_some();
        if is_connected && sender.is_usable(self.is_sandboxed()) {
            let sentence = format!("Released: {actor} chose what to send from");
            let channels = Channels::from_iter([channel]);
            self.release_over(&channels, tenant, vec![Hold::NoConnection], &sentence)
                .await?;
        }
        Ok(sender)
    }

    /// Takes a sender away that no rule names.
    pub async fn delete_sender(
        &self,
        tenant: TenantId,
        id: SenderId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        self.sender_profile(tenant, id).await?;
        if let Some(rule) = self.rule_that_names(tenant, &id.to_string()).await? {
            return Err(AppError::Conflict(format!(
                "The rule “{rule}” sends from it; choose another sender there first"
            )));
        }
        let store = self.tenant(tenant);
        match store.delete_sender(id, actor.clone(), self.now()).await? {
            MessageEdit::Taken => Err(AppError::Conflict(
                "It is the default; make another one the default first".to_owned(),
            )),
            edit => done(edit),
        }
    }

    /// The name of a rule whose definition has this id somewhere in it.
    pub(super) async fn rule_that_names(
        &self,
        tenant: TenantId,
        id: &str,
    ) -> Result<Option<String>, AppError> {
        let rules = self.tenant(tenant).rules().await?;
        let rule = rules.into_iter().find(|rule| {
            let json = serde_json::to_string(&rule.definition);
            json.is_ok_and(|json| json.contains(id))
        });
        Ok(rule.map(|r| r.definition.name))
    }

    /// The same sender, where it was entered with a connection and nobody has said more of it yet.
    async fn entered_with_connection(
        &self,
        tenant: TenantId,
        new: &SenderProfile,
    ) -> Result<Option<SenderProfile>, AppError> {
        let all = self.tenant(tenant).senders().await?;
        Ok(all.into_iter().find(|old| {
            old.transport == new.transport
                && old.address.key() == new.address.key()
                && old.name.is_empty()
        }))
    }

    /// Reads all that may be typed anew; what is not typed is still empty.
    async fn read_sender(
        &self,
        tenant: TenantId,
        channel: Channel,
        input: &SenderInput,
    ) -> Result<SenderProfile, AppError> {
        let row = self.tenant(tenant).tenant().await?;
        let country = row.ok_or(AppError::NotFound("tenant"))?.country;
        let country = CountryCode::parse(&country).ok();
        let mut problems = Vec::new();
        let mut refuse = |field: &str, message: String| {
            problems.push(FieldProblem::new(field, message));
        };
        let address = match channel {
            Channel::Sms => SenderAddress::text(&input.address, country),
            Channel::Email => SenderAddress::email(&input.address),
        };
        let address = address.map_err(|message| refuse("address", message)).ok();
        let typed = input.name.trim();
        // Of texts nobody reads it.
        if !(channel == Channel::Sms && typed.is_empty())
            && let Err(problem) = name::parse(typed)
        {
            refuse("name", format!("type a name, {problem}"));
        }
        let mut countries = Vec::new();
        for code in input.countries.iter().filter(|c| !c.trim().is_empty()) {
            match CountryCode::parse(code) {
                Ok(code) => countries.push(code),
                Err(problem) => refuse("countries", problem.to_string()),
            }
        }
        let customers = input.customers.iter().map(|c| c.trim());
        let customers: Vec<_> = customers.filter(|c| !c.is_empty()).collect();
        let is_id =
            |id: &&str| id.chars().count() <= LONGEST_CUSTOMER && !id.chars().any(char::is_control);
        if !customers.iter().all(is_id) {
            let message = "type the customers' ids in the books, such as 460000000026049";
            refuse("customers", message.to_owned());
        }
        for (field, count) in [
            ("countries", countries.len()),
            ("customers", customers.len()),
        ] {
            if count > MOST_CHOSEN_BY {
                refuse(field, format!("at most {MOST_CHOSEN_BY}"));
            }
        }
        let pace = input.segments_per_second.trim();
        let segments_per_second = match pace.parse() {
            _ if pace.is_empty() => None,
            _ if channel == Channel::Email => {
                let message = "leave it empty: only SMS are counted in segments";
                refuse("segments_per_second", message.to_owned());
                None
            }
            Ok(pace @ 1..=FASTEST) => Some(pace),
            _ => {
                let message = format!("type a whole number from 1 to {FASTEST}, or nothing");
                refuse("segments_per_second", message);
                None
            }
        };
        let (Some(address), true) = (address, problems.is_empty()) else {
            return Err(AppError::Invalid(problems));
        };
        countries.sort_unstable();
        countries.dedup();
        let mut customers: Vec<_> = customers.into_iter().map(str::to_owned).collect();
        customers.sort_unstable();
        customers.dedup();
        Ok(SenderProfile {
            id: SenderId::nil(),
            // Whoever asked knows it.
            transport: TransportName::named("none"),
            address,
            name: typed.to_owned(),
            is_default: input.is_default,
            countries,
            customers,
            segments_per_second,
            tested_at: None,
            created_at: self.now(),
        })
    }

    /// Refuses a number that the tenant's account does not have, as far as the provider says so at once.
    async fn try_address(&self, tenant: TenantId, new: &SenderProfile) -> Result<(), AppError> {
        let SenderAddress::Text(sender) = &new.address else {
            return Ok(());
        };
        match self.refuses_sender(tenant, sender).await? {
            Some(why) => Err(AppError::field("address", why)),
            None => Ok(()),
        }
    }
}

fn done(edit: MessageEdit) -> Result<(), AppError> {
    match edit {
        MessageEdit::Done => Ok(()),
        MessageEdit::Gone => Err(AppError::NotFound("sender")),
        MessageEdit::Taken => Err(AppError::field(
            "address",
            "there is a sender with this address already",
        )),
        MessageEdit::TooMany => Err(AppError::field(
            "address",
            format!(
                "there are {MOST_SENDERS} senders, as many as a company may have; delete one that is no \
                 longer needed"
            ),
        )),
        MessageEdit::TooOften => Err(AppError::Conflict(
            "Senders were changed 1,000 times within a day, as often as they may; try again tomorrow"
                .to_owned(),
        )),
    }
}
