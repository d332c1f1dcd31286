//! The servers that the service needs beside itself, on loopback and free ports.

pub(crate) mod postgres;
pub(crate) mod redis;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// An address that nobody listens on: the system's choice, given back at once.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
