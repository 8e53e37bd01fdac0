//! Client connections of one core: who is on the other end, and what may end a connection from outside (a head
//! that does not come to its end, idling for too long, shutdown).

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use dhow_proxy_api::{EdgeArgs, GoDuration};

use crate::cores::core_state::CoreState;
use crate::cores::slots::Slots;
use crate::downstream::interim_wire::InterimWire;
use crate::downstream::seats::Seat;

/// A client's connection as its requests see it.
pub(crate) struct Client {
    /// Where the client is.
    pub(crate) peer: SocketAddr,
    /// The peer's address; IPv4 in its own form.
    pub(crate) peer_ip: String,
    /// The peer's port.
    pub(crate) peer_port: u16,
    /// The port configured for the listener.
    pub(crate) listener_port: u16,
    /// The service that is meant, whatever the host: a request of the proxy's own.
    pub(crate) inquires: Option<Arc<str>>,
    /// The connection is encrypted.
    pub(crate) tls: bool,
    /// What the connection is doing.
    pub(crate) phase: Arc<Phase>,
    /// Set where closing the connection ends one request and no others.
    pub(crate) handle: OnceCell<Rc<Handle>>,
    seat: Option<Seat>,
}

impl Client {
    pub(crate) fn new(peer: SocketAddr, listener_port: u16, tls: bool) -> Self {
        Self {
            peer,
            peer_ip: peer.ip().to_canonical().to_string(),
            peer_port: peer.port(),
            listener_port,
            inquires: None,
            tls,
            phase: Arc::default(),
            handle: OnceCell::new(),
            seat: None,
        }
    }

    /// The same client at another address.
    pub(crate) fn moved(&self, peer: SocketAddr) -> Self {
        Self {
            phase: Arc::clone(&self.phase),
            ..Self::new(peer, self.listener_port, self.tls)
        }
    }

    /// The same, keeping its place among the connections until nothing of it is left.
    pub(crate) fn seated(mut self, seat: Seat) -> Self {
        self.seat = Some(seat);
        self
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// What a connection is doing. Shared with the socket wrapper, which hyper wants to be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// What it does in the lowest two bits, above them how many requests there were.
    doing: AtomicU32,
    /// Requests being served; more than one only with HTTP/2 and 3.
    active: AtomicU32,
    unread_body: AtomicBool,
    unflushed: AtomicBool,
    /// Informational responses, on HTTP/1.1.
    pub(crate) interim: InterimWire,
}

const FRESH: u32 = 0;
const HEAD: u32 = 1;
const BUSY: u32 = 2;
const IDLE: u32 = 3;
const DOING: u32 = 3;

impl Phase {
    /// Bytes came in.
    pub(crate) fn received(&self) {
        if self.is(IDLE) {
            self.set(HEAD);
        }
    }

    /// A request is being served.
    pub(crate) fn busy(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
        let requests = self.doing.load(Ordering::Relaxed) >> 2;
        self.doing
            .store(requests.wrapping_add(1) << 2 | BUSY, Ordering::Relaxed);
    }

    /// The request is done.
    pub(crate) fn idle(&self) {
        if self.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.set(IDLE);
        }
    }

    /// A request was answered before its body was read.
    pub(crate) fn leave_body_unread(&self) {
        self.unread_body.store(true, Ordering::Relaxed);
    }

    /// Whether the connection ends with part of a request unread.
    pub(crate) fn has_unread_body(&self) -> bool {
        self.unread_body.load(Ordering::Relaxed)
    }

    /// Bytes are on their way out.
    pub(crate) fn writing(&self) {
        self.unflushed.store(true, Ordering::Relaxed);
    }

    /// Everything is out.
    pub(crate) fn flushed(&self) {
        self.unflushed.store(false, Ordering::Relaxed);
    }

    /// Nothing is going on: no request, no part of one, nothing left to send.
    pub(crate) fn may_rest(&self) -> bool {
        self.is(IDLE) && !self.unflushed.load(Ordering::Relaxed)
    }

    fn limit(&self, limits: &Limits) -> Option<Duration> {
        match self.value() & DOING {
            // A connection that never said anything is treated like one that never finishes.
            FRESH | HEAD => limits.head,
            IDLE => limits.idle,
            _ => None,
        }
    }

    fn value(&self) -> u32 {
        self.doing.load(Ordering::Relaxed)
    }

    fn is(&self, doing: u32) -> bool {
        self.value() & DOING == doing
    }

    fn set(&self, doing: u32) {
        self.doing
            .store(self.value() & !DOING | doing, Ordering::Relaxed);
    }
}

/// What a connection has been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    #[default]
    None,
    /// Give up memory that an idle connection does not need.
    Rest,
    /// Leave when it suits: HTTP/2 says goodbye, HTTP/1 is told so in its next answer.
    Leave,
    /// Finish the request in flight, take no more.
    Finish,
    /// Close now.
    Close,
}

/// A way to reach a connection's task.
#[derive(Default)]
pub(crate) struct Handle {
    phase: Arc<Phase>,
    seen: Cell<(u32, Option<Instant>)>,
    rested: Cell<bool>,
    wish: Cell<Wish>,
    waker: RefCell<Option<Waker>>,
}

