//! Which image the proxy's container is made of.

/// An image that is used where nothing names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyImage<'i> {
    /// The repository, without a registry's server.
    pub repository: &'i str,
    /// The tag.
    pub version: &'i str,
}

impl ProxyImage<'static> {
    /// Kamal's default. It also stands for what is left out where only a part of another image's name is given.
    pub const KAMAL: Self = Self {
        repository: "basecamp/kamal-proxy",
        version: "v0.9.2",
    };
    /// dhow's default: its own proxy, at the level of compatibility that the tag begins with.
    pub const DHOW: Self = Self {
        repository: "dhow/kamal-proxy",
        version: "v0.9.2.1",
    };
}
