//! The language that templates are lowered into: what it lacks cannot be abused.

use super::filters::Filter;

/// A statement of the lowered language.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Emit(Expr),
    If {
        test: Expr,
        yes: Vec<Node>,
        no: Vec<Node>,
    },
    For {
        target: String,
        list: Expr,
        test: Option<Expr>,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
}

/// An expression of the lowered language.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// A field, a loop's target, `loop` or `contact`.
    Name(String),
    Part(Box<Expr>, String),
    Item(Box<Expr>, usize),
    Text(String),
    /// Decimal text.
    Number(String),
    Bool(bool),
    Nothing,
    List(Vec<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Relation, Expr)>),
    Choose {
        test: Box<Expr>,
        yes: Box<Expr>,
        no: Box<Expr>,
    },
    IsGiven(Box<Expr>),
    Filter(Filter, Box<Expr>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
    In,
    NotIn,
}
