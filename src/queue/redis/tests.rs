//! The contract on a real server, and what holds for this back end whatever happens to the server.

mod differences;
mod failover;
mod faults;
mod figures;
mod keys;
mod server;
mod sleepers;

use super::*;
use crate::queue::contract::contract_suite;

contract_suite!(match server::subject().await {
    Some(subject) => subject,
    None => return,
});

/// The same with somebody who would do without it: whatever a well server does comes through.
mod behind_failover {
    use super::*;

    contract_suite!(match failover::subject().await {
        Some(subject) => subject,
        None => return,
    });
}
