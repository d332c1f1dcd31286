//! The hourly figures that triggers keep are what counting anew would yield.

use super::*;
use crate::store::engine::sql::values;

/// One change of a delivery.
#[derive(Debug, Clone)]
enum Do {
    /// Made in the n-th of some hours, already in this state.
    Make(i64, DeliveryState),
    /// The n-th one takes this state.
    Move(usize, DeliveryState),
    /// All of them do, in one statement.
    MoveAll(DeliveryState),
    /// Something else of it changes.
    Touch(usize),
}

fn state() -> impl Strategy<Value = DeliveryState> {
    prop::sample::select(DeliveryState::ALL.to_vec())
}

fn change() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => (0..3_i64, state()).prop_map(|(hour, state)| Do::Make(hour, state)),
        6 => (0..20_usize, state()).prop_map(|(n, state)| Do::Move(n, state)),
        1 => state().prop_map(Do::MoveAll),
        1 => (0..20_usize).prop_map(Do::Touch),
    ]
}

impl House {
    pub(super) async fn exec(&self, statement: String, bound: Vec<sea_orm::Value>) {
        let work = self.writer().edit(work!([statement, bound], async |tx| {
            tx.exec(&statement, bound).await
        }));
        work.await.unwrap();
    }

    async fn carry_out(&self, change: Do, made: &mut Vec<DeliveryId>) {
        let at = |n: usize| made.get(n % made.len().max(1)).copied();
        let set = "UPDATE deliveries SET state = $1 WHERE tenant_id = $2";
        let tenant = self.tenant.tenant_id().uuid();
        match change {
            Do::Make(hour, state) => {
                let event = EventId::new(later(hour * 3600));
                let id = DeliveryId::new(event, later(hour * 3600));
                let wish = NewDelivery {
                    id,
                    state,
                    ..Self::wish(event, "Hi")
                };
                let tenant = self.tenant.tenant_id();
                let work = self.writer().edit(work!([wish], async |tx| {
                    // The second one is a repeat, and no delivery.
                    for _ in 0..2 {
                        new_deliveries::insert_delivery(tx.of(tenant), &wish, later(hour * 3600))
                            .await?;
                    }
                    Ok(())
                }));
                work.await.unwrap();
                made.push(id);
            }
            Do::Move(n, state) => {
                let Some(id) = at(n) else { return };
                let one = format!("{set} AND event_id = $3 AND id = $4");
                let bound = values![state.as_str(), tenant, id.event.uuid(), id.own];
                self.exec(one, bound).await;
            }
            Do::MoveAll(state) => {
                self.exec(set.to_owned(), values![state.as_str(), tenant])
                    .await;
            }
            Do::Touch(n) => {
                let Some(id) = at(n) else { return };
                let touch = "UPDATE deliveries SET updated_at = updated_at + 1 WHERE id = $1";
                self.exec(touch.to_owned(), values![id.own]).await;
            }
        }
    }

    /// The figures, counted row by row.
    async fn counted(&self) -> Vec<HourTally> {
        let mut hours: Vec<HourTally> = Vec::new();
        let query =
            "SELECT state, created_at FROM deliveries WHERE tenant_id = $1 ORDER BY created_at";
        for row in self.tenant.db().all(query, vec![]).await.unwrap() {
            let state: String = row.get("state").unwrap();
            let state = DeliveryState::parse(&state).unwrap();
            let at = row.time("created_at").unwrap();
            let starts_at = at - TimeDelta::seconds(at.timestamp() % 3600);
            if hours.last().is_none_or(|h| h.starts_at != starts_at) {
                hours.push(HourTally {
                    starts_at,
                    sent: 0,
                    failed: 0,
                });
            }
            let hour = hours.last_mut().unwrap();
            match state {
                DeliveryState::Accepted
                | DeliveryState::Sent
                | DeliveryState::Delivered
                | DeliveryState::Read => hour.sent += 1,
                DeliveryState::Failed | DeliveryState::Undelivered => hour.failed += 1,
                _ => {}
            }
        }
        without_empty(hours)
    }

    async fn tallied(&self) -> Vec<HourTally> {
        without_empty(self.tenant.tally(now()).await.unwrap())
    }
}

fn without_empty(mut hours: Vec<HourTally>) -> Vec<HourTally> {
    hours.retain(|h| h.sent + h.failed > 0);
    hours
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn hourly_figures_are_what_counting_anew_yields(
        changes in prop::collection::vec(change(), 1..60),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let house = House::open().await;
            let (other, _, _) = add_tenant(&house.store, "other").await;
            let mut made = Vec::new();
            for change in changes {
                house.carry_out(change, &mut made).await;
            }
            assert_eq!(house.tallied().await, house.counted().await);
            let of_other = house.store.tenant(other).tally(now()).await.unwrap();
            assert_eq!(of_other, [], "figures of another tenant");
        });
    }
}

#[tokio::test]
async fn figures_are_right_when_many_write_at_once_and_when_months_are_made() {
    let house = House::open().await;
    let mut wishes = Vec::new();
    for n in 0..40_u8 {
        let event = house.ingest(n, now()).await.event;
        wishes.push((event, House::wish(event, "Hi")));
    }
    let routed = wishes.into_iter().enumerate().map(|(n, (event, wish))| {
        let wish = NewDelivery {
            // As with a number that is not possible.
            state: if n % 4 == 0 {
                DeliveryState::Failed
            } else {
                DeliveryState::Queued
            },
            ..wish
        };
        house.tenant.commit_route(house.commit(event, vec![wish]))
    });
    futures::future::join_all(routed).await;
    let expected = HourTally {
        starts_at: now(),
        sent: 0,
        failed: 10,
    };
    assert_eq!(house.tallied().await, [expected]);
    house.store.make_partitions(now()).await.unwrap();
    assert_eq!(
        house.tallied().await,
        [expected],
        "a row that moves is no news"
    );
    let all = "UPDATE deliveries SET state = 'delivered'";
    house.exec(all.to_owned(), vec![]).await;
    assert_eq!(house.tallied().await, house.counted().await);
}
