//! A request's line back to its client beside the answer itself: what may end it from outside, and where
//! informational responses (1xx, RFC 9110 §15.2) go.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Response, StatusCode};

use crate::downstream::client::{Handle, Phase};

/// Informational responses that wait for a slow client; a target that sends more talks to nobody.
const MOST_WAITING: usize = 32;

/// The line to a client.
#[derive(Clone, Default)]
pub(crate) struct ClientLine {
    /// Ends this request and no other.
    pub(crate) cut: Option<Rc<Handle>>,
    interim: Interim,
}

/// Where informational responses go.
#[derive(Clone, Default)]
enum Interim {
    /// Nowhere: HTTP/1.0 knows none.
    #[default]
    Nowhere,
    /// HTTP/1.1: as bytes in front of the final head. hyper itself asks for the body.
    Wire(Arc<Phase>),
    /// HTTP/2 and 3: the request's own task sends them.
    Queue(Rc<Queue>),
}

/// Informational responses of one request.
#[derive(Default)]
struct Queue {
    heads: RefCell<VecDeque<Response<()>>>,
    /// The client waits for 100 before it sends the body.
    waits: Cell<bool>,
}

impl ClientLine {
    /// An HTTP/1 connection's; `informs` if the client understands informational responses.
    pub(crate) fn http1(cut: Option<Rc<Handle>>, phase: &Arc<Phase>, informs: bool) -> Self {
        let interim = if informs {
            phase.interim.begin();
            Interim::Wire(Arc::clone(phase))
        } else {
            Interim::Nowhere
        };
        Self { cut, interim }
    }

    /// A stream's; `waits` if the client waits for 100 before it sends the body.
    pub(crate) fn stream(waits: bool) -> Self {
        Self {
            cut: Some(Rc::default()),
            interim: Interim::Queue(Rc::new(Queue {
                waits: Cell::new(waits),
                ..Queue::default()
            })),
        }
    }

    /// The body is wanted: a client that waits for 100 gets it.
    pub(crate) fn ask_for_body(&self) {
        if let Interim::Queue(queue) = &self.interim
            && queue.waits.replace(false)
        {
            queue.push(informational(StatusCode::CONTINUE, HeaderMap::new()));
        }
    }

    /// Passes an informational response of the target on.
    pub(crate) fn inform(&self, status: StatusCode, mut headers: HeaderMap) {
        headers.remove(CONTENT_LENGTH);
        match &self.interim {
            Interim::Nowhere => {}
            Interim::Wire(phase) => phase.interim.push(status, &headers),
            Interim::Queue(queue) => queue.push(informational(status, headers)),
        }
    }

    /// The next informational response to send.
    pub(crate) fn next_interim(&self) -> Option<Response<()>> {
        match &self.interim {
            Interim::Queue(queue) => queue.heads.borrow_mut().pop_front(),
            _ => None,
        }
    }

    /// Whether one is waiting.
    pub(crate) fn has_interim(&self) -> bool {
        matches!(&self.interim, Interim::Queue(queue) if !queue.heads.borrow().is_empty())
    }

    /// The final head goes out next.
    pub(crate) fn finish(&self) {
        if let Interim::Wire(phase) = &self.interim {
            phase.interim.finish();
        }
    }
}

impl Queue {
    fn push(&self, head: Response<()>) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < MOST_WAITING {
            heads.push_back(head);
        }
    }
}

fn informational(status: StatusCode, headers: HeaderMap) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = headers;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_asked_for_once_and_only_of_those_who_wait() {
        let line = ClientLine::stream(true);
        line.ask_for_body();
        line.ask_for_body();
        assert_eq!(line.next_interim().unwrap().status(), 100);
        assert!(!line.has_interim());
        let line = ClientLine::stream(false);
        line.ask_for_body();
        assert!(line.next_interim().is_none());
    }

    #[test]
    fn a_flood_of_hints_is_cut_short() {
        let line = ClientLine::stream(false);
        for _ in 0..1000 {
            line.inform(StatusCode::EARLY_HINTS, HeaderMap::new());
        }
        assert_eq!(
            std::iter::from_fn(|| line.next_interim()).count(),
            MOST_WAITING
        );
    }
}
