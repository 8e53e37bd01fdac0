//! Operators by precedence.

use super::ast::{Expr, Form, Piece};
use super::expression::call;
use super::parser::Parser;
use super::token::{Kind, Token, Unsupported};

/// How many operators or calls may follow each other in one expression.
pub(super) const MAX_CHAIN: usize = 100;

/// Left and right binding power of a binary operator.
fn power(op: &str) -> Option<(u8, u8)> {
    Some(match op {
        "?" => (6, 5),
        ".." | "..." => (8, 9),
        "||" => (10, 11),
        "&&" => (12, 13),
        "<=>" | "==" | "===" | "!=" | "=~" | "!~" => (14, 15),
        "<" | "<=" | ">" | ">=" => (16, 17),
        "|" | "^" => (18, 19),
        "&" => (20, 21),
        "<<" | ">>" => (22, 23),
        "+" | "-" => (24, 25),
        "*" | "/" | "%" => (26, 27),
        "**" => (31, 30),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression whose operators bind at least this tightly.
    pub(super) fn expression(&mut self, least: u8) -> Result<Expr, Unsupported> {
        self.deeper()?;
        let mut left = self.operand()?;
        if least < 5
            && let Some(assigned) = self.assignment(&left)?
        {
            left = assigned;
        }
        // Chains grow the tree to the left without nesting in the text: they are bounded too.
        for link in 0.. {
            let Some(Token {
                kind: Kind::Op(op),
                place,
                ..
            }) = self.peek()
            else {
                break;
            };
            if link > MAX_CHAIN {
                return Err(self.unsupported_here("an expression this long"));
            }
            let (op, op_place) = (*op, *place);
            let Some((left_power, right_power)) = power(op) else {
                break;
            };
            if left_power < least {
                break;
            }
            if matches!(op, "=~" | "!~") && names_groups(&left) {
                let what = "a pattern whose named groups become variables";
                return Err(Unsupported::new(what, op_place));
            }
            self.next();
            self.skip_newlines();
            if op == "?" {
                left = self.ternary(left)?;
                continue;
            }
            let right = self.expression(right_power)?;
            let place = left.place.to(right.place);
            let (a, b) = (Box::new(left), Box::new(right));
            let form = match op {
                "||" => Form::Or(a, b),
                "&&" => Form::And(a, b),
                "!=" | "!~" => Form::Not(Box::new(Expr {
                    form: call(Some(*a), if op == "!=" { "==" } else { "=~" }, vec![*b]),
                    place,
                })),
                ".." | "..." => Form::Range {
                    from: a,
                    to: b,
                    exclusive: op == "...",
                },
                op => call(Some(*a), op, vec![*b]),
            };
            left = Expr { form, place };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn ternary(&mut self, condition: Expr) -> Result<Expr, Unsupported> {
        let then = self.expression(5)?;
        self.skip_newlines();
        // `a ? b : c` and `a ? x.y :z`: the colon may have been read as part of a symbol.
        let otherwise = match self.peek().map(|t| &t.kind) {
            Some(Kind::Op(":")) => {
                self.next();
                self.skip_newlines();
                self.expression(5)?
            }
            _ => return Err(self.unsupported_here("a `?` without its `:`")),
        };
        let place = condition.place.to(otherwise.place);
        Ok(Expr {
            form: Form::If {
                condition: Box::new(condition),
                then: vec![then],
                otherwise: vec![otherwise],
            },
            place,
        })
    }
}

/// Whether the left of `=~` is a pattern that would assign its groups to variables.
fn names_groups(left: &Expr) -> bool {
    let Form::Pattern(pieces, _) = &left.form else {
        return false;
    };
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Text(text) if text.contains("(?<")))
}
