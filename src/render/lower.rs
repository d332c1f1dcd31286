//! From minijinja's tree to our language; what has no place in it is refused by name.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, UnaryOpKind};
use minijinja::value::ValueKind;

use super::filters::{self, Filter};
use super::problem::TemplateProblem;
use super::scan::AloneTag;
use super::syntax::{Expr, Node, Relation};
use crate::domain::decimal;
use crate::domain::document::DocumentKind;
use crate::domain::rule::{is_known, suggest};

const CONTACT_PARTS: [&str; 6] = [
    "name",
    "first_name",
    "last_name",
    "email",
    "phone",
    "mobile",
];
const LOOP_PARTS: [&str; 5] = ["index", "index0", "first", "last", "length"];

type Lowered<T> = Result<T, TemplateProblem>;

/// Lowers one template; knows the names in scope.
pub(super) struct Lowering {
    kind: DocumentKind,
    alone: Vec<AloneTag>,
    /// The targets of the loops around.
    targets: Vec<String>,
}

impl Lowering {
    pub(super) fn new(kind: DocumentKind, alone: Vec<AloneTag>) -> Self {
        Self {
            kind,
            alone,
            targets: Vec::new(),
        }
    }

    pub(super) fn template(mut self, tree: &ast::Stmt<'_>) -> Lowered<Vec<Node>> {
        match tree {
            ast::Stmt::Template(template) => self.body(&template.children),
            _ => Err(TemplateProblem {
                line: 1,
                column: None,
                message: "cannot be read".to_owned(),
            }),
        }
    }

