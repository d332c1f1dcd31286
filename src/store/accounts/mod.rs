//! People and programs: who they are, and how they come in.

pub(in crate::store) mod invitations;
pub(in crate::store) mod members;
pub(in crate::store) mod new_tenant;
pub(in crate::store) mod second_factors;
pub(in crate::store) mod sessions;
pub(in crate::store) mod summary_readers;
pub(in crate::store) mod throttles;
pub(in crate::store) mod tokens;
pub(in crate::store) mod user_tokens;
pub(in crate::store) mod users;
