//! The receiver, a process of its own: answers 204 to everything, counts, and can say when each
//! event came; or hangs. One thread on epoll: a thread a connection would halve what can be measured.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::now_ns;
use crate::processes::Mode;
use crate::wire::{Connection, header};

const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

#[derive(Default)]
struct Seen {
    count: Cell<u64>,
    bytes: Cell<u64>,
    /// Which event came when, if asked for.
    log: Option<RefCell<Vec<(String, u64)>>>,
    hangs: bool,
}

/// Serves until it is killed; prints its address first.
pub(crate) fn run(address: &str, mode: Mode) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let seen = Rc::new(Seen {
        log: (mode == Mode::Log).then(RefCell::default),
        hangs: mode == Mode::Hang,
        ..Seen::default()
    });
    let address = address.to_owned();
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(address).await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(serve(Connection::new(stream), seen.clone()));
        }
    });
}

async fn serve(mut connection: Connection, seen: Rc<Seen>) {
    while let Ok(Some(message)) = connection.read().await {
        let answer = if message.head.starts_with(b"POST ") {
            seen.count.set(seen.count.get() + 1);
            seen.bytes.set(seen.bytes.get() + message.body.len() as u64);
            if let Some(log) = &seen.log {
                // The driver's events have a key, those that were preloaded the id alone.
                let names = ["x-gogs-delivery", "webhook-id"];
                let key = names.iter().find_map(|name| header(&message.head, name));
                log.borrow_mut()
                    .push((key.expect("an id").to_owned(), now_ns()));
            }
            if seen.hangs {
                continue;
            }
            connection.write(NO_CONTENT).await
        } else {
            let body = report(&message.head, &seen);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            connection.write(format!("{head}{body}").as_bytes()).await
        };
        if answer.is_err() {
            return;
        }
    }
}

fn report(head: &[u8], seen: &Seen) -> String {
    if !head.starts_with(b"GET /log") {
        return format!("{} {}", seen.count.get(), seen.bytes.get());
    }
    let mut text = String::new();
    for (key, at) in seen.log.iter().flat_map(|log| log.take()) {
        let _ = writeln!(text, "{key} {at}");
    }
    text
}
