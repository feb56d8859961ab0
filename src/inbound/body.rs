//! Reads the bodies of requests: each within its size, all of them within the memory for bodies.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Bytes, Frame, Incoming};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::connection_limiter::ConnectionSlot;
use super::rejection::{ErrorReply, too_large};

/// How long a body may take to arrive. Gogs gives up on the whole exchange after 15 seconds.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of bodies held in memory at a time, over all connections.
pub(super) const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The part of a body beyond this size is read in turns, in bytes.
const FAIR_BYTES: usize = 64 * 1024;

/// Large bodies processed at a time: one for each core of a small box.
pub(super) const LARGE_AT_A_TIME: usize = 2;

/// How much of a refused body is still read.
const DRAINED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much memory is reserved for a declared length before a byte has come.
const PREALLOCATED_BYTES_MAX: usize = 16 * 1024;

/// Reads bodies, for all connections.
pub(super) struct Bodies {
    bytes_max: usize,
    /// Limits the large bodies that are read from at a time.
    reading: Semaphore,
}

impl Bodies {
    pub(super) fn new(bytes_max: usize) -> Bodies {
        Bodies {
            bytes_max,
            reading: Semaphore::new(LARGE_AT_A_TIME),
        }
    }

    /// Reads a body of which so many bytes are declared, within its deadline; what is refused for its size
    /// is still taken off the wire.
    pub(super) async fn read(
        &self,
        body: &mut Incoming,
        declared: Option<usize>,
        slot: &ConnectionSlot,
    ) -> Result<Vec<u8>, ErrorReply> {
        match timeout(BODY_DEADLINE, self.read_body(body, declared, slot)).await {
            Ok(Err(error_reply)) => {
                if error_reply.status == StatusCode::PAYLOAD_TOO_LARGE {
                    drain(body).await;
                }
                Err(error_reply)
            }
            Ok(read) => read,
            Err(_) => {
                let text = format!(
                    "the body did not arrive within {}s",
                    BODY_DEADLINE.as_secs()
                );
                Err(ErrorReply::new(StatusCode::REQUEST_TIMEOUT, text))
            }
        }
    }

    /// Reads a body, and stops at the size limit.
    ///
    /// Memory is reserved as bytes arrive, and released after the request is answered.
    async fn read_body(
        &self,
        body: &mut Incoming,
        declared: Option<usize>,
        slot: &ConnectionSlot,
    ) -> Result<Vec<u8>, ErrorReply> {
        let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(PREALLOCATED_BYTES_MAX));
        while let Some(frame) = self.next_frame(body, bytes.len()).await {
            let frame = frame.map_err(|error| {
                ErrorReply::new(
                    StatusCode::BAD_REQUEST,
                    format!("the body broke off: {error}"),
                )
            })?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            let total = bytes.len() + data.len();
            if total > self.bytes_max {
                return Err(too_large(total, self.bytes_max));
            }
            slot.hold(total).await;
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    }

    /// Reads the next piece of a body of which `bytes` bytes have arrived.
    ///
    /// All connections share one thread. So only a few large bodies are read at a time, one piece each, and
    /// hundreds of them do not delay a small one. A body whose next piece has not arrived gives its turn to
    /// others while it waits.
    async fn next_frame(
        &self,
        body: &mut Incoming,
        bytes: usize,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        if bytes < FAIR_BYTES {
            return body.frame().await;
        }
        yield_now().await;
        let turn = self.reading.acquire().await;
        let mut frame = body.frame();
        let there = poll_fn(|cx| Poll::Ready(Pin::new(&mut frame).poll(cx))).await;
        drop(turn);
        match there {
            Poll::Ready(frame) => frame,
            Poll::Pending => frame.await,
        }
    }
}

/// Reads the rest of a refused body and discards it.
///
/// A sender that is still sending when the connection closes sees a reset, and never the response that says
/// what is wrong.
pub(super) async fn drain(body: &mut Incoming) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DRAINED_BYTES_MAX {
                return;
            }
        }
    };
    // A sender that takes longer will not see the response.
    let _ = timeout(BODY_DEADLINE, read).await;
}
