//! Plays the past through the real pipeline: webhooks are posted and signed, jobs run, Twilio's stand-in takes
//! the messages and reports on them, all at the times of the demo's clock.
//!
//! No row is written by hand, so whatever the pages show of the past is what they would show of a week in
//! the books.

use std::collections::HashSet;

use anyhow::Context as _;
use chrono::TimeDelta;

use super::OWNER;
use super::books::{Books, UNREACHABLE, Webhook, mobile};
use super::clock::DemoClock;
use super::hook::Hook;
use super::past::Act;
use crate::domain::actor::Actor;
use crate::domain::ids::TenantId;
use crate::sandbox::samples::Trader;
use crate::sandbox::twilio::{
    Credentials, Fault, FaultKind, FaultOrder, Inbound, Message, MessageFilter,
};
use crate::sandbox::{DEMO_NUMBER, SandboxHandle};
use crate::startup::Running;
use crate::twilio;

/// How long a message whose answer was lost is looked for: longer than three looks take.
const LOOKED_FOR: [i64; 5] = [20, 20, 20, 20, 20];

/// Plays the past.
pub(super) struct Player<'a> {
    pub(super) running: &'a Running,
    pub(super) sandbox: &'a SandboxHandle,
    pub(super) clock: &'a DemoClock,
    pub(super) books: &'a mut Books,
    pub(super) hook: &'a mut Hook,
    pub(super) client: &'a reqwest::Client,
    pub(super) tenant: TenantId,
    pub(super) twilio: &'a Credentials,
    /// Messages of the stand-in that have been reported on.
    pub(super) reported: HashSet<String>,
}

