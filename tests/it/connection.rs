//! How requests are made: headers, credentials, methods, certificates, proxies, the time to connect.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, channel};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::support::proxy::{http_connect, proxy, socks5};
use crate::support::{PATIENCE, ReceivedRequest, Receiver, TestDb, listener, wait_until};

#[test]
fn what_cannot_be_sent_is_refused_when_it_is_set() {
    let here = TestDb::new();
    let folder = here.folder.path();
    std::fs::write(folder.join("empty.pem"), "nothing").unwrap();
    let empty = folder.join("empty.pem");
    let blank = folder.join("blank.pem");
    std::fs::write(&blank, " \n").unwrap();
    for (arguments, says) in [
        (&["--header", "Host: x"][..], "made for each request"),
        (&["--header", "Authorization: Bearer x"], "--auth"),
        (&["--header", "nonsense"], "Name: value"),
        (
            &["--auth", "digest", "--auth-secret", "x"],
            "basic:USER, bearer or none",
        ),
        (&["--auth", "bearer"], "--auth-secret-file"),
        (&["--auth", "none", "--auth-secret", "-"], "goes with auth"),
        (&["--auth-secret", "-"], "goes with auth"),
        (&["--method", "GET"], "POST or PUT"),
        (&["--proxy", "h:1"], "proxy's URL"),
        (&["--connect-timeout", "0s"], "more than 0"),
        (&["--ca", empty.to_str().unwrap()], "no certificate"),
        // It would take away what is set.
        (&["--ca", blank.to_str().unwrap()], "blank.pem is empty"),
        (
            &["--client-cert", blank.to_str().unwrap()],
            "blank.pem is empty",
        ),
        (&["--header", "X-A: 1\nX-B: 2"], "line break"),
        (
            &["--client-cert", empty.to_str().unwrap()],
            "no certificate",
        ),
    ] {
        let mut all = vec!["endpoint", "add", "x", "http://h/"];
        all.extend_from_slice(arguments);
        let ran = here.run(&all);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    assert!(!here.is_made(), "nothing was made");
}

/// A certificate authority, a server that it vouches for, and a client that it vouches for.
struct Authority {
    ca_pem: String,
    server: (String, String),
    client_pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &ca).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let (certificate, key) = signed("client");
        Authority {
            ca_pem: ca.pem(),
            server: signed("127.0.0.1"),
            client_pem: format!("{certificate}{key}"),
        }
    }

    /// A receiver behind TLS, which asks for the client's certificate or does not.
    fn serve(&self, asks: bool) -> (SocketAddr, Inbox<ReceivedRequest>) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let ca = rustls::pki_types::CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = &self.server;
        let chain = rustls::pki_types::CertificateDer::pem_slice_iter(certificate.as_bytes())
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        let (listener, address) = listener();
        let (sender, got) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, stream));
                if let Some(request) = ReceivedRequest::read(&mut stream) {
                    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
                    let _ = stream.get_mut().write_all(answer);
                    stream.get_mut().conn.send_close_notify();
                    let _ = stream.get_mut().flush();
                    let _ = sender.send(request);
                }
            }
        });
        (address, got)
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_endpoint_of_a_private_authority_is_reached_when_that_is_given_and_not_otherwise() {
    let here = TestDb::new();
    let authority = Authority::new();
    let ca = write(here.folder.path(), "ca.pem", &authority.ca_pem);
    let (address, got) = authority.serve(false);
    here.add_endpoint("tls", &format!("https://{address}/"), &[]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    wait_until("the outage", || {
        let shown = here.json(&["endpoint", "show", "tls"]);
        let error = shown["outage"]["error"].as_str()?.to_owned();
        assert!(error.contains("certificate"), "{error}");
        Some(())
    });
    let set = here.json(&["endpoint", "set", "tls", "--ca", &ca]);
    assert_eq!(set["connection"]["ca"], 1);
    got.recv_timeout(PATIENCE).unwrap();
    here.wait_for_state("1", "delivered");
}

#[test]
fn an_endpoint_that_asks_for_a_certificate_is_shown_one() {
    let here = TestDb::new();
    let authority = Authority::new();
    // A key of somebody else's would be found out by the first connection only, and there by a
    // panic of the library.
    let stranger = Authority::new();
    let (certificate, _) = authority
        .client_pem
        .split_once("-----BEGIN PRIVATE")
        .unwrap();
    let (_, key) = stranger
        .client_pem
        .split_once("-----BEGIN PRIVATE")
        .unwrap();
    let mixed = format!("{certificate}-----BEGIN PRIVATE{key}");
    let mixed = write(here.folder.path(), "mixed.pem", &mixed);
    let refused = here.run(&[
        "endpoint",
        "add",
        "x",
        "https://h/",
        "--client-cert",
        &mixed,
    ]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("cannot be used together"),
        "{}",
        refused.stderr
    );
    let ca = write(here.folder.path(), "ca.pem", &authority.ca_pem);
    let client = write(here.folder.path(), "client.pem", &authority.client_pem);
    let (address, got) = authority.serve(true);
    let url = format!("https://{address}/");
    here.add_endpoint("tls", &url, &["--ca", &ca, "--client-cert", &client]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    got.recv_timeout(PATIENCE).unwrap();
    here.wait_for_state("1", "delivered");
    let shown = here.run(&["endpoint", "show", "tls", "--json"]);
    assert!(
        shown.text().contains("\"client_cert\":true"),
        "{}",
        shown.text()
    );
    assert!(!shown.text().contains("PRIVATE KEY"));
}

#[test]
fn requests_go_through_the_proxy_that_is_set() {
    for (scheme, greet) in [
        (
            "http://u:hunter2@",
            http_connect as fn(&mut TcpStream) -> String,
        ),
        ("socks5://", socks5),
    ] {
        let here = TestDb::new();
        let receiver = Receiver::answering(&[200]);
        let (address, asked) = proxy(greet);
        let url = format!("{scheme}{address}");
        here.add_endpoint("far", &receiver.url, &["--proxy", &url]);
        let served = here.serve();
        here.json(&["enqueue", "--type", "x", "--data", "{}"]);
        let target = asked.recv_timeout(PATIENCE).unwrap();
        assert_eq!(target, receiver.address.to_string(), "{scheme}");
        receiver.next();
        here.wait_for_state("1", "delivered");
        let shown = here.run(&["endpoint", "show", "far", "--json"]);
        assert!(!shown.text().contains("hunter2") && !served.log().contains("hunter2"));
    }
}

#[test]
fn an_endpoint_that_does_not_let_itself_be_connected_to_in_time_is_unreachable() {
    let here = TestDb::new();
    // It accepts and says nothing, so TLS does not come up.
    let (_silent, address) = listener();
    let url = format!("https://{address}/");
    here.add_endpoint("tls", &url, &["--connect-timeout", "200ms"]);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    wait_until("the outage", || {
        let shown = here.json(&["endpoint", "show", "tls"]);
        let error = shown["outage"]["error"].as_str()?.to_owned();
        assert_eq!(error, "cannot connect within 200ms");
        Some(())
    });
    assert_eq!(here.json(&["delivery", "show", "1"])["tries"], 0);
}
