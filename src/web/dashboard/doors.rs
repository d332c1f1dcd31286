//! Every address of the dashboard, with what lets somebody in. These lists are what is served, and
//! what the tests of tenancy and of web security walk: whoever adds an address here adds it there.

use actix_web::Scope;
use actix_web::web::{get, post};

use super::account::{self, email, password, second_factor, sessions};
use super::{
    books, brand, checklist, company, connections, deletion, event, groups, history, invitation,
    new_instance, operator, overview, permissions, rehearsal, replay, reset, rule_preview, rules,
    second_step, security_log, senders, session, settings, sign_up, suppressions, team, tokens,
    webhook_guide,
};
use crate::app::books::consent::CALLBACK_PATH;
use crate::domain::user::Ability;

/// One address and how it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Door<Needs> {
    /// `get` or `post`.
    pub method: &'static str,
    /// Below the tenant, or below the root.
    pub path: &'static str,
    pub needs: Needs,
}

/// What lets somebody in where no tenant is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Anyone,
    SignedIn,
    Operator,
}

/// Makes a list, and the function that serves it, from lines of method, path, what it needs, and
/// handler. Of two paths that fit, the first one answers.
macro_rules! doors {
    ($list:ident, $serve:ident, $needs:ident; $($method:ident $path:expr, $need:ident => $handler:path;)*) => {
        pub const $list: &[Door<$needs>] = &[
            $(Door { method: stringify!($method), path: $path, needs: $needs::$need },)*
        ];

        pub(super) fn $serve(scope: Scope) -> Scope {
            scope$(.route($path, $method().to($handler)))*
        }
    };
}

// Below `/t/{tenant}`; the ability is the least that the handler requires.
doors! { TENANT, tenant, Ability;
    get "", Look => overview::canonical;
    get "/", Look => overview::show;
    post "/stop-switch", StopSending => overview::switch;
    post "/checklist", Look => checklist::fold;
    get "/history", Look => history::show;
    get "/rejected", Look => history::rejected;
    post "/dealt", Replay => history::dealt;
    get "/events/{event}", Look => event::show;
    get "/events/{event}/replays/new", Replay => replay::ask_event;
    post "/events/{event}/replays", Replay => replay::event;
    get "/deliveries/{delivery}/replays/new", Replay => replay::ask_delivery;
    post "/deliveries/{delivery}/replays", Replay => replay::delivery;
    get "/deliveries/{delivery}/email", Look => event::email;
    get "/deliveries/{delivery}/replays/new/email", Replay => replay::delivery_email;
    get "/events/{event}/replays/new/email", Replay => replay::event_email;
    post "/deliveries/{delivery}/arrival", Replay => event::arrival;
    post "/deliveries/{delivery}/resending", Replay => event::resending;
    post "/deliveries/{delivery}/cancellation", Replay => event::cancellation;
    get "/rules", Look => rules::list;
    post "/rules", EditRules => rules::create;
    get "/rules/new", EditRules => rules::new;
    get "/rules/new/email", EditRules => rule_preview::ready;
    post "/rules/preview", EditRules => rules::preview;
    post "/rules/preview/email", EditRules => rule_preview::typed;
    get "/rules/{rule}/email", Look => rule_preview::saved;
    get "/rules/{rule}", Look => rules::edit;
    post "/rules/{rule}", EditRules => rules::update;
    post "/rules/{rule}/activation", EditRules => rules::activation;
    post "/rules/{rule}/position", EditRules => rules::position;
    get "/rules/{rule}/deletion/new", EditRules => rules::ask_deletion;
    post "/rules/{rule}/deletion", EditRules => rules::deletion;
    get "/connections", Look => connections::show;
    post "/connections/hook", Connect => connections::hook;
    get "/connections/set-up", Look => webhook_guide::show;
    get "/connections/set-up/requests", Look => webhook_guide::list;
    post "/connections/set-up/tests", Connect => webhook_guide::test;
    post "/connections/twilio", Connect => connections::twilio;
    post "/connections/books", Connect => books::connect;
    post "/connections/books/consent", Connect => books::begin;
    get "/connections/books/disconnection/new", Connect => books::ask_disconnection;
    post "/connections/books/disconnection", Connect => books::disconnect;
    post "/connections/{connection}/secret", Connect => connections::secret;
    post "/connections/{connection}/checks", Connect => connections::check;
    get "/senders", Look => senders::list;
    post "/senders", Connect => senders::add;
    get "/senders/{sender}", Look => senders::show;
    post "/senders/{sender}", Connect => senders::update;
    post "/senders/{sender}/tests", Connect => senders::test;
    post "/senders/{sender}/deletion", Connect => senders::delete;
    get "/groups", Look => groups::list;
    post "/groups", EditGroups => groups::add;
    get "/groups/{group}", Look => groups::show;
    post "/groups/{group}", EditGroups => groups::rename;
    post "/groups/{group}/members", EditGroups => groups::add_member;
    get "/groups/{group}/members/{person}", EditGroups => groups::edit_member;
    post "/groups/{group}/members/{person}", EditGroups => groups::save_member;
    post "/groups/{group}/members/{person}/activation", EditGroups => groups::switch_member;
    post "/groups/{group}/members/{person}/removal", EditGroups => groups::remove_member;
    get "/groups/{group}/deletion/new", EditGroups => groups::ask_deletion;
    post "/groups/{group}/deletion", EditGroups => groups::delete;
    get "/settings", Look => settings::show;
    get "/brand", Look => brand::show;
    post "/brand", ChangeSettings => brand::save;
    post "/brand/logo", ChangeSettings => brand::upload;
    post "/brand/logo/removal", ChangeSettings => brand::remove_logo;
    post "/brand/bank-details", ChangeBankDetails => brand::ask_bank_details;
    post "/brand/bank-details/{details}/agreement", ChangeBankDetails => brand::agree;
    post "/brand/bank-details/{details}/cancellation", ChangeBankDetails => brand::call_off;
    get "/team", Look => team::show;
    post "/team/invitations", ManageTeam => team::invite;
    post "/team/invitations/{invitation}/revocation", ManageTeam => team::revoke;
    post "/team/{member}/role", ManageTeam => team::role;
    // Of others; anybody may take themselves out.
    get "/team/{member}/removal/new", ManageTeam => team::ask_removal;
    post "/team/{member}/removal", ManageTeam => team::removal;
    get "/tokens", ManageTokens => tokens::show;
    post "/tokens", ManageTokens => tokens::make;
    post "/tokens/{token}/revocation", ManageTokens => tokens::revoke;
    get "/security-log", ReadSecurityLog => security_log::show;
    get "/deletion/new", DeleteTenant => deletion::ask;
    post "/deletion", DeleteTenant => deletion::delete;
    post "/settings", ChangeSettings => settings::save;
    post "/settings/morning-mail", Look => settings::morning;
    post "/settings/hours", ChangeSettings => settings::save_hours;
    get "/go-live", Look => rehearsal::ask_live;
    post "/go-live", GoLive => rehearsal::go_live;
    get "/rehearsal", GoLive => rehearsal::ask_back;
    post "/rehearsal", GoLive => rehearsal::back;
    get "/own-number", ConfirmNumber => rehearsal::own_number;
    post "/own-number", ConfirmNumber => rehearsal::send_code;
    post "/own-number/confirmation", ConfirmNumber => rehearsal::confirm_number;
    get "/suppressions", Look => suppressions::list;
    post "/suppressions", Suppress => suppressions::add;
    get "/suppressions/{suppression}/lifting/new", Suppress => suppressions::ask_lifting;
    post "/suppressions/{suppression}/lifting", Suppress => suppressions::lift;
    get "/permissions", Look => permissions::list;
    post "/permissions", ChangeSettings => permissions::add;
    post "/permissions/import", ChangeSettings => permissions::import;
    post "/permissions/export", ChangeSettings => permissions::export;
    get "/replies", Look => suppressions::replies;
    post "/replies/{reply}/seen", Suppress => suppressions::see;
    post "/replies/{reply}/stop", Suppress => suppressions::stop_writing;
    post "/replies/{reply}/go-on", Suppress => suppressions::go_on;
}

