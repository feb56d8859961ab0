//! The load driver, a process of its own: posts signed Gogs pushes from so many keep-alive
//! senders, each strictly one after the other, and says how long each answer took.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hookbox::signature::{Secret, gogs};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, interval, sleep_until};

use crate::wire::Connection;
use crate::{BODY_BYTES, GOGS_SECRET, now_ns, payload};

/// What to do.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) senders: usize,
    /// Stop after so long, or after so many events, whichever is first.
    pub(crate) seconds: f64,
    pub(crate) total: u64,
    /// Events a second over all senders; 0 sends as fast as answers come.
    pub(crate) rate: f64,
    pub(crate) body_bytes: usize,
    /// Whether to say of each event when its answer came.
    pub(crate) log: bool,
}

impl Load {
    /// One sender, as fast as it is answered, with pushes of the usual size and for so long.
    pub(crate) fn of(address: SocketAddr, seconds: f64) -> Load {
        Load {
            address,
            senders: 1,
            seconds,
            total: u64::MAX,
            rate: 0.0,
            body_bytes: BODY_BYTES,
            log: false,
        }
    }
}

struct Work {
    load: Load,
    head: String,
    body: Vec<u8>,
    began: Instant,
    sent: Cell<u64>,
    took_us: RefCell<Vec<u32>>,
    failed: Cell<u64>,
    log: RefCell<Vec<String>>,
}

/// Runs the load and prints one JSON object.
pub(crate) fn run(load: Load) {
    let body = payload::push(load.body_bytes);
    let secret = Secret::new(GOGS_SECRET).unwrap();
    let signature = gogs::sign(&secret, Some("application/json"), &body);
    let head = format!(
        "POST /in/gogs HTTP/1.1\r\nHost: {}\r\nUser-Agent: GogsServer\r\nContent-Length: {}\r\nContent-Type: application/json\r\nX-Github-Event: push\r\nX-Gogs-Event: push\r\nX-Gogs-Signature: {signature}\r\nAccept-Encoding: gzip\r\n",
        load.address,
        body.len(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async move {
        let work = Rc::new(Work {
            head,
            body,
            began: Instant::now(),
            sent: Cell::new(0),
            took_us: RefCell::default(),
            failed: Cell::new(0),
            log: RefCell::default(),
            load,
        });
        let senders: Vec<_> = (0..work.load.senders)
            .map(|number| tokio::task::spawn_local(send(number, work.clone())))
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        report(&work);
    });
}

async fn send(number: usize, work: Rc<Work>) {
    let load = &work.load;
    let mut connection = Connection::new(TcpStream::connect(load.address).await.unwrap());
    let mut random = fastrand::Rng::with_seed(now_ns() ^ number as u64);
    let deadline = work.began + Duration::from_secs_f64(load.seconds);
    let mut pace = (load.rate > 0.0)
        .then(|| interval(Duration::from_secs_f64(load.senders as f64 / load.rate)));
    if load.rate > 0.0 {
        // Senders that are paced begin spread over one period.
        sleep_until(work.began + Duration::from_secs_f64(number as f64 / load.rate)).await;
    }
    let mut request = Vec::new();
    while Instant::now() < deadline && work.sent.get() < load.total {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        work.sent.set(work.sent.get() + 1);
        // A version 4 UUID, as Gogs makes them.
        let (high, low) = (random.u64(..), random.u64(..));
        let key = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 50),
            low & 0xffff_ffff_ffff
        );
        request.clear();
        request.extend_from_slice(work.head.as_bytes());
        request.extend_from_slice(
            format!("X-Github-Delivery: {key}\r\nX-Gogs-Delivery: {key}\r\n\r\n").as_bytes(),
        );
        request.extend_from_slice(&work.body);
        let began = Instant::now();
        connection.write(&request).await.unwrap();
        let answer = connection.read().await.unwrap().expect("an answer");
        let took = began.elapsed();
        if answer.starts_with(b"HTTP/1.1 202") {
            work.took_us
                .borrow_mut()
                .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            if load.log {
                work.log.borrow_mut().push(format!("{key} {}", now_ns()));
            }
        } else {
            work.failed.set(work.failed.get() + 1);
        }
    }
}

fn report(work: &Work) {
    let seconds = work.began.elapsed().as_secs_f64();
    let mut took = work.took_us.take();
    took.sort_unstable();
    let at = |share: f64| {
        took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1)))
            .copied()
    };
    println!(
        "{}",
        json!({
            "accepted": took.len(),
            "failed": work.failed.get(),
            "seconds": seconds,
            "per_second": took.len() as f64 / seconds,
            "p50_us": at(0.5),
            "p99_us": at(0.99),
            "max_us": took.last(),
            "log": work.log.take(),
        })
    );
}
