//! Coming in: signing in and up, the second step, forgotten passwords, invitations.

pub(in crate::web) mod handlers;
pub(in crate::web) mod invitation;
pub(in crate::web) mod new_instance;
pub mod page;
pub(in crate::web) mod reset;
pub(in crate::web) mod second_step;
pub(in crate::web) mod sign_up;
