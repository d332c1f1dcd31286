//! A person's request in the tenant of the address. A foreign tenant and a missing one are both 404.
//!
//! [`TenantForm`] checks in one fixed order (session, tenant, role, form), so that a stranger learns
//! nothing from the kind of refusal.

use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use askama::Template;

use super::ability::Needs;
use super::client_addr::ClientAddr;
use super::csrf_form::{Extracting, Form, file_of_session, of_session};
use super::signed_in::SignedIn;
use crate::app::accounts::Member;
use crate::app::{App, AppError};
use crate::domain::actor::Actor;
use crate::domain::ids::TenantId;
use crate::domain::user::Ability;
use crate::web::areas::cookies;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::chrome::{Banner, Chrome, CompanyLink, Section};
use crate::web::on_main;

/// Who asks, and in which tenant.
pub struct TenantContext {
    pub who: SignedIn,
    pub member: Member,
    http: HttpRequest,
}

impl TenantContext {
    async fn of(http: HttpRequest) -> Result<Self, PageError> {
        let who = SignedIn::of(&http).await?;
        let slug = http.match_info().query("tenant").to_owned();
        let session = who.session.clone();
        let actor = Actor::named(&session.user.email).at(ClientAddr::of(&http));
        let member = on_main(&who.app, |app| async move {
            app.member(&session.user, &slug, &actor).await
        });
        let member = member.await?.ok_or(PageError::NotFound)?;
        Ok(Self { who, member, http })
    }

    /// Whose rows are shown.
    pub const fn tenant(&self) -> TenantId {
        self.member.tenant.id
    }

    /// Who acts, as the history will name them.
    pub fn actor(&self) -> Actor {
        let user = &self.who.session.user;
        Actor::named(&user.email)
            .who_is(user.id)
            .at(ClientAddr::of(&self.http))
    }

    /// What was asked, for what counts attempts by where they come from.
    pub const fn http(&self) -> &HttpRequest {
        &self.http
    }

    /// Whether the role reaches, for what only some of a page's viewers are shown.
    pub fn may(&self, ability: Ability) -> bool {
        self.member.role.may(ability)
    }

    /// An id of the address; one that is none of ours is not found.
    pub fn id<T: FromStr>(&self, name: &str) -> Result<T, PageError> {
        let text = self.http.match_info().query(name);
        text.parse().map_err(|_| PageError::NotFound)
    }

    /// The fields of the address's query.
    pub fn query(&self) -> Vec<(String, String)> {
        let pairs = form_urlencoded::parse(self.http.query_string().as_bytes());
        pairs
            .take(20)
            .map(|(n, v)| (n.into_owned(), v.replace('\0', "").trim().to_owned()))
            .collect()
    }

    /// One field of the address's query; empty when it is not there.
    pub fn asked(&self, name: &str) -> String {
        let mut found = self.query().into_iter().filter(|(n, _)| n == name);
        found.next().map_or_else(String::new, |(_, value)| value)
    }

    /// Asks the app.
    pub async fn ask<T, F, Fut>(&self, work: F) -> Result<T, PageError>
    where
        T: Send + 'static,
        F: FnOnce(App) -> Fut,
        Fut: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        Ok(on_main(&self.who.app, work).await?)
    }

    /// What every page of the tenant needs.
    pub async fn chrome(&self, section: Section) -> Result<Chrome, PageError> {
        let (session, id) = (self.who.session.clone(), self.tenant());
        let frame = self
            .ask(|app| async move { app.frame(&session.user, id).await })
            .await?;
        let tenant = &self.member.tenant;
        let mut banners = Vec::new();
        if self.who.app.is_sandboxed() {
            banners.push(Banner::Sandbox);
        }
        if tenant.is_suspended {
            banners.push(Banner::Suspended {
                why: tenant.suspended_for.clone(),
            });
        }
        if tenant.is_rehearsal {
            let to = self
                .ask(|app| async move { app.rehearsal_number(id).await })
                .await?;
            banners.push(Banner::Rehearsal {
                to: to.map(|number| number.masked()),
            });
        }
        if let Some((at, by)) = &tenant.stopped {
            banners.push(Banner::Stopped {
                by: (!by.is_empty()).then(|| by.clone()),
                at: *at,
            });
        }
        Ok(Chrome {
            tenant_name: tenant.name.clone(),
            slug: tenant.slug.clone(),
            user_name: self.who.session.user.name.clone(),
            role: self.member.role,
            can_switch: frame.can_switch,
            companies: frame.companies.into_iter().map(company_link).collect(),
            csrf: self.who.session.csrf.clone(),
            section,
            flash: Told::of(&self.http).map(Told::flash),
            banners,
            needs_you: frame.needs_you,
            providers: self.who.app.providers(),
            zone: tenant.zone,
            now: self.who.app.now(),
        })
    }

    /// The page; what the last action did is told once.
    pub fn page(
        &self,
        status: StatusCode,
        page: &impl Template,
    ) -> Result<HttpResponse, PageError> {
        let mut answer = HttpResponse::build(status);
        if cookies::value(&self.http, cookies::FLASH).is_some() {
            answer.cookie(cookies::end(cookies::FLASH, self.who.app.public_url()));
        }
        Ok(answer
            .content_type("text/html; charset=utf-8")
            .body(page.render()?))
    }

    /// Leads to a page of the tenant, which tells what was done.
    pub fn redirect_to(&self, below: &str, told: Option<Told>) -> HttpResponse {
        let to = format!("/t/{}{below}", self.member.tenant.slug);
        redirect(&to, told.map(|t| t.cookie(self.who.app.public_url())))
    }
}

