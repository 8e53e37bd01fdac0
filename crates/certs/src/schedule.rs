//! What to order, renew and ask about, and when: the whole of automatic certificates as a state machine without clock, network or
//! disk.
//!
//! In: which hosts need certificates, what they have, how orders ended, and the time. Out: actions to carry out (each at most
//! once at a time for a host), when to be asked next, and memories to keep on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::certificate::Validity;
use crate::dice::Dice;
use crate::host_name::HostName;
use crate::memory::{Memory, OrderFailure};
use crate::moment::Moment;
use crate::rate::Rate;
use crate::renewal::{self, RenewalInfo, Window};

/// Orders for declared hosts can count on this share of the limit: names that anybody can make up leave it alone.
const RESERVED_FOR_DECLARED: u32 = 50;
/// After an unanswered question for renewal information.
const ASK_AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(6 * 3600);
/// Between a certificate and the next for the same host.
const LEAST_USE: Duration = Duration::from_secs(3600);
/// Questions after a start or an order are spread over this long.
const ASK_SPREAD: Duration = Duration::from_secs(60);

/// Bounds on what is asked of authorities.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleLimits {
    /// Orders under way at one time.
    pub concurrent_orders: usize,
    /// Orders at one authority.
    pub orders: Rate,
    /// Kinds of challenge to try in turn.
    pub methods: u32,
}

impl Default for ScheduleLimits {
    /// Below the limits of Let's Encrypt: 300 orders in 3 hours.
    fn default() -> Self {
        Self {
            concurrent_orders: 4,
            orders: Rate {
                count: 250,
                per: Duration::from_secs(3 * 3600),
            },
            methods: 2,
        }
    }
}

/// An authority, as the driver numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorityId(pub usize);

/// Something to do now. Its outcome is to be told to the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Order a certificate; then call [`Schedule::ordered`].
    Order {
        /// For this host.
        host: HostName,
        /// At this authority.
        authority: AuthorityId,
        /// With this kind of challenge, counted from 0 below [`ScheduleLimits::methods`].
        method: u32,
        /// Name the present certificate as the one replaced.
        replaces: bool,
    },
    /// Ask for renewal information of the present certificate; then call [`Schedule::advised`].
    AskRenewal {
        /// Of this host.
        host: HostName,
        /// At this authority.
        authority: AuthorityId,
    },
}

/// Why a host needs a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Deployed just now.
    Deployed,
    /// Deployed before, and found again at start.
    Restored,
    /// Named by a client, and allowed.
    OnDemand,
}

/// Where a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has a certificate.
    Ready,
    /// It has none yet, and an order is under way or about to be.
    Pending,
    /// It has none, and the next attempt is some time away.
    Waiting,
    /// Nobody asked for it.
    Unknown,
}

/// The state machine.
#[derive(Debug)]
pub struct Schedule {
    limits: ScheduleLimits,
    dice: Dice,
    hosts: BTreeMap<HostName, Entry>,
    authorities: BTreeMap<AuthorityId, Memory>,
    ordering: BTreeSet<HostName>,
    asking: BTreeSet<HostName>,
    unsaved: BTreeSet<AuthorityId>,
}

#[derive(Debug)]
struct Entry {
    authority: AuthorityId,
    on_demand: bool,
    held: Option<Held>,
}

/// A certificate and its plan.
#[derive(Debug)]
struct Held {
    validity: Validity,
    renew_at: Moment,
    /// An authority whose certificates are due at once (a clock that is wrong, a window in the past) gets no order after order.
    not_before: Moment,
    window: Option<Window>,
    ask_at: Option<Moment>,
}

impl Schedule {
    /// Nothing to do yet. `dice` spreads the work.
    #[must_use]
    pub const fn new(limits: ScheduleLimits, dice: Dice) -> Self {
        Self {
            limits,
            dice,
            hosts: BTreeMap::new(),
            authorities: BTreeMap::new(),
            ordering: BTreeSet::new(),
            asking: BTreeSet::new(),
            unsaved: BTreeSet::new(),
        }
    }

