//! What tests stand on: a database, a queue and a sandbox of their own, a clock that they move, and an app
//! joined from them.
//!
//! `tests/it` shares `database` and `slow_relay`; its services are joined by `startup`, as real ones are.

pub(crate) mod company;
#[expect(dead_code, reason = "tests/it uses all of it")]
pub(crate) mod database;
pub(crate) mod queue;
pub(crate) mod slow_relay;
pub(crate) mod world;

pub(crate) use self::database::TestDatabase;
pub(crate) use self::world::World;
