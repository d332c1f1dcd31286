//! Runs a lowered template over the facts of an event.
//!
//! A missing or blank value is never an error: it renders as nothing, is false, and equals `""`.
//! Each step costs one of [`MAX_STEPS`], and each 64 bytes of a text that is touched one more.

use std::borrow::Cow;

use serde_json::Value;

use super::compare::compare;
use super::filters::Filter;
use super::marked::{MAX_MARKED_BYTES, Marked, is_mark, mark_of};
use super::problem::{MAX_TEXT_BYTES, RenderProblem};
use super::syntax::{Expr, Node};
use super::value::{BYTES_PER_STEP, Rendered, Val, clean};
use crate::domain::rule::{Fact, Facts};

const MAX_STEPS: usize = 50_000;
/// Fills `nodes` in.
pub(super) fn render(nodes: &[Node], facts: &Facts<'_>) -> Rendered<String> {
    let mut run = Run::new(facts, MAX_TEXT_BYTES);
    run.body(nodes)?;
    Ok(run.out.trim().to_owned())
}

/// Fills `nodes` in with a mark in place of each value, so that none is read as a part of the text.
pub(super) fn render_marked(nodes: &[Node], facts: &Facts<'_>) -> Rendered<Marked> {
    let mut run = Run::new(facts, MAX_MARKED_BYTES);
    run.marked = Some(Vec::new());
    run.body(nodes)?;
    Ok(Marked {
        text: run.out.trim().to_owned(),
        values: run.marked.unwrap_or_default(),
    })
}

struct Run<'r, 'a> {
    facts: &'r Facts<'a>,
    out: String,
    /// The values that stand apart, where they do.
    marked: Option<Vec<String>>,
    /// Bytes written, values that stand apart included.
    written: usize,
    most: usize,
    steps: usize,
    /// Loop targets and `loop`, the innermost last.
    scope: Vec<(&'r str, Val<'a>)>,
}

