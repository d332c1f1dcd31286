//! Both back ends keep one contract; what only Redis does is shown beside it.

mod alike;
mod bench;
mod contract;
mod outage;
mod pace;
mod server;
mod together;
