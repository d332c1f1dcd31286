//! Everything the environment can set, parsed before the first connection.
