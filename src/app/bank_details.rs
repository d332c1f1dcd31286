//! Bank details, which a thief would change: an owner asks with a code of their second factor, every owner is
//! told by e-mail, and the new text counts after a day or when a second owner agrees.

use super::accounts::mails::instant;
use super::mail::{Mail, MailContent};
use super::{App, AppError, job};
use crate::domain::actor::Actor;
use crate::domain::bank_details::{BankDetails, LONGEST, WAITS, in_force, pending};
use crate::domain::ids::{BankDetailsId, TenantId};
use crate::domain::money::Currency;
use crate::domain::tenant::Tenant;
use crate::mail::untrusted::{self, NAME_LENGTH};
use crate::store::{BankDetailsEdit, MessageEdit, User};

/// How much of a text is cited in an e-mail.
const LINES: usize = 30;
const LINE_LENGTH: usize = 200;

/// The longest e-mail address that there is.
const ADDRESS_LENGTH: usize = 254;

/// What is typed to change bank details.
#[derive(Debug, Clone, Default)]
pub struct BankDetailsInput {
    pub currency: String,
    /// Empty to have none any more.
    pub text: String,
}

impl App {
    /// Of each currency what is in force and what waits.
    pub async fn bank_details(&self, tenant: TenantId) -> Result<Vec<BankDetails>, AppError> {
        Ok(self.tenant(tenant).bank_details().await?)
    }

    /// Asks for another text of a currency. `code` is one of the owner's second factor, which is spent.
    pub async fn ask_bank_details(
        &self,
        tenant: TenantId,
        input: &BankDetailsInput,
        (user, code): (&User, &str),
        actor: &Actor,
    ) -> Result<(), AppError> {
        let currency = Currency::parse(&input.currency);
        let currency =
            currency.map_err(|problem| AppError::field("currency", problem.to_string()))?;
        let text = super::text::lines(&input.text, LONGEST);
        let text = text.map_err(|message| AppError::field("text", message))?;
        let all = self.bank_details(tenant).await?;
        let now = self.now();
        let old = in_force(&all, currency.code(), now).map_or("", |b| b.text.as_str());
        if old == text {
            let message = "these are the bank details already; type the new ones";
            return Err(AppError::field("text", message));
        }
        if pending(&all, currency.code(), now).is_some() {
            return Err(waits_already(currency));
        }
        self.confirm_code(user.id, code).await?;
        let new = BankDetails {
            id: BankDetailsId::new(now),
            currency: currency.code().to_owned(),
            text,
            asked_by: user.id,
            asked_by_name: user.email.clone(),
            asked_at: now,
            in_force_at: now + WAITS,
            agreed_by_name: String::new(),
        };
        let told = Told::Asked;
        let edit = BankDetailsEdit::Ask(new.clone());
        match self.change(tenant, edit, (&new, old, told), actor).await? {
            MessageEdit::Done => Ok(()),
            MessageEdit::TooOften => Err(AppError::Conflict(
                "The bank details were changed 50 times within a day, as often as they may; try again \
                 tomorrow"
                    .to_owned(),
            )),
            _ => Err(waits_already(currency)),
        }
    }

    /// Agrees, as an owner other than the one who asked, so that the text counts at once.
    pub async fn agree_to_bank_details(
        &self,
        tenant: TenantId,
        id: BankDetailsId,
        (user, code): (&User, &str),
        actor: &Actor,
    ) -> Result<(), AppError> {
        let (asked, old) = self.waiting(tenant, id).await?;
        if asked.asked_by == user.id {
            let why = "You asked for it yourself; another owner has to agree";
            return Err(AppError::Conflict(why.to_owned()));
        }
        self.confirm_code(user.id, code).await?;
        let edit = BankDetailsEdit::Agree(id, user.id);
        let told = (&asked, old.as_str(), Told::Agreed);
        ended(self.change(tenant, edit, told, actor).await?)
    }

    /// Calls off what waits. It only keeps things as they are, so no code is asked for.
    pub async fn call_off_bank_details(
        &self,
        tenant: TenantId,
        id: BankDetailsId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let (asked, old) = self.waiting(tenant, id).await?;
        let edit = BankDetailsEdit::CallOff(id);
        let told = (&asked, old.as_str(), Told::CalledOff);
        ended(self.change(tenant, edit, told, actor).await?)
    }

