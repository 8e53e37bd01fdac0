//! What a deploy file means and what is wrong with it, item by item of the parity checklist (the numbers in the tests' names).

mod accessories;
mod builder;
mod deploy;
mod dump;
mod engine;
mod env;
mod erb;
mod extension;
mod golden;
mod json_schema;
mod proxy;
mod registry;
mod sections;
mod servers;
mod texts;
mod vectors;
mod whole;
mod yaml;