impl Handle {
    /// What the connection has been told; remembers how to wake it.
    pub(crate) fn listen(&self, waker: &Waker) -> Wish {
        let mut known = self.waker.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        self.wish.get()
    }

    /// Forgets a wish to rest; others stay.
    pub(crate) fn clear(&self) {
        if self.wish.get() == Wish::Rest {
            self.wish.set(Wish::None);
        }
    }

    /// Closes the connection, whatever it is doing.
    pub(crate) fn close(&self) {
        self.tell(Wish::Close);
    }

    fn tell(&self, wish: Wish) {
        if wish == Wish::Rest && self.wish.get() != Wish::None {
            return;
        }
        self.wish.set(wish);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// How long a connection may take; none is for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the first byte of a head to its last.
    head: Option<Duration>,
    /// From the end of a request to the next.
    idle: Option<Duration>,
}

/// All connections of a core.
#[derive(Default)]
pub(crate) struct Clients {
    limits: Limits,
    handles: RefCell<Slots<Rc<Handle>>>,
    /// Accepted, whatever has become of them.
    arrived: Cell<usize>,
    leaving: Cell<bool>,
    finishing: Cell<bool>,
}

/// A connection from the moment it is accepted, so that none is overlooked before it joins.
pub(crate) struct Arrival {
    core: Rc<CoreState>,
}

impl Arrival {
    pub(crate) fn new(core: &Rc<CoreState>) -> Self {
        let arrived = &core.clients.arrived;
        arrived.set(arrived.get() + 1);
        Self {
            core: Rc::clone(core),
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let arrived = &self.core.clients.arrived;
        arrived.set(arrived.get().saturating_sub(1));
    }
}

/// Membership in [`Clients`], ended by dropping it.
pub(crate) struct Membership<'a> {
    clients: &'a Clients,
    key: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&EdgeArgs::default())
    }
}

impl From<&EdgeArgs> for Limits {
    fn from(edge: &EdgeArgs) -> Self {
        let some = |time: GoDuration| Some(time.to_std()).filter(|time| !time.is_zero());
        Self {
            head: some(edge.header_timeout),
            idle: some(edge.idle_timeout),
        }
    }
}

impl Clients {
    /// No connections yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Adds a connection.
    pub(crate) fn join(&self, phase: &Arc<Phase>) -> (Rc<Handle>, Membership<'_>) {
        let handle = Rc::new(Handle {
            phase: Arc::clone(phase),
            ..Handle::default()
        });
        if self.finishing.get() {
            handle.wish.set(Wish::Finish);
        } else if self.leaving.get() {
            handle.wish.set(Wish::Leave);
        }
        let key = self.handles.borrow_mut().insert(Rc::clone(&handle));
        (handle, Membership { clients: self, key })
    }

    /// No connections.
    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.get() == 0 && self.handles.borrow().len() == 0
    }

    /// Whether an answer should say that it is the connection's last.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// Has all connections, present and future, end after their next answer.
    pub(crate) fn leave(&self) {
        self.leaving.set(true);
        for handle in self.handles.borrow_mut().iter_mut() {
            handle.tell(Wish::Leave);
        }
    }

    /// Tells all connections, present and future, to finish.
    pub(crate) fn finish(&self) {
        self.finishing.set(true);
        for handle in self.handles.borrow_mut().iter_mut() {
            handle.tell(Wish::Finish);
        }
    }

    /// Closes connections whose time is up. A phase counts from the first sweep that sees it.
    pub(crate) fn sweep(&self, now: Instant) {
        for handle in self.handles.borrow_mut().iter_mut() {
            let phase = handle.phase.value();
            match handle.seen.get() {
                (seen, Some(since)) if seen == phase => {
                    let limit = handle.phase.limit(&self.limits);
                    if limit.is_some_and(|limit| now.saturating_duration_since(since) >= limit) {
                        handle.tell(Wish::Close);
                    } else if phase & DOING == IDLE && !handle.rested.replace(true) {
                        handle.tell(Wish::Rest);
                    }
                }
                _ => {
                    handle.seen.set((phase, Some(now)));
                    handle.rested.set(false);
                }
            }
        }
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.clients.handles.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_TIME: Duration = Duration::from_secs(60);

    /// parity: proxy D14
    #[test]
    fn slow_heads_are_closed_and_busy_ones_are_not() {
        let clients = Clients::default();
        let phase = Arc::new(Phase::default());
        let (handle, member) = clients.join(&phase);
        let start = Instant::now();
        clients.sweep(start);
        clients.sweep(start + HEAD_TIME - Duration::from_secs(1));
        assert_eq!(handle.listen(Waker::noop()), Wish::None);
        phase.busy();
        clients.sweep(start + HEAD_TIME);
        clients.sweep(start + HEAD_TIME * 100);
        assert_eq!(handle.listen(Waker::noop()), Wish::None);
        phase.idle();
        phase.received();
        clients.sweep(start + HEAD_TIME * 101);
        clients.sweep(start + HEAD_TIME * 102);
        assert_eq!(handle.listen(Waker::noop()), Wish::Close);
        drop(member);
        assert!(clients.is_empty());
    }

    #[test]
    fn finishing_reaches_those_who_come_later() {
        let clients = Clients::default();
        clients.finish();
        let (handle, _member) = clients.join(&Arc::default());
        assert_eq!(handle.listen(Waker::noop()), Wish::Finish);
    }
}