    /// Makes an authority known, with what was kept about it on disk. Does nothing if it is known.
    pub fn add_authority(&mut self, id: AuthorityId, kept: Option<&str>) {
        self.authorities
            .entry(id)
            .or_insert_with(|| kept.map(Memory::from_json).unwrap_or_default());
    }

    /// `host` is to have a certificate of `authority` from now on, and has one of `validity` already, if any.
    pub fn cover(
        &mut self,
        host: &HostName,
        authority: AuthorityId,
        validity: Option<Validity>,
        demand: Demand,
        now: Moment,
    ) {
        if demand == Demand::Deployed
            && let Some(memory) = self.authorities.get_mut(&authority)
        {
            memory.hasten(host, now);
        }
        let on_demand = demand == Demand::OnDemand;
        if let Some(entry) = self.hosts.get_mut(host)
            && entry.authority == authority
            && entry.held.as_ref().map(|held| held.validity) == validity
        {
            // A deploy of what is there already keeps its plans, and its one timer.
            entry.on_demand = on_demand;
            return;
        }
        let held = validity.map(|validity| self.plan(validity, Moment::default(), now));
        self.hosts.insert(
            host.clone(),
            Entry {
                authority,
                on_demand,
                held,
            },
        );
    }

    /// `host` needs no certificate any more. An order under way is left to end.
    pub fn uncover(&mut self, host: &HostName) {
        self.hosts.remove(host);
    }

    /// What is to be done at `now`.
    pub fn poll(&mut self, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        for on_demand in [false, true] {
            self.poll_orders(on_demand, now, &mut actions);
        }
        for (host, entry) in &self.hosts {
            let due = entry
                .held
                .as_ref()
                .and_then(|held| held.ask_at)
                .is_some_and(|at| at <= now);
            if due && !self.ordering.contains(host) && self.asking.insert(host.clone()) {
                actions.push(Action::AskRenewal {
                    host: host.clone(),
                    authority: entry.authority,
                });
            }
        }
        actions
    }

    /// When to poll next, if nothing else happens before.
    #[must_use]
    pub fn next_poll(&self, now: Moment) -> Option<Moment> {
        let idle = |host: &HostName| !self.ordering.contains(host);
        let room = self.ordering.len() < self.limits.concurrent_orders;
        let orders = self
            .hosts
            .iter()
            .filter(|(host, _)| room && idle(host))
            .filter_map(|(host, entry)| self.order_at(host, entry, now));
        let questions = self
            .hosts
            .iter()
            .filter(|(host, _)| idle(host) && !self.asking.contains(*host))
            .filter_map(|(_, entry)| entry.held.as_ref()?.ask_at);
        orders.chain(questions).min()
    }

    /// An order has ended.
    pub fn ordered(
        &mut self,
        host: &HostName,
        authority: AuthorityId,
        outcome: Result<Validity, &OrderFailure>,
        now: Moment,
    ) {
        self.ordering.remove(host);
        self.unsaved.insert(authority);
        match outcome {
            Ok(validity) => {
                if let Some(memory) = self.authorities.get_mut(&authority) {
                    memory.succeeded(host);
                }
                let least = LEAST_USE.min(validity.lifetime() / 10);
                let held = self.plan(validity, now.plus(least), now);
                if let Some(entry) = self.entry_at(host, authority) {
                    entry.held = Some(held);
                }
            }
            Err(failure) => {
                if let Some(memory) = self.authorities.get_mut(&authority) {
                    memory.failed(host, failure, self.limits.methods, now, &mut self.dice);
                }
            }
        }
    }

    /// The authority has answered, or has not, or never will (`None`: it has no renewal information).
    pub fn advised(
        &mut self,
        host: &HostName,
        authority: AuthorityId,
        answer: Option<Result<RenewalInfo, &OrderFailure>>,
        now: Moment,
    ) {
        self.asking.remove(host);
        let mut dice = self.dice.clone();
        let Some(held) = self
            .entry_at(host, authority)
            .and_then(|entry| entry.held.as_mut())
        else {
            return;
        };
        held.ask_at = match answer {
            None => None,
            Some(Ok(info)) if info.window.start < info.window.end => {
                // A window that is unchanged keeps the moment that was picked.
                if held.window.replace(info.window) != Some(info.window) {
                    held.renew_at = renewal::advised(info.window, held.validity, &mut dice);
                }
                Some(now.plus(renewal::ask_again(info.ask_again, &mut dice)))
            }
            Some(_) => Some(now.plus(renewal::ask_again(ASK_AGAIN_AFTER_FAILURE, &mut dice))),
        };
        self.dice = dice;
    }

