//! The tree that a template's code becomes.

use super::token::Place;

/// Statements in order; the value is the last one's.
pub(super) type Body = Vec<Expr>;

/// One expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) form: Form,
    pub(super) place: Place,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Vec<Piece>),
    Command(Vec<Piece>),
    Symbol(String),
    Array(Vec<Expr>),
    Hash(Vec<(Expr, Expr)>),
    Range {
        from: Box<Expr>,
        to: Box<Expr>,
        exclusive: bool,
    },
    Local(String),
    Const(String),
    Call(Box<Call>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    If {
        condition: Box<Expr>,
        then: Body,
        otherwise: Body,
    },
    Case {
        subject: Option<Box<Expr>>,
        whens: Vec<(Vec<Expr>, Body)>,
        otherwise: Body,
    },
    Assign {
        name: String,
        value: Box<Expr>,
    },
    /// `recv[args] = value`
    AssignIndex {
        receiver: Box<Expr>,
        index: Box<Expr>,
        value: Box<Expr>,
    },
    /// `target op= value`, the operator without its `=`.
    OpAssign {
        target: Box<Expr>,
        op: &'static str,
        value: Box<Expr>,
    },
    Rescue {
        tried: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Begin(Body),
    Next(Option<Box<Expr>>),
    Break(Option<Box<Expr>>),
    /// Text of the template, by its place among the pieces.
    Text(usize),
    /// `<%= %>`
    Output(Body),
}

/// A piece of a string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Code(Body),
}

/// A method call. Operators are calls too.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) receiver: Option<Expr>,
    pub(super) name: String,
    pub(super) args: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
    pub(super) block: Option<Block>,
    /// `&.`
    pub(super) safe: bool,
}

/// What a method is given to call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    /// `&:name`
    Method(String),
    /// `{ |x| … }` or `do |x| … end`. A nested pattern `(a, b)` is flattened into one parameter of several names.
    Code { params: Vec<Param>, body: Body },
}

/// A block's parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Param {
    One(String),
    /// `(a, b)`
    Many(Vec<String>),
}
