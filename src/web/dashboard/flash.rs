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

/// Everything that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    SignedOut,
    Welcome,
    Stopped,
    Resumed,
    RuleSaved,
    RuleOn,
    RuleOff,
    RuleDeleted,
    EventReplayed,
    ReplayPending,
    MessageReplayed,
    Arrived,
    SentAgain,
    CalledOff,
    TwilioSaved,
    TwilioChecked,
    TwilioRefused,
    TwilioNotAsked,
    BooksConnected,
    BooksUnfinished,
    BooksChosen,
    BooksChecked,
    BooksRefused,
    BooksDisconnected,
    BooksNotTold,
    SettingsSaved,
    MorningOn,
    MorningOff,
    HookExists,
    StepOver,
    SignedUp,
    PasswordReset,
    AccountSaved,
    EmailAsked,
    EmailChanged,
    PasswordChanged,
    SessionEnded,
    SessionsEnded,
    SignedOutEverywhere,
    SecondFactorOff,
    Invited,
    InvitationRevoked,
    RoleChanged,
    MemberRemoved,
    Left,
    Joined,
    LastOwner,
    TokenRevoked,
    Deleted,
    TestEventSent,
}

impl Told {
    const ALL: [Self; 50] = [
        Self::SignedOut,
        Self::Welcome,
        Self::Stopped,
        Self::Resumed,
        Self::RuleSaved,
        Self::RuleOn,
        Self::RuleOff,
        Self::RuleDeleted,
        Self::EventReplayed,
        Self::ReplayPending,
        Self::MessageReplayed,
        Self::Arrived,
        Self::SentAgain,
        Self::CalledOff,
        Self::TwilioSaved,
        Self::TwilioChecked,
        Self::TwilioRefused,
        Self::TwilioNotAsked,
        Self::BooksConnected,
        Self::BooksUnfinished,
        Self::BooksChosen,
        Self::BooksChecked,
        Self::BooksRefused,
        Self::BooksDisconnected,
        Self::BooksNotTold,
        Self::SettingsSaved,
        Self::MorningOn,
        Self::MorningOff,
        Self::HookExists,
        Self::StepOver,
        Self::SignedUp,
        Self::PasswordReset,
        Self::AccountSaved,
        Self::EmailAsked,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::SignedOutEverywhere,
        Self::SecondFactorOff,
        Self::Invited,
        Self::InvitationRevoked,
        Self::RoleChanged,
        Self::MemberRemoved,
        Self::Left,
        Self::Joined,
        Self::LastOwner,
        Self::TokenRevoked,
        Self::Deleted,
        Self::TestEventSent,
    ];

