//! Whole deliveries against the sandbox, over real HTTP, on a clock that each test moves.

mod clocks;
mod departures;
mod failures;
mod holds;
mod lost_answers;
mod replays;
mod reports;
mod scene;
