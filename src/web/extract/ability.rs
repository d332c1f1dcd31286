//! What a handler requires of whoever asks, as a type in its signature (`TenantRequest<EditRules>`,
//! `Call<EditRules>`): no handler can forget to ask, and the table of addresses is checked against it.

use crate::domain::user::Ability;

/// A type that stands for one [`Ability`].
pub trait Needs: 'static {
    const ABILITY: Ability;
}

macro_rules! needs {
    ($($name:ident,)*) => {$(
        #[doc = concat!("Stands for [`Ability::", stringify!($name), "`].")]
        pub struct $name;

        impl Needs for $name {
            const ABILITY: Ability = Ability::$name;
        }
    )*};
}

needs! {
    View, EditRules, Replay, StopSending, Suppress, EditGroups, Connect, ChangeSettings, GoLive,
    ConfirmNumber, ManageTokens, ReadSecurityLog, ManageTeam, ChangeBankDetails, DeleteTenant,
}
