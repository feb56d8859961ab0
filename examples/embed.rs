//! hookbox inside a Rust program, with the way in and the status page:
//! `cargo run --example embed -- app.db`
//!
//! It ends when its standard input does (Ctrl-D).
#![allow(clippy::print_stdout, reason = "an example that shows what it does")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a database: app.db")?;
    let hookbox = hookbox::Hookbox::open_in_wal_mode(&path)?;
    let running = hookbox
        .serve()
        .ingest("127.0.0.1:8420".parse()?) // leave out what you do not need
        .status("127.0.0.1:8421".parse()?)
        .start()?;
    println!("the status page is at http://127.0.0.1:8421/");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    running.stop();
    Ok(())
}
