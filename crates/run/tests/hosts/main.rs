//! Plans run on hosts that this process plays: real SSH, a real shell, a docker that writes down what it is asked.

mod batches;
mod feeds;
mod gates;
mod leases;
mod several;
mod silence;
mod support;