impl Player<'_> {
    /// Plays one act, at the clock's present time.
    pub(super) async fn play(&mut self, act: &Act) -> anyhow::Result<()> {
        let now = self.running.app.now();
        match act {
            Act::InvoiceSent(of) => {
                let webhook = self.books.invoice_sent(of, now);
                self.post(&webhook).await
            }
            Act::InvoiceOverdue(of) => {
                let webhook = self.books.invoice_overdue(of, now);
                self.post(&webhook).await
            }
            Act::InvoicePaid(of) => {
                let webhook = self.books.payment_received(of, now);
                self.post(&webhook).await?;
                self.clock.advance(TimeDelta::seconds(2));
                let webhook = self.books.invoice_paid(of, self.running.app.now());
                self.post(&webhook).await
            }
            Act::BillEntered(of) => {
                let webhook = self.books.bill_entered(of, now);
                self.post(&webhook).await
            }
            Act::BillPaid(of) => {
                let webhook = self.books.bill_paid(of, now);
                self.post(&webhook).await
            }
            Act::Other(kind, standing, trader) => {
                let webhook = self.books.other(*kind, *standing, *trader, now);
                self.post(&webhook).await
            }
            Act::Reply(customer, text) => self.reply(*customer, text).await,
            Act::Dealt => self.deal().await,
            Act::Forged => self.hook.forge().await,
            Act::NotUnderstood => {
                let webhook = self.books.estimate(now);
                self.post(&webhook).await
            }
            Act::AnswerLost(of) => {
                let fault = Fault::new(FaultKind::DropAfter);
                self.lose(fault, of.trader)?;
                let webhook = self.books.invoice_sent(of, now);
                self.hook.post(&webhook).await?;
                self.work().await?;
                // What went to colleagues does not wait for what was lost.
                self.report_but(Some(&mobile(of.trader))).await?;
                self.look_for().await?;
                self.report().await
            }
            Act::AnswerDoubtful(of) => {
                let fault = Fault::new(FaultKind::DropBefore);
                self.lose(fault, of.trader)?;
                let webhook = self.books.invoice_sent(of, now);
                self.hook.post(&webhook).await?;
                self.work().await?;
                self.write_by_hand(of.trader).await?;
                self.report().await?;
                self.look_for().await
            }
        }
    }

    async fn post(&mut self, webhook: &Webhook) -> anyhow::Result<()> {
        self.hook.post(webhook).await?;
        self.work().await?;
        self.report().await
    }

    /// Does what is due.
    async fn work(&self) -> anyhow::Result<()> {
        let done = self.running.runner.run_due().await;
        done.context("the jobs of the past cannot be done")?;
        Ok(())
    }

    /// Lets the stand-in report on each new message, some seconds later, as carriers do.
    async fn report(&mut self) -> anyhow::Result<()> {
        self.report_but(None).await
    }

    async fn report_but(&mut self, number: Option<&str>) -> anyhow::Result<()> {
        for message in self.sandbox.twilio().messages(&MessageFilter::default()) {
            let waits = number.is_some_and(|number| message.to == number);
            if waits || !self.reported.insert(message.sid.clone()) {
                continue;
            }
            self.clock.advance(TimeDelta::seconds(1));
            self.report_status(&message, "sent", None).await;
            // From two to seven seconds.
            let seconds = 2 + i64::from(message.sid.bytes().last().unwrap_or_default() % 6);
            self.clock.advance(TimeDelta::seconds(seconds));
            let reason = UNREACHABLE.iter().find(|(c, _)| mobile(*c) == message.to);
            let (status, code) = match reason {
                Some((_, code)) => ("undelivered", Some(*code)),
                None => ("delivered", None),
            };
            self.report_status(&message, status, code).await;
        }
        self.work().await
    }

    async fn report_status(&self, message: &Message, status: &str, code: Option<u32>) {
        // Only for messages that the stand-in has, so there is no other answer.
        let _ = self.sandbox.twilio().tell(&message.sid, status, code).await;
    }

    fn lose(&self, fault: Fault, customer: usize) -> anyhow::Result<()> {
        let mut lost = FaultOrder::once(fault);
        lost.to = Some(mobile(customer));
        Ok(self.sandbox.twilio().next(lost)?)
    }

    /// Lets the time pass in which a lost message is looked for.
    async fn look_for(&self) -> anyhow::Result<()> {
        self.work().await?;
        for seconds in LOOKED_FOR {
            self.clock.advance(TimeDelta::seconds(seconds));
            self.work().await?;
        }
        Ok(())
    }

    /// Somebody writes to a customer without us, from the same account.
    async fn write_by_hand(&self, customer: usize) -> anyhow::Result<()> {
        let name = Trader::customer(customer).first_name;
        let text = format!("Hi {name}, our driver is running late and will be with you by five.");
        let (base, account) = (self.sandbox.base_url(), &self.twilio.account_sid);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", &mobile(customer))
            .append_pair("From", DEMO_NUMBER)
            .append_pair("Body", &text)
            .finish();
        self.client
            .post(format!(
                "{base}/2010-04-01/Accounts/{account}/Messages.json"
            ))
            .basic_auth(account, Some(&self.twilio.auth_token))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("a message could not be written by hand")?;
        Ok(())
    }

    /// The owner says that nothing is left to do about what failed.
    async fn deal(&self) -> anyhow::Result<()> {
        let app = &self.running.app;
        let needing = app.overview(self.tenant).await?.needing_person;
        let failed = needing.iter().filter(|d| d.is_undealt());
        let events = failed.map(|d| d.id.event).collect();
        app.deal(self.tenant, events, &Actor::named(OWNER)).await?;
        Ok(())
    }

    async fn reply(&self, customer: usize, text: &str) -> anyhow::Result<()> {
        let url = self
            .running
            .app
            .inbound_url(self.tenant, twilio::PROVIDER)
            .await?;
        let inbound = Inbound {
            account_sid: self.twilio.account_sid.clone(),
            from: mobile(customer),
            to: DEMO_NUMBER.to_owned(),
            body: text.to_owned(),
            url,
        };
        self.sandbox.twilio().receive(inbound).await?;
        self.work().await
    }
}
