//! Buffering: reads a request or a response whole before anything of it goes on.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;

use http_body::Body as _;

use crate::downstream::inbound::InboundBody;
use crate::request::body::TargetBody;
use crate::request::buffer::{BufferError, BufferLimits, BufferedBody};
use crate::request::failure::Failure;
use crate::upstream::lane::InFlight;

/// Reads a request's body, until the target's drain runs out.
///
/// # Errors
/// A body that is too large or broken, or a client that has gone.
pub(crate) async fn gather_request(
    mut body: InboundBody,
    limits: BufferLimits,
    folder: &Path,
    in_flight: &InFlight,
) -> Result<Box<BufferedBody>, Failure> {
    let mut gathered = Box::new(BufferedBody::default());
    loop {
        let frame = poll_fn(|cx| {
            if let Some(verdict) = in_flight.verdict() {
                return Poll::Ready(Err(Failure::from(verdict)));
            }
            let frame = Pin::new(&mut body).poll_frame(cx).map(Ok);
            if frame.is_pending() {
                in_flight.watch(cx);
            }
            frame
        });
        match frame.await? {
            None => return Ok(gathered),
            Some(Err(error)) => return Err(Failure::of_client_body(error)),
            Some(Ok(frame)) => {
                gathered
                    .push_frame(frame, limits, folder)
                    .map_err(|error| match error {
                        BufferError::TooLarge => Failure::RequestTooLarge,
                        BufferError::Spill(error) => Failure::Spill(error),
                    })?;
            }
        }
    }
}

/// Reads a response's body.
///
/// # Errors
/// A body that is too large, or a target that broke off.
pub(crate) async fn gather_response(
    body: &mut TargetBody,
    limits: BufferLimits,
    folder: &Path,
) -> Result<Box<BufferedBody>, Failure> {
    let mut gathered = Box::new(BufferedBody::default());
    while let Some(frame) = poll_fn(|cx| body.poll_piece(cx)).await {
        gathered
            .push_frame(frame?, limits, folder)
            .map_err(|error| match error {
                BufferError::TooLarge => Failure::ResponseTooLarge,
                BufferError::Spill(error) => Failure::Spill(error),
            })?;
    }
    Ok(gathered)
}
