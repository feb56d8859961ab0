//! The receiver, a process of its own: answers 204 to everything, counts, and can say when each
//! event came; or hangs.
//!
//! One thread on epoll, one read and one write a request: a thread a connection would halve what can be
//! measured, and an asynchronous runtime takes a third more of the processor that sender and receiver share.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use memchr::memmem::find;
use rustix::event::epoll;

use crate::now_ns;
use crate::processes::Mode;
use crate::wire::header;

const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The number of the listener among the connections, which go by their descriptors.
const LISTENER: u64 = u64::MAX;

struct Receiver {
    count: u64,
    bytes: u64,
    /// Which event came when, if asked for.
    log: Option<Vec<(String, u64)>>,
    hangs: bool,
}

/// A connection with what was read beyond the last message.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// Serves until it is killed; prints its address first.
pub(crate) fn run(address: &str, mode: Mode) {
    let mut receiver = Receiver {
        count: 0,
        bytes: 0,
        log: (mode == Mode::Log).then(Vec::new),
        hangs: mode == Mode::Hang,
    };
    let listener = TcpListener::bind(address).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let watch = |fd: &dyn std::os::fd::AsFd, number| {
        let data = epoll::EventData::new_u64(number);
        epoll::add(&ready, fd.as_fd(), data, epoll::EventFlags::IN).unwrap();
    };
    watch(&listener, LISTENER);
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut events = Vec::with_capacity(128);
    loop {
        events.clear();
        match epoll::wait(&ready, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                let (stream, _) = listener.accept().unwrap();
                stream.set_nonblocking(true).unwrap();
                // Without this small messages wait for each other.
                stream.set_nodelay(true).unwrap();
                let number = u64::try_from(stream.as_raw_fd()).unwrap();
                watch(&stream, number);
                let connection = Connection {
                    stream,
                    buffer: vec![0; 16 * 1024],
                    filled: 0,
                };
                connections.insert(number, connection);
                continue;
            }
            let connection = connections.get_mut(&number).unwrap();
            if !connection.read(&mut receiver) {
                // Closing it takes it out of what is waited for.
                connections.remove(&number);
            }
        }
    }
}

impl Connection {
    /// Reads what is there and answers the messages that are whole; whether the other side goes on.
    fn read(&mut self, receiver: &mut Receiver) -> bool {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return false,
            Ok(read) => self.filled += read,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        let mut at = 0;
        while let Some(length) = message_length(&self.buffer[at..self.filled]) {
            if at + length > self.buffer.len() {
                self.buffer.resize(at + length, 0);
            }
            if at + length > self.filled {
                break;
            }
            if !receiver.answer(&mut self.stream, &self.buffer[at..at + length]) {
                return false;
            }
            at += length;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        if self.filled == self.buffer.len() {
            self.buffer.resize(2 * self.filled, 0);
        }
        true
    }
}

/// The length of the message with which these bytes begin, once its head is whole.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let body = header(&bytes[..head], "content-length").and_then(|value| value.parse().ok());
    Some(head + body.unwrap_or(0))
}

impl Receiver {
    fn answer(&mut self, stream: &mut TcpStream, message: &[u8]) -> bool {
        if !message.starts_with(b"POST ") {
            let body = self.report(message);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.set_nonblocking(false).unwrap();
            return stream.write_all(format!("{head}{body}").as_bytes()).is_ok();
        }
        self.count += 1;
        let head = find(message, b"\r\n\r\n").map_or(0, |at| at + 4);
        self.bytes += (message.len() - head) as u64;
        if let Some(log) = &mut self.log {
            // The driver's events have a key, those that were preloaded the id alone.
            let names = ["x-gogs-delivery", "webhook-id"];
            let key = names.iter().find_map(|name| header(&message[..head], name));
            log.push((key.expect("an id").to_owned(), now_ns()));
        }
        self.hangs || stream.write_all(NO_CONTENT).is_ok()
    }

    fn report(&mut self, head: &[u8]) -> String {
        if !head.starts_with(b"GET /log") {
            return format!("{} {}", self.count, self.bytes);
        }
        let mut text = String::new();
        for (key, at) in self.log.iter_mut().flat_map(std::mem::take) {
            let _ = writeln!(text, "{key} {at}");
        }
        text
    }
}
