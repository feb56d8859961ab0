//! The promises of hookbox, tested through its public API and its built binary: one file a kind
//! of promise. What is held by looking into the SQLite file itself is in `sqlite`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "tests are read, not documented"
)]

mod access;
mod age;
mod alerts;
mod api;
mod backoff;
mod browser;
mod bulk;
mod bundles;
mod chats;
mod cli;
mod clock;
mod config;
mod connection;
mod corpus;
mod crash;
mod dependencies;
mod door;
mod egress;
mod embedded;
mod examples;
mod filters;
mod forms;
mod gallery;
mod handshakes;
mod holds;
mod hostile;
mod languages;
mod layers;
mod many;
mod messages;
mod metrics;
mod moving;
mod mysql;
mod nodes;
mod order;
mod outbox;
mod pace;
mod packaging;
mod pages;
mod payloads;
mod poison;
mod postgres;
mod producers;
mod readme;
mod redelivery;
mod rejections;
mod relay;
mod replay;
mod replay_commands;
mod replies;
mod retention;
mod retries;
mod schedule;
mod senders;
mod sending;
mod service;
mod signing;
mod simulation;
mod sources;
mod sqlite;
mod status;
mod strangers;
mod support;
mod tail;
mod taken_in;
mod template;
mod terminal;
mod typed;
mod verifiers;
mod windows;
mod wire;