fn company_link(of: Member) -> CompanyLink {
    CompanyLink {
        name: of.tenant.name,
        slug: of.tenant.slug,
        role: of.role,
    }
}

/// 303 to a path of ours.
pub fn redirect(to: &str, cookies: impl IntoIterator<Item = Cookie<'static>>) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, to));
    for cookie in cookies {
        answer.cookie(cookie);
    }
    answer.finish()
}

/// A request of somebody whose role has the ability `A`; every other is refused with 403.
pub struct TenantRequest<A> {
    context: TenantContext,
    ability: PhantomData<A>,
}

impl<A: Needs> TenantRequest<A> {
    async fn of(http: HttpRequest) -> Result<Self, PageError> {
        Self::allowed(TenantContext::of(http).await?)
    }

    /// By a membership, at an address that names no tenant.
    pub fn by_membership(
        who: SignedIn,
        member: Member,
        http: HttpRequest,
    ) -> Result<Self, PageError> {
        Self::allowed(TenantContext { who, member, http })
    }

    fn allowed(context: TenantContext) -> Result<Self, PageError> {
        if !context.may(A::ABILITY) {
            return Err(PageError::Role);
        }
        Ok(Self {
            context,
            ability: PhantomData,
        })
    }
}

impl<A> Deref for TenantRequest<A> {
    type Target = TenantContext;

    fn deref(&self) -> &TenantContext {
        &self.context
    }
}

impl<A: Needs> FromRequest for TenantRequest<A> {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(http: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::of(http.clone()))
    }
}

/// A form of somebody whose role has the ability `A`.
pub struct TenantForm<A> {
    pub request: TenantRequest<A>,
    pub form: Form,
}

impl<A: Needs> FromRequest for TenantForm<A> {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (http, payload) = (http.clone(), payload.take());
        Box::pin(async move {
            let request = TenantRequest::of(http).await?;
            let form = of_session(request.http(), payload, &request.who).await?;
            Ok(Self { request, form })
        })
    }
}

/// The same with a file.
pub struct TenantFile<A> {
    pub request: TenantRequest<A>,
    pub file: Vec<u8>,
}

impl<A: Needs> FromRequest for TenantFile<A> {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (http, payload) = (http.clone(), payload.take());
        Box::pin(async move {
            let request = TenantRequest::of(http).await?;
            let (_, file) = file_of_session(request.http(), payload, &request.who).await?;
            Ok(Self { request, file })
        })
    }
}

/// What tells the ability of a tenant's handler.
pub trait Requires {
    const ABILITY: Ability;
}

impl<A: Needs> Requires for TenantRequest<A> {
    const ABILITY: Ability = A::ABILITY;
}
impl<A: Needs> Requires for TenantForm<A> {
    const ABILITY: Ability = A::ABILITY;
}
impl<A: Needs> Requires for TenantFile<A> {
    const ABILITY: Ability = A::ABILITY;
}

/// The ability that a handler requires, by its type.
pub const fn ability_of<F, R, Fut>(_: &F) -> Ability
where
    F: Fn(R) -> Fut,
    R: Requires,
{
    R::ABILITY
}
