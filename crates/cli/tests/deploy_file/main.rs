//! The program itself where it needs no host: deploy files, secrets files, `config`, `init`, `secrets`, aliases. Each test runs it in
//! a folder of its own.

mod commands;
mod files;
mod place;
mod secrets;
mod versions;
