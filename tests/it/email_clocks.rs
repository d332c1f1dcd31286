//! Our clock jumps between two questions about an e-mail; Twilio's goes on as ever.

use std::sync::Arc;

use chrono::TimeDelta;
use ml_connector::domain::clock::{FixedClock, SharedClock};
use ml_connector::sandbox::samples::Standing;
use ml_connector::sandbox::twilio::{Fault, FaultKind, FaultOrder, On};
use serde_json::{Value, json};

use crate::harness::company::{Company, invoice};
use crate::harness::database::TestDatabase;
use crate::harness::{TestApp, monday};

/// A machine and Twilio, each with a clock.
struct World {
    app: TestApp,
    ours: Arc<FixedClock>,
    twilios: Arc<FixedClock>,
}

impl World {
    async fn open() -> Self {
        let (ours, twilios) = (monday(), monday());
        let clocks: [SharedClock; 1] = [ours.clone()];
        let database = TestDatabase::migrated().await;
        let [app] = TestApp::machines(database, twilios.clone(), clocks).await;
        Self { app, ours, twilios }
    }

    /// Time passes for both.
    async fn pass(&self, time: TimeDelta) {
        self.ours.advance(time);
        self.twilios.advance(time);
        self.app.run_due_jobs().await;
    }

    /// Only our clock is set.
    async fn jump(&self, by: TimeDelta) {
        self.ours.advance(by);
        self.app.run_due_jobs().await;
    }

    async fn mailer(&self) -> Company<'_> {
        let acme = self.app.company("Acme").await;
        acme.email_sender("billing@acme.example", "Acme Billing")
            .await;
        acme.create_rule(json!({
            "name": "Tell them", "event_type": "invoice.sent", "channel": "both",
            "recipient": { "kind": "contact" },
            "template": {
                "body": "Invoice {{ invoice_number }}",
                "email": { "subject": "Invoice {{ invoice_number }}", "preview": "", "body": "Hello" },
            },
        }))
        .await;
        acme
    }
}

async fn states(acme: &Company<'_>, event: &str) -> Vec<(String, String)> {
    let story = acme.event(event).await;
    let word = |d: &Value, name: &str| d[name].as_str().unwrap().to_owned();
    let mut states: Vec<_> = story["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (word(d, "channel"), word(d, "state")))
        .collect();
    states.sort();
    states
}

fn delivered() -> Vec<(String, String)> {
    let both = ["email", "sms"];
    both.map(|channel| (channel.to_owned(), "delivered".to_owned()))
        .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_between_polls_loses_and_doubles_nothing() {
    for jumps in [
        [TimeDelta::hours(-1), TimeDelta::days(3)],
        [TimeDelta::days(3), TimeDelta::hours(-1)],
    ] {
        let world = World::open().await;
        let acme = world.mailer().await;
        let event = acme
            .told("", &invoice(1, Standing::Sent, world.app.now()))
            .await;
        world.app.run_due_jobs().await;
        assert_eq!((acme.messages().len(), acme.emails().len()), (1, 1));
        for jump in jumps {
            world.jump(jump).await;
            world.pass(TimeDelta::minutes(5)).await;
        }
        for _ in 0..6 {
            world.pass(TimeDelta::hours(4)).await;
        }
        assert_eq!(
            (acme.messages().len(), acme.emails().len()),
            (1, 1),
            "{jumps:?}"
        );
        assert_eq!(states(&acme, &event).await, delivered(), "{jumps:?}");
    }
}

/// What waits to be sent, or again, is neither sent twice nor given up for a wrong clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_jump_back_keeps_what_waits() {
    let world = World::open().await;
    let acme = world.mailer().await;
    let busy = FaultOrder {
        on: On::Email,
        ..FaultOrder::once(Fault::new(FaultKind::TooMany))
    };
    world.app.sandbox.twilio().next(busy).unwrap();
    let event = acme
        .told("", &invoice(1, Standing::Sent, world.app.now()))
        .await;
    world.app.run_due_jobs().await;
    assert!(acme.emails().is_empty());
    world.jump(TimeDelta::hours(-1)).await;
    for _ in 0..8 {
        world.pass(TimeDelta::hours(1)).await;
    }
    assert_eq!(acme.emails().len(), 1);
    assert_eq!(states(&acme, &event).await, delivered());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_over_a_jump() {
    for jumps in [
        [TimeDelta::hours(-1), TimeDelta::days(3)],
        [TimeDelta::days(3), TimeDelta::hours(-1)],
    ] {
        let world = World::open().await;
        let acme = world.mailer().await;
        let lost = FaultOrder {
            on: On::Email,
            ..FaultOrder::once(Fault::new(FaultKind::DropAfter))
        };
        world.app.sandbox.twilio().next(lost).unwrap();
        let event = acme
            .told("", &invoice(1, Standing::Sent, world.app.now()))
            .await;
        world.app.run_due_jobs().await;
        assert_eq!(states(&acme, &event).await[0].1, "unknown");
        for jump in jumps {
            world.jump(jump).await;
            world.pass(TimeDelta::minutes(5)).await;
        }
        for _ in 0..12 {
            world.pass(TimeDelta::hours(2)).await;
        }
        assert_eq!(acme.emails().len(), 1, "{jumps:?}");
        assert_eq!(states(&acme, &event).await, delivered(), "{jumps:?}");
    }
}
