//! Every address of the dashboard, with what lets somebody in. These lists are what is served, and
//! what the tests of tenancy and of web security walk: whoever adds an address here adds it there.

use actix_web::Scope;
use actix_web::web::{get, post};

use super::account::{self, email, password, second_factor, sessions};
use super::session;
use crate::app::connections::zoho_connection::consent::CALLBACK_PATH;
use crate::domain::user::Ability;
use crate::web::areas::connections::{webhook_guide, zoho_connection};
use crate::web::areas::entrance::{invitation, new_instance, reset, second_step, sign_up};
use crate::web::areas::overview::checklist;
use crate::web::areas::settings::{company, deletion, tokens};
use crate::web::areas::{
    brand, connections, event, groups, history, operator, overview, permissions, rehearsal, replay,
    rules, security, senders, settings, suppressions, team,
};
use crate::web::extract::tenant::ability_of;

/// One address and how it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Route<Needs> {
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
macro_rules! routes {
    ($list:ident, $serve:ident, $needs:ident; $($method:ident $path:expr, $need:ident => $handler:path;)*) => {
        pub const $list: &[Route<$needs>] = &[
            $(Route { method: stringify!($method), path: $path, needs: $needs::$need },)*
        ];

        pub(in crate::web) fn $serve(scope: Scope) -> Scope {
            scope$(.route($path, $method().to($handler)))*
        }
    };
}

/// The same below the tenant, where a line that names another ability than its handler's type does
/// not compile.
macro_rules! tenant_routes {
    ($($method:ident $path:expr, $need:ident => $handler:path;)*) => {
        routes! { TENANT, tenant, Ability; $($method $path, $need => $handler;)* }

        const _: () = {
            $(assert!(
                ability_of(&$handler) as u8 == Ability::$need as u8,
                "{}",
                concat!("the handler of ", $path, " requires another ability than ", stringify!($need))
            );)*
        };
    };
}

