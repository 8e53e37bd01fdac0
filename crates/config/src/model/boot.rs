//! `boot`: how many hosts at once.

/// How containers are booted over the hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// `limit`; none boots all hosts at once.
    pub limit: Option<BootLimit>,
    /// `wait`: seconds after every group.
    pub wait: Option<i64>,
    /// `parallel_roles`
    pub parallel_roles: bool,
}

/// `boot.limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootLimit {
    /// So many hosts.
    Hosts(u32),
    /// So many per cent of all hosts, accessories' included.
    Percent(u32),
}

impl Boot {
    /// Hosts per group, of `all` hosts: at least one.
    pub fn group_size(&self, all: usize) -> Option<usize> {
        self.limit.map(|limit| match limit {
            BootLimit::Hosts(hosts) => (hosts as usize).max(1),
            BootLimit::Percent(percent) => (all * percent as usize / 100).max(1),
        })
    }
}
