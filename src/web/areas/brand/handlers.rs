//! Brand and e-mail: how e-mails look, and the bank details that they tell.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::accounts::second_factor::Standing;
use crate::app::accounts::throttle::Gate;
use crate::app::bank_details::BankDetailsInput;
use crate::app::brand::BrandInput;
use crate::domain::bank_details::by_currency;
use crate::domain::brand_settings::BrandSettings;
use crate::domain::ids::BankDetailsId;
use crate::web::areas::brand::page::{Bank, BrandPage};
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::groups::handlers::refused;
use crate::web::areas::settings::page::currencies;
use crate::web::chrome::Section;
use crate::web::extract::ability::{ChangeBankDetails, ChangeSettings, View};
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{TenantContext, TenantFile, TenantForm, TenantRequest};
use crate::web::form::FormState;

/// What came back of the forms of the page.
#[derive(Default)]
struct Forms {
    brand: Option<FormState>,
    logo: FormState,
    bank: Option<FormState>,
    refused: FormState,
}

/// `GET /t/{tenant}/brand`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, Forms::default()).await
}

/// `POST /t/{tenant}/brand`.
pub(in crate::web) async fn save(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = BrandInput {
        name: form.get("name").to_owned(),
        accent: form.get("accent").to_owned(),
        postal_address: form.text("postal_address"),
        footer: form.text("footer"),
        signature: form.text("signature"),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let saved = request
        .ask(move |app| async move { app.save_brand(tenant, &input, &actor).await })
        .await;
    match refused(saved, &form, str::to_owned)? {
        Ok(()) => Ok(request.redirect_to("/brand", Some(Told::BrandSaved))),
        Err(state) => {
            let forms = Forms {
                brand: Some(state),
                ..Forms::default()
            };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, forms).await
        }
    }
}

/// `POST /t/{tenant}/brand/logo`.
pub(in crate::web) async fn upload(
    posted: TenantFile<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantFile { request, file } = posted;
    let (tenant, actor) = (request.tenant(), request.actor());
    let saved = request
        .ask(move |app| async move { app.save_logo(tenant, file, &actor).await })
        .await;
    match refused(saved, &Form::default(), |_| "file".to_owned())? {
        Ok(()) => Ok(request.redirect_to("/brand", Some(Told::LogoSaved))),
        Err(logo) => {
            let forms = Forms {
                logo,
                ..Forms::default()
            };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, forms).await
        }
    }
}

/// `POST /t/{tenant}/brand/logo/removal`.
pub(in crate::web) async fn remove_logo(
    posted: TenantForm<ChangeSettings>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, .. } = posted;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(move |app| async move { app.remove_logo(tenant, &actor).await })
        .await?;
    Ok(request.redirect_to("/brand", Some(Told::LogoRemoved)))
}

/// `POST /t/{tenant}/brand/bank-details`.
pub(in crate::web) async fn ask_bank_details(
    posted: TenantForm<ChangeBankDetails>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    admit(&request).await?;
    let input = BankDetailsInput {
        currency: form.get("currency").to_owned(),
        text: form.text("text"),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let (user, code) = (
        request.who.session.user.clone(),
        form.get("code").to_owned(),
    );
    let asked = request
        .ask(move |app| async move {
            app.ask_bank_details(tenant, &input, (&user, &code), &actor)
                .await
        })
        .await;
    match refused(asked, &form, str::to_owned)? {
        Ok(()) => Ok(request.redirect_to("/brand#bank", Some(Told::BankDetailsAsked))),
        Err(state) => {
            let forms = Forms {
                bank: Some(state),
                ..Forms::default()
            };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, forms).await
        }
    }
}

/// `POST /t/{tenant}/brand/bank-details/{details}/agreement`.
pub(in crate::web) async fn agree(
    posted: TenantForm<ChangeBankDetails>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    admit(&request).await?;
    let id: BankDetailsId = request.id("details")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let (user, code) = (
        request.who.session.user.clone(),
        form.get("code").to_owned(),
    );
    let agreed = request
        .ask(move |app| async move {
            app.agree_to_bank_details(tenant, id, (&user, &code), &actor)
                .await
        })
        .await;
    // Its field has a name of its own for each currency.
    match refused(agreed, &form, |_| format!("code-{id}"))? {
        Ok(()) => Ok(request.redirect_to("/brand#bank", Some(Told::BankDetailsAgreed))),
        Err(state) => {
            let why = state.errors().map(|(_, why)| why).next();
            let why = why.map(str::to_owned).or_else(|| state.summary());
            let mut refused = FormState::new();
            refused.refuse_all(why.unwrap_or_default());
            let forms = Forms {
                refused,
                ..Forms::default()
            };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, forms).await
        }
    }
}

/// `POST /t/{tenant}/brand/bank-details/{details}/cancellation`.
pub(in crate::web) async fn call_off(
    posted: TenantForm<ChangeBankDetails>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, .. } = posted;
    let id: BankDetailsId = request.id("details")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(move |app| async move { app.call_off_bank_details(tenant, id, &actor).await })
        .await?;
    Ok(request.redirect_to("/brand#bank", Some(Told::BankDetailsCalledOff)))
}

/// Codes are short: they are not typed as often as somebody likes.
async fn admit(request: &TenantContext) -> Result<(), PageError> {
    let account = request.who.session.user.id.to_string();
    entrance::handlers::admit(&request.who.app, request.http(), Gate::Own, &account).await
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    forms: Forms,
) -> Result<HttpResponse, PageError> {
    let (tenant, user) = (request.tenant(), request.who.session.user.clone());
    let reader = user.id;
    let (brand, details, factor, can_mail) = request
        .ask(move |app| async move {
            Ok((
                app.brand(tenant).await?,
                app.bank_details(tenant).await?,
                app.second_factor(&user).await?,
                app.can_mail(),
            ))
        })
        .await?;
    let currency = &request.member.tenant.currency;
    let bank = Bank {
        accounts: by_currency(&details, request.who.app.now()),
        reader,
        has_second_factor: matches!(factor, Standing::On { .. }),
        can_mail,
        currencies: currencies(),
        form: forms
            .bank
            .unwrap_or_else(|| FormState::new().with("currency", currency.as_str())),
        refused: forms.refused,
    };
    let page = BrandPage {
        chrome: request.chrome(Section::Settings).await?,
        form: forms.brand.unwrap_or_else(|| stored(&brand)),
        brand,
        logo: forms.logo,
        bank,
    };
    request.page(status, &page)
}

fn stored(brand: &BrandSettings) -> FormState {
    let accent = brand.accent.map(|c| c.to_string());
    FormState::new()
        .with("name", brand.name.as_str())
        .with("accent", accent.unwrap_or_default())
        .with("postal_address", brand.postal_address.as_str())
        .with("footer", brand.footer.as_str())
        .with("signature", brand.signature.as_str())
}
