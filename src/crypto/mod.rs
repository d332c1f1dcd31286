//! Secrets at rest, passwords and tokens.
