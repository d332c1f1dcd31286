//! Values and rules: pure code, no I/O, no framework.

pub mod actor;
pub mod agent;
pub mod audit;
pub mod clock;
pub mod connection;
pub mod day;
pub mod decision;
pub mod delivery;
pub mod document;
pub mod event;
pub mod hours;
pub mod ids;
pub mod money;
pub mod name;
pub mod order;
pub mod page;
pub mod phone;
pub mod reply;
pub mod rule;
pub mod suppression;
pub mod tenant;
pub mod transition;
pub mod user;
pub mod working_days;