    const fn key(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Welcome => "welcome",
            Self::Stopped => "stopped",
            Self::Resumed => "resumed",
            Self::RuleSaved => "rule-saved",
            Self::RuleOn => "rule-on",
            Self::RuleOff => "rule-off",
            Self::RuleDeleted => "rule-deleted",
            Self::EventReplayed => "event-replayed",
            Self::ReplayPending => "replay-pending",
            Self::MessageReplayed => "message-replayed",
            Self::Arrived => "arrived",
            Self::SentAgain => "sent-again",
            Self::CalledOff => "called-off",
            Self::TwilioSaved => "twilio-saved",
            Self::TwilioChecked => "twilio-checked",
            Self::TwilioRefused => "twilio-refused",
            Self::TwilioNotAsked => "twilio-not-asked",
            Self::BooksConnected => "books-connected",
            Self::BooksUnfinished => "books-unfinished",
            Self::BooksChosen => "books-chosen",
            Self::BooksChecked => "books-checked",
            Self::BooksRefused => "books-refused",
            Self::BooksDisconnected => "books-disconnected",
            Self::BooksNotTold => "books-not-told",
            Self::SettingsSaved => "settings-saved",
            Self::MorningOn => "morning-on",
            Self::MorningOff => "morning-off",
            Self::HookExists => "hook-exists",
            Self::StepOver => "step-over",
            Self::SignedUp => "signed-up",
            Self::PasswordReset => "password-reset",
            Self::AccountSaved => "account-saved",
            Self::EmailAsked => "email-asked",
            Self::EmailChanged => "email-changed",
            Self::PasswordChanged => "password-changed",
            Self::SessionEnded => "session-ended",
            Self::SessionsEnded => "sessions-ended",
            Self::SignedOutEverywhere => "signed-out-everywhere",
            Self::SecondFactorOff => "second-factor-off",
            Self::Invited => "invited",
            Self::InvitationRevoked => "invitation-revoked",
            Self::RoleChanged => "role-changed",
            Self::MemberRemoved => "member-removed",
            Self::Left => "left",
            Self::Joined => "joined",
            Self::LastOwner => "last-owner",
            Self::TokenRevoked => "token-revoked",
            Self::Deleted => "deleted",
            Self::TestEventSent => "test-event-sent",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::SignedOut => "You are signed out.",
            Self::Welcome => {
                "Company and account are made. The steps below lead to the first message."
            }
            Self::Stopped => "All sending is stopped. Messages are held until you resume it.",
            Self::Resumed => "Sending goes on, with the messages that were held.",
            Self::RuleSaved => "The rule is saved.",
            Self::RuleOn => "The rule is on.",
            Self::RuleOff => "The rule is off. It is not asked until you turn it on again.",
            Self::RuleDeleted => "The rule is deleted.",
            Self::EventReplayed => "The event was decided again with today's rules.",
            Self::ReplayPending => "The event will be decided again in a moment.",
            Self::MessageReplayed => "The message is on its way once more.",
            Self::Arrived => "Noted that it arrived. It is not sent again.",
            Self::SentAgain => "The message is sent again.",
            Self::CalledOff => "The message is called off.",
            Self::TwilioSaved => "The Twilio account is saved. Check it to see whether it works.",
            Self::TwilioChecked => "Twilio accepts the credentials.",
            Self::TwilioRefused => "Twilio does not accept this account. See below what it says.",
            Self::TwilioNotAsked => "Twilio could not be asked just now. Try again in a minute.",
            Self::BooksConnected => "Zoho Books is connected, for reading.",
            Self::BooksUnfinished => "Zoho gave access. Choose the organisation below to finish.",
            Self::BooksChosen => "The organisation of Zoho Books is chosen.",
            Self::BooksChecked => "Zoho Books lets us read.",
            Self::BooksRefused => "Zoho Books does not let us read. See below what it says.",
            Self::BooksDisconnected => "Zoho Books is disconnected. Webhooks go on as before.",
            Self::BooksNotTold => {
                "Our access is forgotten here, but Zoho could not be told. Remove it at Zoho too: \
                 My Account, Sessions, Connected Apps."
            }
            Self::MorningOn => "You get the morning letter of this company.",
            Self::MorningOff => "You no longer get the morning letter of this company.",
            Self::SettingsSaved => "The settings are saved.",
            Self::HookExists => "The web address is there already.",
            Self::StepOver => "That took too long, or too many codes. Sign in once more.",
            Self::SignedUp => {
                "Your account is confirmed. Follow the steps below; nobody is written to until you go live."
            }
            Self::PasswordReset => "Your password is changed. Sign in with it.",
            Self::AccountSaved => "Your name is saved.",
            Self::EmailAsked => {
                "Look into the mail of the new address: the link there makes it yours."
            }
            Self::EmailChanged => "Your new address is confirmed. Sign in with it from now on.",
            Self::PasswordChanged => {
                "Your password is changed. Your other browsers are signed out."
            }
            Self::SessionEnded => "That browser is signed out.",
            Self::SessionsEnded => "All other browsers are signed out.",
            Self::SignedOutEverywhere => "You are signed out everywhere.",
            Self::SecondFactorOff => "The second factor is off.",
            Self::Invited => "The invitation is on its way.",
            Self::InvitationRevoked => "The invitation is taken back. Its link leads nowhere now.",
            Self::RoleChanged => "The role is changed.",
            Self::MemberRemoved => "They are out of the team and have no access any more.",
            Self::Left => "You left the company.",
            Self::Joined => "Welcome to the team.",
            Self::LastOwner => {
                "Nothing was changed: a company needs an owner. Make somebody else an owner first."
            }
            Self::TokenRevoked => "The token is revoked. Calls with it are refused.",
            Self::Deleted => "The company is deleted. What it had is being removed.",
            Self::TestEventSent => "The test event is sent. What becomes of it is listed below.",
        }
    }

    /// The note that a page shows.
    pub fn flash(self) -> Flash {
        let kind = match self {
            Self::TwilioRefused
            | Self::TwilioNotAsked
            | Self::BooksRefused
            | Self::BooksNotTold
            | Self::StepOver
            | Self::LastOwner => FlashKind::Refused,
            _ => FlashKind::Done,
        };
        Flash {
            kind,
            sentence: self.sentence().to_owned(),
        }
    }

    /// The cookie that bears it to the next page.
    pub fn cookie(self, url: &PublicUrl) -> Cookie<'static> {
        cookies::make(cookies::FLASH, self.key(), Duration::minutes(1), url)
    }

    /// What the last action left, if it is one of ours.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        let cookie = request.cookie(cookies::FLASH)?;
        Self::ALL.into_iter().find(|t| t.key() == cookie.value())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_our_own_words_can_be_told() {
        let told = |value: &str| {
            let cookie = Cookie::new(cookies::FLASH, value.to_owned());
            Told::of(&TestRequest::default().cookie(cookie).to_http_request())
        };
        for each in Told::ALL {
            assert_eq!(told(each.key()), Some(each));
        }
        assert_eq!(told("<b>You won</b>"), None);
    }
}
