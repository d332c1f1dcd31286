//! How two values of a template compare: numbers by size, whatever their form, all else by its words.

use std::cmp::Ordering;

use super::syntax::Relation;
use super::value::{Rendered, Val};

pub(super) fn compare(relation: Relation, left: &Val<'_>, right: &Val<'_>) -> Rendered<bool> {
    Ok(match relation {
        Relation::Eq => equal(left, right)?,
        Relation::Ne => !equal(left, right)?,
        Relation::Lt => order(left, right).is_some_and(Ordering::is_lt),
        Relation::Lte => order(left, right).is_some_and(Ordering::is_le),
        Relation::Gt => order(left, right).is_some_and(Ordering::is_gt),
        Relation::Gte => order(left, right).is_some_and(Ordering::is_ge),
        Relation::In => is_in(left, right)?,
        Relation::NotIn => !is_in(left, right)?,
    })
}

fn equal(left: &Val<'_>, right: &Val<'_>) -> Rendered<bool> {
    let is_number = |of: &Val<'_>| matches!(of, Val::Number(_) | Val::Money(..));
    let is_number = is_number(left) || is_number(right);
    if is_number && let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
        return Ok(left == right);
    }
    Ok(match (left, right) {
        (Val::Bool(left), Val::Bool(right)) => left == right,
        (Val::Bool(_), _) | (_, Val::Bool(_)) => false,
        _ => left.words()? == right.words()?,
    })
}

/// Numbers by size, texts by letters; what cannot be compared is neither more nor less.
fn order(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        (Val::Text(left), Val::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn is_in(needle: &Val<'_>, hay: &Val<'_>) -> Rendered<bool> {
    if let Some(items) = hay.items() {
        for item in &items {
            if equal(needle, item)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let needle = needle.words()?;
    Ok(!needle.is_empty() && hay.words()?.contains(needle.as_ref()))
}