// Below `/t/{tenant}`.
tenant_routes! {
    get "", View => overview::handlers::canonical;
    get "/", View => overview::handlers::show;
    post "/stop-switch", StopSending => overview::handlers::switch;
    post "/checklist", View => checklist::fold;
    get "/history", View => history::handlers::show;
    get "/rejected", View => history::handlers::rejected;
    post "/dealt", Replay => history::handlers::dealt;
    get "/events/{event}", View => event::handlers::show;
    get "/events/{event}/replays/new", Replay => replay::handlers::ask_event;
    post "/events/{event}/replays", Replay => replay::handlers::event;
    get "/deliveries/{delivery}/replays/new", Replay => replay::handlers::ask_delivery;
    post "/deliveries/{delivery}/replays", Replay => replay::handlers::delivery;
    get "/deliveries/{delivery}/email", View => event::handlers::email;
    get "/deliveries/{delivery}/replays/new/email", Replay => replay::handlers::delivery_email;
    get "/events/{event}/replays/new/email", Replay => replay::handlers::event_email;
    post "/deliveries/{delivery}/arrival", Replay => event::handlers::arrival;
    post "/deliveries/{delivery}/resending", Replay => event::handlers::resending;
    post "/deliveries/{delivery}/cancellation", Replay => event::handlers::cancellation;
    get "/rules", View => rules::handlers::list;
    post "/rules", EditRules => rules::handlers::create;
    get "/rules/new", EditRules => rules::handlers::new;
    get "/rules/new/email", EditRules => rules::preview::ready;
    post "/rules/preview", EditRules => rules::handlers::preview;
    post "/rules/preview/email", EditRules => rules::preview::typed;
    get "/rules/{rule}/email", View => rules::preview::saved;
    get "/rules/{rule}", View => rules::handlers::edit;
    post "/rules/{rule}", EditRules => rules::handlers::update;
    post "/rules/{rule}/activation", EditRules => rules::handlers::activation;
    post "/rules/{rule}/position", EditRules => rules::handlers::position;
    get "/rules/{rule}/deletion/new", EditRules => rules::handlers::ask_deletion;
    post "/rules/{rule}/deletion", EditRules => rules::handlers::deletion;
    get "/connections", View => connections::handlers::show;
    post "/connections/hook", Connect => connections::handlers::hook;
    get "/connections/set-up", View => webhook_guide::show;
    get "/connections/set-up/requests", View => webhook_guide::list;
    post "/connections/set-up/tests", Connect => webhook_guide::test;
    post "/connections/twilio", Connect => connections::handlers::twilio;
    post "/connections/books", Connect => zoho_connection::connect;
    post "/connections/books/consent", Connect => zoho_connection::begin;
    get "/connections/books/disconnection/new", Connect => zoho_connection::ask_disconnection;
    post "/connections/books/disconnection", Connect => zoho_connection::disconnect;
    post "/connections/{connection}/secret", Connect => connections::handlers::secret;
    post "/connections/{connection}/checks", Connect => connections::handlers::check;
    get "/senders", View => senders::handlers::list;
    post "/senders", Connect => senders::handlers::add;
    get "/senders/{sender}", View => senders::handlers::show;
    post "/senders/{sender}", Connect => senders::handlers::update;
    post "/senders/{sender}/tests", Connect => senders::handlers::test;
    post "/senders/{sender}/deletion", Connect => senders::handlers::delete;
    get "/groups", View => groups::handlers::list;
    post "/groups", EditGroups => groups::handlers::add;
    get "/groups/{group}", View => groups::handlers::show;
    post "/groups/{group}", EditGroups => groups::handlers::rename;
    post "/groups/{group}/members", EditGroups => groups::handlers::add_member;
    get "/groups/{group}/members/{person}", EditGroups => groups::handlers::edit_member;
    post "/groups/{group}/members/{person}", EditGroups => groups::handlers::save_member;
    post "/groups/{group}/members/{person}/activation", EditGroups => groups::handlers::switch_member;
    post "/groups/{group}/members/{person}/removal", EditGroups => groups::handlers::remove_member;
    get "/groups/{group}/deletion/new", EditGroups => groups::handlers::ask_deletion;
    post "/groups/{group}/deletion", EditGroups => groups::handlers::delete;
    get "/settings", View => settings::handlers::show;
    get "/brand", View => brand::handlers::show;
    post "/brand", ChangeSettings => brand::handlers::save;
    post "/brand/logo", ChangeSettings => brand::handlers::upload;
    post "/brand/logo/removal", ChangeSettings => brand::handlers::remove_logo;
    post "/brand/bank-details", ChangeBankDetails => brand::handlers::ask_bank_details;
    post "/brand/bank-details/{details}/agreement", ChangeBankDetails => brand::handlers::agree;
    post "/brand/bank-details/{details}/cancellation", ChangeBankDetails => brand::handlers::call_off;
    get "/team", View => team::handlers::show;
    post "/team/invitations", ManageTeam => team::handlers::invite;
    post "/team/invitations/{invitation}/revocation", ManageTeam => team::handlers::revoke;
    post "/team/{member}/role", ManageTeam => team::handlers::role;
    // Of oneself; the team's others are removed by whoever may `ManageTeam`.
    get "/team/{member}/removal/new", View => team::handlers::ask_removal;
    post "/team/{member}/removal", View => team::handlers::removal;
    get "/tokens", ManageTokens => tokens::show;
    post "/tokens", ManageTokens => tokens::make;
    post "/tokens/{token}/revocation", ManageTokens => tokens::revoke;
    get "/security-log", ReadSecurityLog => security::handlers::show;
    get "/deletion/new", DeleteTenant => deletion::ask;
    post "/deletion", DeleteTenant => deletion::delete;
    post "/settings", ChangeSettings => settings::handlers::save;
    post "/settings/morning-mail", View => settings::handlers::morning;
    post "/settings/hours", ChangeSettings => settings::handlers::save_hours;
    get "/go-live", View => rehearsal::handlers::ask_live;
    post "/go-live", GoLive => rehearsal::handlers::go_live;
    get "/rehearsal", GoLive => rehearsal::handlers::ask_back;
    post "/rehearsal", GoLive => rehearsal::handlers::back;
    get "/own-number", ConfirmNumber => rehearsal::handlers::own_number;
    post "/own-number", ConfirmNumber => rehearsal::handlers::send_code;
    post "/own-number/confirmation", ConfirmNumber => rehearsal::handlers::confirm_number;
    get "/suppressions", View => suppressions::handlers::list;
    post "/suppressions", Suppress => suppressions::handlers::add;
    get "/suppressions/{suppression}/lifting/new", Suppress => suppressions::handlers::ask_lifting;
    post "/suppressions/{suppression}/lifting", Suppress => suppressions::handlers::lift;
    get "/permissions", View => permissions::handlers::list;
    post "/permissions", ChangeSettings => permissions::handlers::add;
    post "/permissions/import", ChangeSettings => permissions::handlers::import;
    post "/permissions/export", ChangeSettings => permissions::handlers::export;
    get "/replies", View => suppressions::handlers::replies;
    post "/replies/{reply}/seen", Suppress => suppressions::handlers::see;
    post "/replies/{reply}/stop", Suppress => suppressions::handlers::stop_writing;
    post "/replies/{reply}/go-on", Suppress => suppressions::handlers::go_on;
}

// Below the root.
routes! { OUTSIDE, outside, Entry;
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
    get "/operator", Operator => operator::handlers::tenants;
    get "/operator/queue", Operator => operator::handlers::queue;
    get "/operator/workers", Operator => operator::handlers::workers;
    get "/operator/tenants/{tenant}", Operator => operator::handlers::tenant;
    post "/operator/tenants/{tenant}/suspension", Operator => operator::handlers::suspend;
    post "/operator/tenants/{tenant}/reinstatement", Operator => operator::handlers::reinstate;
    get CALLBACK_PATH, SignedIn => zoho_connection::callback;
}
