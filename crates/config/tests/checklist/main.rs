//! What a deploy file means and what is wrong with it, item by item of the parity checklist (the numbers in the tests' names).

mod deploy;
mod engine;
mod env;
mod proxy;
mod registry;
mod servers;