impl<'r, 'a: 'r> Run<'r, 'a> {
    fn new(facts: &'r Facts<'a>, most: usize) -> Self {
        Self {
            facts,
            out: String::new(),
            marked: None,
            written: 0,
            most,
            steps: MAX_STEPS,
            scope: Vec::new(),
        }
    }

    fn body(&mut self, nodes: &'r [Node]) -> Rendered<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &'r Node) -> Rendered<()> {
        self.spend(1)?;
        match node {
            Node::Text(text) => {
                self.pay_for(text)?;
                match self.marked {
                    // Nobody types a mark.
                    Some(_) => self
                        .out
                        .extend(clean(text).chars().filter(|c| !is_mark(*c))),
                    None => self.out.push_str(&clean(text)),
                }
                Ok(())
            }
            Node::Emit(expr) => {
                let value = self.expr(expr)?;
                self.value(&value.words()?)
            }
            Node::If { test, yes, no } => {
                let branch = if self.expr(test)?.is_true() { yes } else { no };
                self.body(branch)
            }
            Node::For {
                target,
                list,
                test,
                body,
                otherwise,
            } => {
                let mut items = self.expr(list)?.items().unwrap_or_default();
                if let Some(test) = test {
                    let mut kept = Vec::with_capacity(items.len());
                    for item in items {
                        self.scope.push((target, item));
                        let holds = self.expr(test)?.is_true();
                        if let Some((_, item)) = self.scope.pop()
                            && holds
                        {
                            kept.push(item);
                        }
                    }
                    items = kept;
                }
                if items.is_empty() {
                    return self.body(otherwise);
                }
                let length = items.len();
                for (index, item) in items.into_iter().enumerate() {
                    self.scope.push(("loop", Val::Loop { index, length }));
                    self.scope.push((target, item));
                    self.body(body)?;
                    self.scope.truncate(self.scope.len() - 2);
                }
                Ok(())
            }
        }
    }

    fn expr(&mut self, expr: &'r Expr) -> Rendered<Val<'a>> {
        self.spend(1)?;
        let value = match expr {
            Expr::Name(name) => self.name(name),
            Expr::Part(of, name) => {
                let of = self.expr(of)?;
                self.part(&of, name)
            }
            Expr::Item(of, index) => {
                let items = self.expr(of)?.items().unwrap_or_default();
                items.into_iter().nth(*index).unwrap_or(Val::Missing)
            }
            Expr::Text(text) => Val::owned(clean(text).into_owned())?,
            Expr::Number(text) => Val::Number(Cow::Owned(text.clone())),
            Expr::Bool(yes) => Val::Bool(*yes),
            Expr::Nothing => Val::Missing,
            Expr::List(items) => {
                let items = items.iter().map(|item| self.expr(item));
                Val::List(items.collect::<Rendered<_>>()?)
            }
            Expr::Not(expr) => Val::Bool(!self.expr(expr)?.is_true()),
            Expr::And(left, right) => {
                let left = self.expr(left)?;
                if left.is_true() {
                    self.expr(right)?
                } else {
                    left
                }
            }
            Expr::Or(left, right) => {
                let left = self.expr(left)?;
                if left.is_true() {
                    left
                } else {
                    self.expr(right)?
                }
            }
            Expr::Compare(first, chain) => {
                let mut left = self.expr(first)?;
                let mut holds = true;
                for (relation, right) in chain {
                    let right = self.expr(right)?;
                    holds = holds && compare(*relation, &left, &right)?;
                    left = right;
                }
                Val::Bool(holds)
            }
            Expr::Choose { test, yes, no } => {
                if self.expr(test)?.is_true() {
                    self.expr(yes)?
                } else {
                    self.expr(no)?
                }
            }
            Expr::IsGiven(expr) => Val::Bool(!self.expr(expr)?.is_missing()),
            Expr::Filter(Filter::Default(fallback), input) => {
                let value = self.expr(input)?;
                if value.is_missing() {
                    self.expr(fallback)?
                } else {
                    value
                }
            }
            Expr::Filter(filter, input) => {
                let value = self.expr(input)?;
                filter.apply(value, self.facts.currency)?
            }
        };
        self.spend(value.cost())?;
        Ok(value)
    }

    fn name(&self, name: &str) -> Val<'a> {
        let in_scope = self.scope.iter().rev().find(|(known, _)| *known == name);
        match in_scope {
            Some((_, value)) => value.clone(),
            None if name == "contact" => Val::Contact,
            None => Val::field(name, self.facts.get(name), self.facts.currency),
        }
    }

    fn part(&self, of: &Val<'a>, name: &str) -> Val<'a> {
        match of {
            Val::Nested(Value::Object(parts)) => {
                let fact = parts.get(name).and_then(Fact::json);
                Val::field(name, fact, self.facts.currency)
            }
            Val::Contact => Val::of(self.facts.get(&format!("contact.{name}"))),
            Val::Loop { index, length } => match name {
                "index" => Val::count(index + 1),
                "index0" => Val::count(*index),
                "first" => Val::Bool(*index == 0),
                "last" => Val::Bool(index + 1 == *length),
                "length" => Val::count(*length),
                _ => Val::Missing,
            },
            _ => Val::Missing,
        }
    }

    fn value(&mut self, words: &str) -> Rendered<()> {
        self.pay_for(words)?;
        let words = clean(words);
        match &mut self.marked {
            None => self.out.push_str(&words),
            Some(_) if words.trim().is_empty() => {}
            Some(values) => {
                self.out
                    .push(mark_of(values.len()).ok_or(RenderProblem::TooMuchWork)?);
                values.push(words.into_owned());
            }
        }
        Ok(())
    }

    fn pay_for(&mut self, text: &str) -> Rendered<()> {
        self.spend(text.len() / BYTES_PER_STEP)?;
        self.written += text.len();
        if self.written > self.most {
            return Err(RenderProblem::TooLong);
        }
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Rendered<()> {
        self.steps = self
            .steps
            .checked_sub(steps)
            .ok_or(RenderProblem::TooMuchWork)?;
        Ok(())
    }
}
