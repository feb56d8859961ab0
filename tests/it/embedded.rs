//! hookbox inside another Rust program, synchronous or on tokio.

use std::net::SocketAddr;

use hookbox::Hookbox;
use hookbox::model::endpoint::NewEndpoint;
use hookbox::model::event::NewEvent;

use crate::support::Receiver;

pub fn add_ci(hookbox: &Hookbox, receiver: &Receiver) {
    let url = receiver.url.parse().unwrap();
    hookbox
        .store()
        .add_endpoint(NewEndpoint::new("ci", url), hookbox.now())
        .unwrap();
}

pub fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn a_program_on_tokio_serves_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hookbox.db");
    let receiver = Receiver::answering(&[200]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let blocking = tokio::task::spawn_blocking(move || {
            let hookbox = Hookbox::open(&path).unwrap();
            add_ci(&hookbox, &receiver);
            let running = hookbox.serve().ingest(free()).start().unwrap();
            (hookbox, running, receiver)
        });
        let (hookbox, running, receiver) = blocking.await.unwrap();
        let sent = hookbox.clone();
        let accepted = tokio::task::spawn_blocking(move || {
            sent.enqueue(NewEvent::new("order.paid", "{}")).unwrap()
        });
        assert_eq!(accepted.await.unwrap().deliveries, 1);
        let received = tokio::task::spawn_blocking(move || receiver.next().body);
        assert_eq!(received.await.unwrap(), b"{}");
        // Even where somebody forgets that it blocks, nothing breaks.
        running.stop();
        hookbox.store().close();
    });
}
