//! What may stand where in a deploy file, and the words for what may not.
//!
//! In: nodes, and a [`Shape`] from the tables in [`keys`]. Out: findings, in Kamal's order: unknown keys of a map first, then its
//! values in the file's order. Values are read afterwards, by `parse`, which may then take types for granted.

mod hosts;
pub(crate) mod keys;
mod shape;

pub(crate) use hosts::check_hosts;
pub(crate) use shape::{Field, Shape, check, check_keys, check_texts, unknown_keys};
