//! From the text of a deploy file to the lines that hosts are asked to run, item by item of the configuration checklist.

mod containers;
mod env;
mod formats;
mod proxy;
mod shared;
mod support;
