//! The whole way over HTTP, against the sandbox.
