//! The program itself, on hosts that the test plays: what is printed, how it ends, what the hosts were asked.

mod accessories;
mod app;
mod lazy;
mod locks;
mod logs;
mod others;
mod proxy;
mod stories;
mod world;