    /// What waits under this id, and the text that it would replace.
    async fn waiting(
        &self,
        tenant: TenantId,
        id: BankDetailsId,
    ) -> Result<(BankDetails, String), AppError> {
        let all = self.bank_details(tenant).await?;
        let asked = all.iter().find(|b| b.id == id).cloned();
        let asked = asked.ok_or(AppError::NotFound("bank details"))?;
        let now = self.now();
        if !asked.is_pending(now) {
            ended(MessageEdit::Gone)?;
        }
        let old = in_force(&all, &asked.currency, now).map_or("", |b| b.text.as_str());
        Ok((asked, old.to_owned()))
    }

    /// The change, and an e-mail to every owner in the same transaction.
    async fn change(
        &self,
        tenant: TenantId,
        edit: BankDetailsEdit,
        (new, old, told): (&BankDetails, &str, Told),
        actor: &Actor,
    ) -> Result<MessageEdit, AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let now = self.now();
        let mut mails = Vec::new();
        if self.can_mail() {
            for owner in store.owners().await? {
                mails.push(self.sealed(Mail {
                    tenant: Some(tenant),
                    once: format!("bank_details:{}:{}:{}", told.word(), new.id, owner.id),
                    to: owner.email,
                    kind: "bank_details",
                    content: self.bank_details_mail(&row, told, (new, old), actor),
                })?);
            }
        }
        let wishes = mails.iter().map(|m| job::send_mail(m.tenant, m.id, now));
        let wishes = wishes.collect();
        let done = store
            .change_bank_details(edit, mails, actor.clone(), now)
            .await?;
        if done == MessageEdit::Done {
            self.wake(wishes).await;
        }
        Ok(done)
    }

    fn bank_details_mail(
        &self,
        tenant: &Tenant,
        told: Told,
        (new, old): (&BankDetails, &str),
        actor: &Actor,
    ) -> MailContent {
        let company = untrusted::quoted(&tenant.name, NAME_LENGTH);
        let by = untrusted::quoted(&actor.name, ADDRESS_LENGTH);
        let currency = &new.currency;
        let (subject, first) = match told {
            Told::Asked => (
                format!("The {currency} bank details of {company} are to change"),
                format!(
                    "{by} asked for other bank details in e-mails that ask for {currency}. They count from \
                     {}, or as soon as a second owner agrees.",
                    instant(new.in_force_at)
                ),
            ),
            Told::Agreed => (
                format!("The {currency} bank details of {company} are changed"),
                format!("{by} agreed to them, and they count from now on."),
            ),
            Told::CalledOff => (
                format!("The {currency} bank details of {company} stay as they are"),
                format!("{by} called the change off."),
            ),
        };
        let page = self.page_of(tenant, "/brand");
        let cited = |text: &str| match text {
            "" => "> (none)".to_owned(),
            text => untrusted::cited(text, LINES, LINE_LENGTH),
        };
        let warning = match told {
            Told::CalledOff => "",
            Told::Asked | Told::Agreed => {
                "Whoever changes them decides where your customers pay to. If you do not know of this, call \
                 it off or change it back at once, and ask who has had access."
            }
        };
        let text = [
            first,
            format!("Until now:\n{}", cited(old)),
            format!("New:\n{}", cited(&new.text)),
            warning.to_owned(),
            format!("Look at it:\n{page}"),
        ];
        let text: Vec<String> = text.into_iter().filter(|p| !p.is_empty()).collect();
        MailContent {
            subject,
            text: format!("{}\n", text.join("\n\n")),
        }
    }
}

/// What owners are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Asked,
    Agreed,
    CalledOff,
}

impl Told {
    const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Agreed => "agreed",
            Self::CalledOff => "called_off",
        }
    }
}

fn waits_already(currency: Currency) -> AppError {
    let code = currency.code();
    AppError::Conflict(format!(
        "Other {code} bank details wait already. Agree to them or call them off first"
    ))
}

fn ended(edit: MessageEdit) -> Result<(), AppError> {
    match edit {
        MessageEdit::Done => Ok(()),
        _ => Err(AppError::Conflict(
            "It does not wait any more: look at what is in force now".to_owned(),
        )),
    }
}
