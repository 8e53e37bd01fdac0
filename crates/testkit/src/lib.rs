//! Stand-ins for the world outside, for tests and benchmarks: hosts to log in to.
//!
//! - [`sshd`]: an SSH server inside the test's own process, which counts, delays, refuses and breaks off as told, and answers commands with a
//!   real shell or with a closure. Good for one host or a thousand.
//! - [`openssh`]: a real OpenSSH server on a loopback port with its own configuration and keys.
//! - [`delay`]: a slow network in front of any server.

pub mod delay;
pub mod openssh;
pub mod sshd;
