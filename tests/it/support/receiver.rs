//! Real receivers: they listen, keep what they got, and answer as they are told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Inbox, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{FREE_PORT, PATIENCE};

/// What a receiver got.
#[derive(Debug)]
pub struct ReceivedRequest {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl ReceivedRequest {
    /// Reads one request; `None` at the connection's end.
    pub fn read(stream: &mut impl BufRead) -> Option<ReceivedRequest> {
        let mut line = String::new();
        stream
            .read_line(&mut line)
            .ok()
            .filter(|bytes| *bytes > 0)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            line.clear();
            stream
                .read_line(&mut line)
                .ok()
                .filter(|bytes| *bytes > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut got = ReceivedRequest {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        // A GET has none.
        let length = got
            .header("content-length")
            .map_or(Ok(0), str::parse)
            .ok()?;
        got.body = vec![0; length];
        stream.read_exact(&mut got.body).ok()?;
        Some(got)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let of_name = self
            .headers
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str())
    }
}

/// A real HTTP receiver that answers the given statuses in turn, the last one ever after.
///
/// A thread a connection, made here: `tiny_http` gives a connection that comes while another one
/// is being handed to an idle thread to that same thread, where it waits until the other closes.
pub struct Receiver {
    pub url: String,
    pub address: SocketAddr,
    got: Inbox<ReceivedRequest>,
    stopped: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Receiver {
    pub fn answering(statuses: &[u16]) -> Receiver {
        Receiver::saying(statuses, "noted")
    }

    /// A receiver that says this in the body of each answer.
    pub fn saying(statuses: &[u16], says: &'static str) -> Receiver {
        Receiver::listening(listener().0, statuses, says)
    }

    /// A receiver on a given address, for one that comes back where it was.
    pub fn on(address: &str, statuses: &[u16]) -> Receiver {
        Receiver::listening(TcpListener::bind(address).unwrap(), statuses, "noted")
    }

    fn listening(listener: TcpListener, statuses: &[u16], says: &'static str) -> Receiver {
        let address = listener.local_addr().unwrap();
        let (sender, got) = channel();
        let statuses: VecDeque<u16> = statuses.iter().copied().collect();
        let statuses = Arc::new(Mutex::new(statuses));
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = stopped.clone();
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (sender, statuses) = (sender.clone(), statuses.clone());
                let is_stopped = is_stopped.clone();
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some(got) = ReceivedRequest::read(&mut stream) {
                        if is_stopped.load(Ordering::Relaxed) {
                            return;
                        }
                        let mut statuses = statuses.lock().unwrap();
                        let status = match statuses.len() {
                            1 => statuses[0],
                            _ => statuses.pop_front().unwrap(),
                        };
                        drop(statuses);
                        let body = if status == 204 { "" } else { says };
                        let answer = format!(
                            "HTTP/1.1 {status} As Asked\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        let _ = stream.get_mut().write_all(answer.as_bytes());
                        let _ = sender.send(got);
                    }
                });
            }
        });
        Receiver {
            url: format!("http://{address}/hook"),
            address,
            got,
            stopped,
            listening: Some(listening),
        }
    }

    /// The next request, when it comes.
    pub fn next(&self) -> ReceivedRequest {
        self.got.recv_timeout(PATIENCE).expect("a request")
    }

    pub fn got_nothing_more(&self) -> bool {
        self.got.try_recv().is_err()
    }
}

impl Drop for Receiver {
    /// Wakes the listening thread, which then gives the port free.
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().unwrap().join();
    }
}

/// Listens on a port that the system chooses. Whoever connects waits until the test accepts.
pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(FREE_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Listens, and does this with each connection, on a thread of its own.
pub fn serve_each(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let (listener, address) = listener();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A port where nobody listens.
pub fn closed_port() -> u16 {
    listener().1.port()
}
