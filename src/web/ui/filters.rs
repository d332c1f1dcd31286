//! The one door from components into pages: `{{ pager|markup }}`.

use std::borrow::Borrow;

use askama::Values;
use askama::filters::Safe;
use maud::Markup;

/// Writes a component as it is. It accepts only `Markup` or `&Markup`, so a
/// text does not compile here.
#[askama::filter_fn]
pub fn markup(component: impl Borrow<Markup>, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(component.borrow().0.clone()))
}
