//! Proxies that connect wherever they are asked to, and tell where that was.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver as Inbox, channel};

use super::listener;

/// A proxy that connects wherever it is asked to, and tells where that was.
pub fn proxy(greet: fn(&mut TcpStream) -> String) -> (SocketAddr, Inbox<String>) {
    let (listener, address) = listener();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let target = greet(&mut stream);
            let mut onward = TcpStream::connect(&target).unwrap();
            let _ = sender.send(target);
            let (mut back, mut on) = (stream.try_clone().unwrap(), onward.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut stream, &mut on));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut onward, &mut back);
                // The one end closes as the other did.
                let _ = back.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (address, asked)
}

pub fn http_connect(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.to_lowercase()
            .contains("proxy-authorization: basic dtpodw50zxiy"),
        "{head}"
    );
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

/// RFC 1928, without authentication and for IPv4 addresses.
pub fn socks5(stream: &mut TcpStream) -> String {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut methods = vec![0; head[1].into()];
    stream.read_exact(&mut methods).unwrap();
    stream.write_all(&[5, 0]).unwrap();
    let mut request = [0; 10];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(&request[..4], &[5, 1, 0, 1]);
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    let [.., a, b, c, d, high, low] = request;
    format!("{a}.{b}.{c}.{d}:{}", u16::from_be_bytes([high, low]))
}