// Below the root.
doors! { OUTSIDE, outside, Entry;
    get "/", Anyone => session::landing;
    get "/sign-in", Anyone => session::show;
    post "/sign-in", Anyone => session::sign_in;
    get "/sign-in/second-step", Anyone => second_step::show;
    post "/sign-in/second-step", Anyone => second_step::pass;
    get "/sign-up", Anyone => sign_up::show;
    post "/sign-up", Anyone => sign_up::ask;
    get "/sign-up/{token}", Anyone => sign_up::confirm;
    post "/sign-up/{token}", Anyone => sign_up::complete;
    get "/reset", Anyone => reset::show;
    post "/reset", Anyone => reset::ask;
    get "/reset/{token}", Anyone => reset::choose;
    post "/reset/{token}", Anyone => reset::change;
    get "/e-mail/{token}", Anyone => email::confirm;
    post "/e-mail/{token}", Anyone => email::change;
    get "/invitations/{token}", Anyone => invitation::show;
    post "/invitations/{token}", Anyone => invitation::accept;
    post "/sign-out", SignedIn => session::sign_out;
    get "/setup", Anyone => new_instance::show;
    post "/setup", Anyone => new_instance::make;
    get "/tenants", SignedIn => session::tenants;
    get "/tenants/new", SignedIn => company::show;
    post "/tenants/new", SignedIn => company::make;
    get "/account", SignedIn => account::show;
    post "/account/name", SignedIn => account::rename;
    get "/account/email", SignedIn => email::show;
    post "/account/email", SignedIn => email::ask;
    get "/account/password", SignedIn => password::show;
    post "/account/password", SignedIn => password::change;
    post "/account/sessions/revocation", SignedIn => sessions::revoke_all;
    post "/account/sessions/{session}/revocation", SignedIn => sessions::revoke;
    get "/account/second-factor", SignedIn => second_factor::show;
    post "/account/second-factor", SignedIn => second_factor::begin;
    post "/account/second-factor/confirmation", SignedIn => second_factor::confirm;
    post "/account/second-factor/recovery-codes", SignedIn => second_factor::renew_codes;
    get "/account/second-factor/removal/new", SignedIn => second_factor::ask_removal;
    post "/account/second-factor/removal", SignedIn => second_factor::remove;
    get "/operator", Operator => operator::tenants;
    get "/operator/queue", Operator => operator::queue;
    get "/operator/workers", Operator => operator::workers;
    get "/operator/tenants/{tenant}", Operator => operator::tenant;
    post "/operator/tenants/{tenant}/suspension", Operator => operator::suspend;
    post "/operator/tenants/{tenant}/reinstatement", Operator => operator::reinstate;
    get CALLBACK_PATH, SignedIn => books::callback;
}
