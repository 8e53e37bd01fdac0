//! The proxy next to others: what a request costs, how long it takes, how much memory connections hold.
//!
//! In: programs to compare ([`Peer`]) and how long to measure ([`Plan`]). Out: [`Results`], which become a table and a chart.
//! Proxies run pinned to one core. This process, pinned to another, is the load and the origin at once, on one thread, so that it
//! costs as little as it can.

mod budget;
mod chart;
mod drive;
mod exchange;
mod group;
mod http2;
mod idle;
mod origin;
mod peer;
mod results;
mod run;
mod scenario;
mod table;
mod tls;
mod websocket;
mod worker;

pub use budget::{Verdict, verdicts};
pub use chart::chart;
pub use peer::{Kind, Peer};
pub use results::{Held, Latencies, Results, Row, Slice, Steady};
pub use run::{Plan, run};
pub use scenario::{Scenario, What, all as scenarios};
pub use table::{budgets, table};
