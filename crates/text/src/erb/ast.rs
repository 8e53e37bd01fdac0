//! The tree that a template's code becomes.

use std::rc::Rc;

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
    /// A pattern and its flags.
    Pattern(Vec<Piece>, String),
    /// `$1`; 0 is `$~`.
    Group(usize),
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
    /// `a, b = value`
    AssignMany {
        names: Vec<String>,
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
    /// `while`, `until`.
    While {
        condition: Box<Expr>,
        /// Goes on as long as the condition is this.
        wanted: bool,
        body: Body,
        /// `begin … end while`: the body comes first.
        body_first: bool,
    },
    /// `loop { … }`
    Loop(Box<Block>),
    /// `def`
    Def(Rc<Function>),
    /// `->(x) { … }`, `lambda { |x| … }`, `proc { |x| … }`
    Lambda(Rc<Function>),
    Return(Option<Box<Expr>>),
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

/// What `def` and lambdas make.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    /// Empty for a lambda.
    pub(super) name: String,
    pub(super) kind: FunctionKind,
    pub(super) params: Vec<Parameter>,
    pub(super) body: Body,
}

/// How a function takes its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FunctionKind {
    Def,
    Lambda,
    /// Missing arguments are nil, further ones dropped.
    Proc,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) default: Option<Expr>,
    /// `name:`
    pub(super) named: bool,
}