    fn body(&mut self, statements: &[ast::Stmt<'_>]) -> Lowered<Vec<Node>> {
        statements
            .iter()
            .map(|statement| self.statement(statement))
            .collect()
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>) -> Lowered<Node> {
        match statement {
            ast::Stmt::EmitRaw(raw) => Ok(Node::Text(self.raw(raw.raw, raw.span()))),
            ast::Stmt::EmitExpr(emit) => Ok(Node::Emit(self.expr(&emit.expr)?)),
            ast::Stmt::IfCond(cond) => Ok(Node::If {
                test: self.expr(&cond.expr)?,
                yes: self.body(&cond.true_body)?,
                no: self.body(&cond.false_body)?,
            }),
            ast::Stmt::ForLoop(each) => self.for_loop(each, each.span()),
            // The scan has refused every other tag; this stays in case the parser learns new ones.
            _ => Err(TemplateProblem {
                line: 1,
                column: None,
                message: "tags are if, elif, else and for".to_owned(),
            }),
        }
    }

    /// Literal text, without the line of a tag that stands alone on it.
    fn raw(&self, raw: &str, span: Span) -> String {
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        let mut text = raw;
        if self.alone.iter().any(|tag| tag.end == start)
            && let Some((blank, rest)) = text.split_once('\n')
            && blank.trim().is_empty()
        {
            text = rest;
        }
        if self.alone.iter().any(|tag| tag.start == end) {
            text = text.trim_end_matches([' ', '\t']);
        }
        text.to_owned()
    }

    fn for_loop(&mut self, each: &ast::ForLoop<'_>, span: Span) -> Lowered<Node> {
        if each.recursive {
            return Err(TemplateProblem::at(
                span,
                "recursive loops are not available",
            ));
        }
        let ast::Expr::Var(target) = &each.target else {
            let message = "a loop has one name, as in {% for item in line_items %}";
            return Err(TemplateProblem::at(span, message));
        };
        let list = self.expr(&each.iter)?;
        if matches!(
            list,
            Expr::Text(_) | Expr::Number(_) | Expr::Bool(_) | Expr::Nothing
        ) {
            let message = "a loop needs a list, as in {% for item in line_items %}";
            return Err(TemplateProblem::at(each.iter.span(), message));
        }
        self.targets.push(target.id.to_owned());
        let test = each
            .filter_expr
            .as_ref()
            .map(|test| self.expr(test))
            .transpose();
        let body = test.and_then(|test| Ok((test, self.body(&each.body)?)));
        self.targets.pop();
        let (test, body) = body?;
        let otherwise = self.body(&each.else_body)?;
        Ok(Node::For {
            target: target.id.to_owned(),
            list,
            test,
            body,
            otherwise,
        })
    }

    fn expr(&self, expr: &ast::Expr<'_>) -> Lowered<Expr> {
        let refuse = |message: &str| Err(TemplateProblem::at(expr.span(), message));
        let boxed = |expr: &ast::Expr<'_>| self.expr(expr).map(Box::new);
        match expr {
            ast::Expr::Var(name) => self.name(name.id, name.span()),
            ast::Expr::Const(constant) => constant_of(&constant.value)
                .ok_or_else(|| TemplateProblem::at(constant.span(), "cannot be used here")),
            ast::Expr::UnaryOp(unary) => match unary.op {
                UnaryOpKind::Not => Ok(Expr::Not(boxed(&unary.expr)?)),
                UnaryOpKind::Neg => match self.expr(&unary.expr)? {
                    Expr::Number(text) if !text.starts_with('-') => {
                        Ok(Expr::Number(format!("-{text}")))
                    }
                    _ => refuse("arithmetic is not available"),
                },
            },
            ast::Expr::BinOp(binary) => {
                let (left, right) = (boxed(&binary.left)?, self.expr(&binary.right)?);
                let relation = match binary.op {
                    BinOpKind::ScAnd => return Ok(Expr::And(left, Box::new(right))),
                    BinOpKind::ScOr => return Ok(Expr::Or(left, Box::new(right))),
                    BinOpKind::Eq => Relation::Eq,
                    BinOpKind::Ne => Relation::Ne,
                    BinOpKind::Lt => Relation::Lt,
                    BinOpKind::Lte => Relation::Lte,
                    BinOpKind::Gt => Relation::Gt,
                    BinOpKind::Gte => Relation::Gte,
                    BinOpKind::In => Relation::In,
                    _ => return refuse("arithmetic is not available"),
                };
                Ok(Expr::Compare(left, vec![(relation, right)]))
            }
            ast::Expr::Compare(compare) => {
                let chain = compare.ops.iter().map(|op| {
                    let relation = match op.op {
                        CompareOpKind::Eq => Relation::Eq,
                        CompareOpKind::Ne => Relation::Ne,
                        CompareOpKind::Lt => Relation::Lt,
                        CompareOpKind::Lte => Relation::Lte,
                        CompareOpKind::Gt => Relation::Gt,
                        CompareOpKind::Gte => Relation::Gte,
                        CompareOpKind::In => Relation::In,
                        CompareOpKind::NotIn => Relation::NotIn,
                    };
                    Ok((relation, self.expr(&op.expr)?))
                });
                Ok(Expr::Compare(
                    boxed(&compare.expr)?,
                    chain.collect::<Lowered<_>>()?,
                ))
            }
            ast::Expr::IfExpr(choice) => Ok(Expr::Choose {
                test: boxed(&choice.test_expr)?,
                yes: boxed(&choice.true_expr)?,
                no: match &choice.false_expr {
                    Some(no) => boxed(no)?,
                    None => Box::new(Expr::Nothing),
                },
            }),
            ast::Expr::Filter(filter) => {
                let Some(input) = &filter.expr else {
                    return refuse("a filter needs a field before it, as in {{ total|money }}");
                };
                let args = self.arguments(&filter.args, filter.span())?;
                let lowered = Filter::parse(filter.name, args)
                    .map_err(|message| TemplateProblem::at(filter.span(), message))?;
                Ok(Expr::Filter(lowered, boxed(input)?))
            }
            ast::Expr::Test(test) => {
                let given = Expr::IsGiven(boxed(&test.expr)?);
                match test.name {
                    "defined" if test.args.is_empty() => Ok(given),
                    "undefined" | "none" if test.args.is_empty() => Ok(Expr::Not(Box::new(given))),
                    _ => refuse("only `is defined` and `is undefined` are available"),
                }
            }
            ast::Expr::GetAttr(part) => self.part(&part.expr, part.name, part.span()),
            ast::Expr::GetItem(item) => match self.expr(&item.subscript_expr)? {
                Expr::Text(name) => self.part(&item.expr, &name, item.span()),
                Expr::Number(text) => match text.parse() {
                    Ok(index) => Ok(Expr::Item(boxed(&item.expr)?, index)),
                    Err(_) => refuse("an index is a whole number from 0"),
                },
                _ => refuse("an index is a number or a name in quotes"),
            },
            ast::Expr::List(list) => {
                let items = list.items.iter().map(|item| self.expr(item));
                Ok(Expr::List(items.collect::<Lowered<_>>()?))
            }
            ast::Expr::Call(_) => {
                refuse("functions are not available; filters are written field|filter")
            }
            ast::Expr::Slice(_) => refuse("slices are not available"),
            ast::Expr::Tuple(_) => refuse("write one field per {{ … }}"),
            ast::Expr::Map(_) => refuse("maps are not available"),
        }
    }

    fn name(&self, name: &str, span: Span) -> Lowered<Expr> {
        let in_loop = name == "loop" && !self.targets.is_empty();
        if in_loop || self.targets.iter().any(|target| target == name) {
            return Ok(Expr::Name(name.to_owned()));
        }
        if name == "contact" {
            let message = "say which part: contact.name, contact.first_name, contact.last_name, \
                           contact.email, contact.phone or contact.mobile";
            return Err(TemplateProblem::at(span, message));
        }
        self.known(name, span)?;
        Ok(Expr::Name(name.to_owned()))
    }

    fn part(&self, of: &ast::Expr<'_>, name: &str, span: Span) -> Lowered<Expr> {
        if let ast::Expr::Var(var) = of
            && !self.targets.iter().any(|target| target == var.id)
        {
            let base = || Box::new(Expr::Name(var.id.to_owned()));
            if var.id == "contact" {
                if !CONTACT_PARTS.contains(&name) {
                    return self
                        .known(&format!("contact.{name}"), span)
                        .map(|()| Expr::Nothing);
                }
                return Ok(Expr::Part(base(), name.to_owned()));
            }
            if var.id == "loop" && !self.targets.is_empty() {
                if !LOOP_PARTS.contains(&name) {
                    let message = format!("loop has {}", LOOP_PARTS.join(", "));
                    return Err(TemplateProblem::at(span, message));
                }
                return Ok(Expr::Part(base(), name.to_owned()));
            }
        }
        Ok(Expr::Part(Box::new(self.expr(of)?), name.to_owned()))
    }

    fn known(&self, name: &str, span: Span) -> Lowered<()> {
        if is_known(self.kind, name) {
            return Ok(());
        }
        let shown: String = name.chars().take(60).collect();
        let message = match suggest(self.kind, name) {
            Some(meant) => format!("unknown field `{shown}`; did you mean `{meant}`?"),
            None => format!("unknown field `{shown}` of {}", article(self.kind)),
        };
        Err(TemplateProblem::at(span, message))
    }

    fn arguments(&self, args: &[CallArg<'_>], span: Span) -> Lowered<Vec<Expr>> {
        args.iter()
            .map(|arg| match arg {
                CallArg::Pos(expr) => self.expr(expr),
                _ => Err(TemplateProblem::at(span, filters::PLAIN_ARGUMENTS)),
            })
            .collect()
    }
}

fn article(kind: DocumentKind) -> String {
    let word = kind.label();
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {word}")
}

fn constant_of(value: &minijinja::Value) -> Option<Expr> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Some(Expr::Nothing),
        ValueKind::Bool => Some(Expr::Bool(value.is_true())),
        ValueKind::String => value.as_str().map(|text| Expr::Text(text.to_owned())),
        ValueKind::Number => {
            let text = value.to_string();
            decimal::parse_json(&text).map(|_| Expr::Number(text))
        }
        _ => None,
    }
}