    /// Where `host` stands.
    #[must_use]
    pub fn standing(&self, host: &HostName, now: Moment) -> Standing {
        // A few seconds are a pause between two kinds of challenge.
        let soon = now.plus(Duration::from_secs(10));
        match self.hosts.get(host) {
            None => Standing::Unknown,
            Some(entry) if entry.held.is_some() => Standing::Ready,
            Some(_) if self.ordering.contains(host) => Standing::Pending,
            Some(entry) => match self.order_at(host, entry, now) {
                Some(at) if at <= soon => Standing::Pending,
                _ => Standing::Waiting,
            },
        }
    }

    /// When the next order for `host` may be.
    #[must_use]
    pub fn next_order(&self, host: &HostName, now: Moment) -> Option<Moment> {
        self.order_at(host, self.hosts.get(host)?, now)
    }

    /// Whom the certificate for `host` is to come from, if it is to have one.
    #[must_use]
    pub fn authority_of(&self, host: &HostName) -> Option<AuthorityId> {
        Some(self.hosts.get(host)?.authority)
    }

    /// Memories that changed since the last call, to be written to disk.
    pub fn take_unsaved(&mut self) -> Vec<(AuthorityId, String)> {
        std::mem::take(&mut self.unsaved)
            .into_iter()
            .filter_map(|id| Some((id, self.authorities.get(&id)?.to_json())))
            .collect()
    }

    fn poll_orders(&mut self, on_demand: bool, now: Moment, actions: &mut Vec<Action>) {
        for (host, entry) in &self.hosts {
            if self.ordering.len() >= self.limits.concurrent_orders {
                return;
            }
            if entry.on_demand != on_demand || self.ordering.contains(host) {
                continue;
            }
            if self.order_at(host, entry, now).is_none_or(|due| due > now) {
                continue;
            }
            let Some(memory) = self.authorities.get_mut(&entry.authority) else {
                continue;
            };
            let failures = memory.trouble(host).map_or(0, |trouble| trouble.failures);
            memory.orders = self.limits.orders.spend(memory.orders, now);
            self.unsaved.insert(entry.authority);
            self.ordering.insert(host.clone());
            actions.push(Action::Order {
                host: host.clone(),
                authority: entry.authority,
                method: failures % self.limits.methods.max(1),
                replaces: entry
                    .held
                    .as_ref()
                    .is_some_and(|held| held.window.is_some()),
            });
        }
    }

    /// When to order for `host`: as planned, but neither before its back-off is over nor past the limit on orders.
    fn order_at(&self, host: &HostName, entry: &Entry, now: Moment) -> Option<Moment> {
        let memory = self.authorities.get(&entry.authority)?;
        let planned = entry
            .held
            .as_ref()
            .map(|held| held.renew_at.max(held.not_before))
            .unwrap_or_default();
        let reserve = if entry.on_demand {
            RESERVED_FOR_DECLARED
        } else {
            0
        };
        // A mark that lies further ahead than the limit allows comes from a clock that was wrong.
        let mark = memory.orders.min(now.plus(self.limits.orders.per));
        let limit = self.limits.orders.next(mark, reserve);
        Some(planned.max(memory.not_before(host, now)).max(limit))
    }

    fn entry_at(&mut self, host: &HostName, authority: AuthorityId) -> Option<&mut Entry> {
        self.hosts
            .get_mut(host)
            .filter(|entry| entry.authority == authority)
    }

    fn plan(&mut self, validity: Validity, not_before: Moment, now: Moment) -> Held {
        Held {
            validity,
            renew_at: renewal::without_advice(validity, &mut self.dice),
            not_before,
            window: None,
            ask_at: Some(now.plus(self.dice.up_to(ASK_SPREAD))),
        }
    }
}

#[cfg(test)]
mod tests;
