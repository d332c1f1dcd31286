//! Door one: HTTP.
