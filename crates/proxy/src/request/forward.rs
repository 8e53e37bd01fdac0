//! Gives a request to a target and brings back the answer's head: a pooled connection if there is one, a second
//! try when that one had gone stale, the target's time limit. Whether another target may be tried is told, not done.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use tokio::time::{Sleep, sleep};

use crate::downstream::client_line::ClientLine;
use crate::request::failure::{Failure, TargetError};
use crate::upstream::lane::{InFlight, Lane, Verdict};
use crate::upstream::{Connection, RequestSender, ResponseHead, SendError, parse_response_head};

/// What decides over the exchange beside the request itself.
pub(crate) struct Terms<'a> {
    /// The request's method.
    pub(crate) method: &'a Method,
    /// It may be sent again if a reused connection dies before it answers.
    pub(crate) repeatable: bool,
    /// Longest wait for the response's head, from the end of the request.
    pub(crate) timeout: Option<Duration>,
    /// Where informational responses go.
    pub(crate) line: &'a ClientLine,
}

/// A target that does not care for `Expect: 100-continue` says nothing until it has the body; it is asked for then
/// all the same after this long.
const CONTINUE_TIME: Duration = Duration::from_secs(1);

/// Why a target gave no answer. Nothing was sent to the client then.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// What the client is told.
    pub(crate) failure: Failure,
    /// Another target may be asked without harm: this one has got nothing of the request, or it is one that may be repeated and
    /// not a byte came back.
    pub(crate) elsewhere: bool,
}

/// Sends the request and waits for the head of the final response.
///
/// # Errors
/// Why there is none.
pub(crate) async fn forward(
    in_flight: &InFlight,
    request: &mut RequestSender,
    terms: &Terms<'_>,
) -> Result<(ResponseHead, Connection), Unanswered> {
    let lane = in_flight.lane();
    let mut pooled = lane.take(!terms.repeatable);
    loop {
        let mut connection = match pooled.take() {
            Some(connection) => connection,
            None => match Box::pin(connect(lane, in_flight)).await {
                Ok(connection) => connection,
                Err((failure, elsewhere)) => return Err(Unanswered { failure, elsewhere }),
            },
        };
        let mut attempt = Attempt {
            sending_failed: None,
            waiting: false,
            informed: false,
            hesitation: None,
        };
        let outcome =
            poll_fn(|cx| attempt.poll(cx, &mut connection, in_flight, request, terms)).await;
        match outcome {
            Ok(head) => return Ok((head, connection)),
            Err(Ended::Stale(_))
                if connection.reused
                    && (terms.repeatable || request.is_unsent())
                    && request.rewind() =>
            {
                // Its neighbours in the pool are likely gone as well.
                lane.clear();
            }
            Err(ended) => {
                let elsewhere =
                    matches!(ended, Ended::Stale(_)) && (terms.repeatable || request.is_unsent());
                let failure = match ended {
                    Ended::Stale(error) | Ended::Broken(error) => error.into_failure(),
                    Ended::Failed(failure) => failure,
                };
                return Err(Unanswered { failure, elsewhere });
            }
        }
    }
}

/// The error comes with whether another target may be asked.
async fn connect(lane: &Rc<Lane>, in_flight: &InFlight) -> Result<Connection, (Failure, bool)> {
    tokio::select! {
        connection = lane.connect() => connection.map_err(|error| (TargetError::Connect(error).into_failure(), true)),
        verdict = in_flight.ended() => Err((verdict.into(), false)),
    }
}

struct Attempt {
    sending_failed: Option<io::Error>,
    waiting: bool,
    /// An informational response has come.
    informed: bool,
    /// How long the body is held back.
    hesitation: Option<Pin<Box<Sleep>>>,
}

/// How an attempt ended without a response.
enum Ended {
    /// The connection died before a byte of a response.
    Stale(TargetError),
    /// The target broke off in the middle, or talks nonsense.
    Broken(TargetError),
    /// Something else.
    Failed(Failure),
}

impl Attempt {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        in_flight: &InFlight,
        request: &mut RequestSender,
        terms: &Terms<'_>,
    ) -> Poll<Result<ResponseHead, Ended>> {
        if let Some(verdict) = in_flight.verdict() {
            return Poll::Ready(Err(Ended::Failed(verdict.into())));
        }
        loop {
            self.poll_send(cx, connection, in_flight, request, terms)?;
            match ready!(self.poll_head(cx, connection, in_flight, terms.method)) {
                Ok(head) if head.status.is_informational() && head.status != 101 => {
                    self.informed = true;
                    if head.status == StatusCode::CONTINUE && request.is_held() {
                        terms.line.ask_for_body();
                        request.release();
                    } else if head.status != StatusCode::CONTINUE {
                        terms.line.inform(head.status, head.headers);
                    }
                }
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    /// Sends what can be sent.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        in_flight: &InFlight,
        request: &mut RequestSender,
        terms: &Terms<'_>,
    ) -> Result<(), Ended> {
        if request.is_held() {
            let hesitation = self
                .hesitation
                .get_or_insert_with(|| Box::pin(sleep(CONTINUE_TIME)));
            if hesitation.as_mut().poll(cx).is_ready() {
                terms.line.ask_for_body();
                request.release();
            }
        }
        if !request.is_done() && self.sending_failed.is_none() {
            match request.poll_send(cx, connection) {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(SendError::Client(error))) => {
                    return Err(Ended::Failed(Failure::of_client_body(error)));
                }
                Poll::Ready(Err(SendError::Spill(error))) => {
                    return Err(Ended::Failed(Failure::Spill(error)));
                }
                // The target may have answered before it stopped reading.
                Poll::Ready(Err(SendError::Target(error))) => self.sending_failed = Some(error),
            }
        }
        if !self.waiting && (request.is_done() || self.sending_failed.is_some()) {
            self.waiting = true;
            in_flight.set_deadline(terms.timeout.map(|timeout| Instant::now() + timeout));
        }
        Ok(())
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        in_flight: &InFlight,
        method: &Method,
    ) -> Poll<Result<ResponseHead, Ended>> {
        loop {
            if !connection.read.is_empty() {
                match parse_response_head(&mut connection.read, method) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(Ended::Broken(error.into()))),
                }
            }
            let error = match connection.poll_fill(cx, false) {
                Poll::Ready(Ok(0)) => match self.sending_failed.take() {
                    Some(error) => TargetError::Io(error),
                    None => TargetError::Closed,
                },
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(error)) => TargetError::Io(error),
                Poll::Pending => {
                    in_flight.watch(cx);
                    return Poll::Pending;
                }
            };
            let untouched = connection.read.is_empty() && !self.informed;
            return Poll::Ready(Err(if untouched {
                Ended::Stale(error)
            } else {
                Ended::Broken(error)
            }));
        }
    }
}

impl From<Verdict> for Failure {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::TimedOut => Self::TimedOut,
            Verdict::Cancelled => Self::Drained,
        }
    }
}
