//! Brand and e-mail: how a tenant's e-mails look, and the bank details that they tell.

use askama::Template;
use maud::{Markup, html};

use crate::domain::bank_details::{BankDetails, CurrencyDetails};
use crate::domain::brand::{Accent, NIGHT, NIGHT_INK};
use crate::domain::brand_settings::BrandSettings;
use crate::domain::ids::UserId;
use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::field::{Choice, field};
use crate::web::ui::{badge, filters, icon, notice, time, tone::Tone};

/// `GET /t/{tenant}/brand`; posts `name`, `accent`, `postal_address`, `footer` and `signature` there, a `file` to
/// `/brand/logo`, nothing to `/brand/logo/removal`; `currency`, `text` and `code` to `/brand/bank-details`, `code`
/// to `…/{details}/agreement`, nothing to `…/{details}/cancellation`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/brand/index.html")]
pub struct BrandPage {
    pub chrome: Chrome,
    pub brand: BrandSettings,
    pub form: FormState,
    /// What was wrong with an upload.
    pub logo: FormState,
    pub bank: Bank,
}

/// The bank details of all currencies.
#[derive(Debug, Clone)]
pub struct Bank {
    /// In force or waiting, by currency.
    pub accounts: Vec<CurrencyDetails>,
    /// Who looks.
    pub reader: UserId,
    /// Whether they can type a code of a second factor.
    pub has_second_factor: bool,
    /// Whether owners can be told by e-mail.
    pub can_mail: bool,
    pub currencies: Vec<Choice>,
    /// What is being asked for.
    pub form: FormState,
    /// What stands against an agreement.
    pub refused: FormState,
}

impl BrandPage {
    fn may(&self) -> bool {
        self.chrome.may(Ability::ChangeSettings)
    }

    fn may_bank(&self) -> bool {
        self.chrome.may(Ability::ChangeBankDetails)
    }

    /// The accent as e-mails have it, by day and by night.
    fn swatches(&self) -> Markup {
        let accent = self.brand.accent.and_then(Accent::of).unwrap_or_default();
        let swatch = |x: u32, ground: String, fill: String, ink: String| {
            html! {
                rect x=(x) y="0" width="150" height="64" fill=(ground) {}
                rect x=(x + 20) y="14" width="110" height="36" rx="8" fill=(fill) {}
                text x=(x + 75) y="37" text-anchor="middle" font-size="14" font-weight="600" fill=(ink) { "Pay now" }
            }
        };
        html! {
            svg class="swatches" width="300" height="64" viewBox="0 0 300 64" role="img"
                aria-label="A button in this colour, by day and by night" {
                (swatch(0, "#ffffff".into(), accent.light.to_string(), "#ffffff".into()))
                (swatch(150, NIGHT.to_string(), accent.dark.to_string(), NIGHT_INK.to_string()))
            }
        }
    }

    /// The logo as it is shown, by day and by night.
    fn picture(&self) -> Markup {
        html! {
            @if let Some(logo) = &self.brand.logo {
                @let (width, height) = logo.size();
                div class="logo-grounds" {
                    div { img src=(logo.path()) width=(width) height=(height) alt="The logo by day"; }
                    div class="night" { img src=(logo.path()) width=(width) height=(height) alt="The logo by night"; }
                }
            } @else {
                p { "None yet: e-mails show the name in letters." }
            }
        }
    }

    fn remove_logo(&self) -> Markup {
        let action = self.chrome.path("/brand/logo/removal");
        act(&action, &self.chrome.csrf, "Remove")
            .class("button quiet")
            .render()
    }

    fn call_off(&self, of: &BankDetails) -> Markup {
        let action = self
            .chrome
            .path(&format!("/brand/bank-details/{}/cancellation", of.id));
        act(&action, &self.chrome.csrf, "Call it off")
            .class("button danger")
            .render()
    }

    fn agreement(&self, of: &BankDetails) -> String {
        self.chrome
            .path(&format!("/brand/bank-details/{}/agreement", of.id))
    }

    /// A code field of its own for each currency.
    fn agreement_code(of: &BankDetails) -> Markup {
        let id = format!("code-{}", of.id);
        html! {
            div class="field code" {
                label for=(id) { "Code of your second factor" }
                input id=(id) name="code" type="text" inputmode="numeric" autocomplete="one-time-code"
                    required spellcheck="false" autocapitalize="off";
            }
        }
    }

    fn text(of: &str) -> Markup {
        html! {
            @if of.is_empty() { p class="muted" { "None: e-mails in this currency tell none." } }
            @else { pre class="account-text" { (of) } }
        }
    }
}
