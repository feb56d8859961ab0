//! A request's head as it came: header names in their own case, in received order.
//!
//! hyper gives header names in lower case and does not keep their order. But hookbox promises "the
//! producer's headers, exactly". So the bytes of each head are copied on their way to hyper and parsed once
//! more. If that cannot be done (a client that pipelines), hyper's view is used: the same headers, in lower
//! case.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use hyper::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::model::header::Header;

/// Most headers of a request; this is hyper's own limit.
pub(super) const HEADERS_MAX: usize = 100;

/// Most bytes of a head.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How far the connection is in its current request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Bytes that arrive belong to a head.
    Head,
    /// The head is complete, or its request is being answered: bytes that arrive are not copied.
    Request,
    /// The response is ready; after it is written the next head begins.
    Answering,
}

#[derive(Debug)]
struct Capture {
    phase: Phase,
    bytes: Vec<u8>,
}

/// The head of the current request, shared by the socket and the service.
#[derive(Debug, Clone)]
pub(super) struct Head(Arc<Mutex<Capture>>);

impl Head {
    pub(super) fn new() -> Head {
        Head(Arc::new(Mutex::new(Capture {
            phase: Phase::Head,
            bytes: Vec::new(),
        })))
    }

    /// Returns the headers of the request that hyper has just parsed.
    pub(super) fn take(&self, parsed: &HeaderMap) -> Vec<Header> {
        let bytes = {
            let mut capture = self.lock();
            capture.phase = Phase::Request;
            std::mem::take(&mut capture.bytes)
        };
        match parse(&bytes) {
            Some(headers) if agrees(&headers, parsed) => headers,
            _ => parsed
                .iter()
                .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                .collect(),
        }
    }

    /// Marks that the response to the request is ready.
    pub(super) fn answered(&self) {
        self.lock().phase = Phase::Answering;
    }

    /// Whether a head has begun and is not complete.
    pub(super) fn is_partial(&self) -> bool {
        let capture = self.lock();
        capture.phase == Phase::Head && !capture.bytes.is_empty()
    }

    pub(super) fn arrived(&self, bytes: &[u8]) {
        let mut capture = self.lock();
        if capture.phase != Phase::Head {
            return;
        }
        let seen = capture.bytes.len().saturating_sub(3);
        let room = HEAD_BYTES_MAX.saturating_sub(capture.bytes.len());
        capture
            .bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        let ended = capture.bytes[seen..]
            .windows(4)
            .any(|four| four == b"\r\n\r\n");
        if ended || bytes.len() > room {
            capture.phase = Phase::Request;
        }
    }

    fn written(&self) {
        let mut capture = self.lock();
        if capture.phase == Phase::Answering {
            capture.phase = Phase::Head;
            // A request that was refused by its path alone never took its head.
            capture.bytes.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Capture> {
        self.0.lock().expect("nobody panics with the head locked")
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<Header>> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut slots);
    if !request.parse(bytes).ok()?.is_complete() {
        return None;
    }
    Some(
        request
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), text(header.value)))
            .collect(),
    )
}

/// Whether both views hold the same headers.
fn agrees(headers: &[Header], parsed: &HeaderMap) -> bool {
    headers.len() == parsed.len()
        && headers.iter().all(|(name, value)| {
            parsed
                .get_all(name.as_str())
                .iter()
                .any(|held| text(held.as_bytes()) == *value)
        })
}

/// Reads a header's value as text.
///
/// Values are bytes (RFC 9110, section 5.5). A value that is not UTF-8 is read as ISO-8859-1, its
/// historical meaning.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A socket that copies the bytes passing over it to a [`Head`].
#[derive(Debug)]
pub(super) struct Observed<S> {
    pub(super) stream: S,
    pub(super) head: Head,
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some(new) = buf.filled().get(before..)
            && !new.is_empty()
        {
            this.head.arrived(new);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.head.written();
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.head.written();
        Pin::new(&mut this.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn names_keep_their_case_and_order_also_when_the_head_comes_in_pieces() {
        let head = Head::new();
        head.arrived(b"POST /in/gogs HTTP/1.1\r\nX-Gogs-Event: pu");
        assert!(head.is_partial());
        head.arrived(b"sh\r\nHost: h\r\nX-Gogs-Delivery: 1\r\n\r");
        head.arrived(b"\n{\"body\":1}");
        let parsed = map(&[
            ("host", "h"),
            ("x-gogs-delivery", "1"),
            ("x-gogs-event", "push"),
        ]);
        let names: Vec<String> = head
            .take(&parsed)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["X-Gogs-Event", "Host", "X-Gogs-Delivery"]);
    }

    #[test]
    fn the_next_head_begins_when_the_answer_is_written_and_not_before() {
        let head = Head::new();
        head.arrived(b"POST / HTTP/1.1\r\nA: 1\r\n\r\n");
        head.take(&map(&[("a", "1")]));
        head.written(); // 100 Continue
        head.arrived(b"body");
        head.answered();
        head.written();
        head.arrived(b"POST / HTTP/1.1\r\nB: 2\r\n\r\n");
        assert_eq!(
            head.take(&map(&[("b", "2")])),
            [("B".to_owned(), "2".to_owned())]
        );
    }

    #[test]
    fn a_head_that_nobody_took_is_forgotten_with_its_answer_and_never_grows_past_its_limit() {
        let head = Head::new();
        head.arrived(b"GET /healthz HTTP/1.1\r\nA: 1\r\n\r\n");
        head.answered();
        head.written();
        assert!(!head.is_partial());
        head.arrived(b"POST / HTTP/1.1\r\nB: 2\r\n\r\n");
        assert_eq!(
            head.take(&map(&[("b", "2")])),
            [("B".to_owned(), "2".to_owned())]
        );
        head.answered();
        head.written();
        for _ in 0..10 {
            head.arrived(&[b'x'; 60_000]);
        }
        assert!(head.lock().bytes.len() <= HEAD_BYTES_MAX);
    }

    #[test]
    fn where_the_bytes_do_not_fit_hypers_view_is_taken() {
        let head = Head::new();
        head.arrived(b"garbage");
        assert_eq!(
            head.take(&map(&[("a", "1")])),
            [("a".to_owned(), "1".to_owned())]
        );
    }

    #[test]
    fn a_value_that_is_not_utf8_is_read_as_latin1() {
        assert_eq!(text(b"caf\xe9"), "café");
    }
}
