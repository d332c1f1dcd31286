//! What the last action did, told once on the next page.
//!
//! The cookie bears a key of this list, never a sentence: whoever can set it can choose among our
//! own words, and no more.

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;

use super::cookies;
use crate::config::web::PublicUrl;
use crate::web::chrome::{Flash, FlashKind};

/// Makes the list of all that can be told from lines of name, kind and sentence. The name is also the
/// key in the cookie.
macro_rules! told {
    ($($name:ident, $kind:ident, $sentence:literal;)*) => {
        /// Everything that can be told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Told {
            $($name,)*
        }

        impl Told {
            const ALL: &[Self] = &[$(Self::$name,)*];

            const fn key(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            const fn kind(self) -> FlashKind {
                match self {
                    $(Self::$name => FlashKind::$kind,)*
                }
            }

            const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                }
            }
        }
    };
}

told! {
    SignedOut, Done, "You are signed out.";
    Welcome, Done, "Company and account are made. The steps below lead to the first message.";
    Stopped, Done, "All sending is stopped. Messages are held until you resume it.";
    Resumed, Done, "Sending goes on, with the messages that were held.";
    RuleSaved, Done, "The rule is saved.";
    RuleOn, Done, "The rule is on.";
    RuleOff, Done, "The rule is off. It is not asked until you turn it on again.";
    RuleDeleted, Done, "The rule is deleted.";
    EventReplayed, Done, "The event was decided again with today's rules.";
    ReplayPending, Done, "The event will be decided again in a moment.";
    MessageReplayed, Done, "The message is on its way once more.";
    Arrived, Done, "Noted that it arrived. It is not sent again.";
    SentAgain, Done, "The message is sent again.";
    Dealt, Done, "Noted that there is nothing more to do.";
    CalledOff, Done, "The message is called off.";
    TwilioSaved, Done, "Twilio accepts the account, and it is saved.";
    TwilioUntried, Done, "The Twilio account is saved untried. Check it as soon as Twilio can be reached.";
    TwilioChecked, Done, "Twilio accepts the credentials.";
    TwilioRefused, Refused, "Twilio does not accept this account. See below what it says.";
    TwilioNotAsked, Refused, "Twilio could not be asked just now. Try again in a minute.";
    BooksConnected, Done, "Zoho Books is connected, for reading.";
    BooksUnfinished, Done, "Zoho gave access. Choose the organisation below to finish.";
    BooksChosen, Done, "The organisation of Zoho Books is chosen.";
    BooksChecked, Done, "Zoho Books lets us read.";
    BooksRefused, Refused, "Zoho Books does not let us read. See below what it says.";
    BooksDisconnected, Done, "Zoho Books is disconnected. Webhooks go on as before.";
    BooksNotTold, Refused,
        "Our access is forgotten here, but Zoho could not be told. Remove it at Zoho too: My \
         Account, Sessions, Connected Apps.";
    SettingsSaved, Done, "The settings are saved.";
    SenderSaved, Done, "The sender is saved.";
    SenderTested, Done, "The test is on its way to your own address. Rules can send from here now.";
    SenderDeleted, Done, "The sender is deleted.";
    GroupMade, Done, "The group is made.";
    GroupSaved, Done, "The group is saved.";
    GroupDeleted, Done, "The group is deleted.";
    GroupMemberSaved, Done, "The group has them now.";
    GroupMemberRemoved, Done, "They are out of the group.";
    GroupMemberOn, Done, "They get messages of this group again.";
    GroupMemberOff, Done, "They get no messages of this group until you turn them on.";
    BrandSaved, Done, "The brand is saved. The next e-mail has it.";
    LogoSaved, Done, "The logo is saved.";
    LogoRemoved, Done, "The logo is gone. E-mails show the name instead.";
    BankDetailsAsked, Done,
        "The new bank details wait. Every owner is told by e-mail, and a second one can agree.";
    BankDetailsAgreed, Done, "You agreed: the new bank details count from now on.";
    BankDetailsCalledOff, Done, "Called off. The bank details stay as they are.";
    MorningOn, Done, "You get the morning e-mail of this company.";
    MorningOff, Done, "You no longer get the morning e-mail of this company.";
    TenantSuspended, Done, "The company is suspended. Its people read the reason.";
    TenantReinstated, Done, "The company is reinstated. What waited goes out.";
    HookExists, Done, "The web address is there already.";
    StepOver, Refused, "That took too long, or too many codes. Sign in once more.";
    SignedUp, Done,
        "Your account is confirmed. Follow the steps below; nobody is written to until you go \
         live.";
    PasswordReset, Done, "Your password is changed. Sign in with it.";
    AccountSaved, Done, "Your name is saved.";
    EmailAsked, Done, "Check the e-mail at the new address: the link there makes it yours.";
    EmailChanged, Done, "Your new address is confirmed. Sign in with it from now on.";
    PasswordChanged, Done, "Your password is changed. Your other browsers are signed out.";
    SessionEnded, Done, "That browser is signed out.";
    SessionsEnded, Done, "All other browsers are signed out.";
    SignedOutEverywhere, Done, "You are signed out everywhere.";
    SecondFactorOff, Done, "The second factor is off.";
    Invited, Done, "The invitation is on its way.";
    InvitationRevoked, Done, "The invitation is taken back. Its link leads nowhere now.";
    RoleChanged, Done, "The role is changed.";
    MemberRemoved, Done, "They are out of the team and have no access any more.";
    Left, Done, "You left the company.";
    Joined, Done, "Welcome to the team.";
    LastOwner, Refused,
        "Nothing was changed: a company needs an owner. Make somebody else an owner first.";
    TokenRevoked, Done, "The token is revoked. Calls with it are refused.";
    Deleted, Done, "The company is deleted. What it had is being removed.";
    CompanyMade, Done,
        "The company is made. Follow the steps below; nobody is written to until you go live.";
    TestEventSent, Done, "The test event is sent. What becomes of it is listed below.";
    Live, Done, "You are live. Contacts are written to from now on.";
    LiveAlready, Done, "You are live already.";
    Rehearsing, Done, "You are in rehearsal. No contact is written to until you go live.";
    CodeSent, Done, "The code is on its way.";
    NumberConfirmed, Done, "The number is confirmed. What waited for it goes there now.";
    Suppressed, Done, "The address is not written to any more.";
    SuppressedAlready, Done, "This address is on the list already.";
    Lifted, Done, "The suppression is lifted.";
    PermissionAdded, Done, "The permission is noted.";
    PermissionKnown, Done, "This permission is noted already.";
    PermissionsImported, Done, "All lines are taken in. Those that were noted before stay as they are.";
    MessageWaits, Done, "The message waits until contacts may be written to; see below until when.";
}

impl Told {
    /// The note that a page shows.
    pub fn flash(self) -> Flash {
        Flash {
            kind: self.kind(),
            sentence: self.sentence().to_owned(),
        }
    }

    /// The cookie that bears it to the next page.
    pub fn cookie(self, url: &PublicUrl) -> Cookie<'static> {
        cookies::make(cookies::FLASH, self.key(), Duration::minutes(1), url)
    }

    /// What the last action left, if it is one of ours.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        Self::named(&cookies::value(request, cookies::FLASH)?)
    }

    fn named(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|told| told.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_words_can_be_told() {
        for &each in Told::ALL {
            assert_eq!(Told::named(each.key()), Some(each));
        }
        assert_eq!(Told::named("<b>You won</b>"), None);
    }
}
