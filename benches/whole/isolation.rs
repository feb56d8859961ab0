//! What one endpoint in trouble, or with a long queue, costs another.

use std::collections::HashMap;
use std::time::Duration;

use crate::BODY_BYTES;
use crate::driver::Load;
use crate::options::{Options, median};
use crate::processes::{Mode, Receiver, drive};
use crate::served::{BEFORE, Box};
use crate::table::{Goal, Row, Table};

/// What the quick endpoint has to get.
const QUEUE: i64 = 50_000;

/// Who else is owed the same events.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Company {
    others: usize,
    does: Others,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Others {
    /// They are held: what they are owed is rows in the file and nothing else.
    Held,
    /// They take connections and never answer.
    Hang,
}

/// How fast an endpoint's queue drains beside endpoints that hang, as a share of what it does beside
/// as many that are held; and how long an event takes to an endpoint beside one with a million
/// pending.
pub(crate) fn isolation(options: &Options, table: &Table) {
    let company = |others, does| Company { others, does };
    let pairs = [1, 50].map(|n| (company(n, Others::Hang), company(n, Others::Held)));
    let alone = company(0, Others::Held);
    let mut taken: HashMap<Company, Vec<f64>> = HashMap::new();
    for _ in 0..options.repeats {
        let each = pairs.iter().flat_map(|(hang, held)| [*hang, *held]);
        for company in std::iter::once(alone).chain(each) {
            let rate = drain_beside(options, company);
            taken.entry(company).or_default().push(rate);
        }
    }
    let rate = |company: Company| median(taken[&company].clone());
    let row = |beside: String, company, share, goal| Row {
        name: format!("drain of {QUEUE}, {beside}"),
        value: rate(company),
        unit: "events/s",
        share,
        goal,
    };
    table.print(&row("alone".to_owned(), alone, None, Goal::None));
    for (hang, held) in pairs {
        let others = hang.others;
        let share = Some((rate(held) / rate(alone), "alone"));
        table.print(&row(format!("{others} held"), held, share, Goal::None));
        let share = Some((rate(hang) / rate(held), "as many held"));
        table.print(&row(
            format!("{others} hanging"),
            hang,
            share,
            Goal::AtLeast(0.9),
        ));
    }
    for (name, is_busy) in [("nobody else", false), ("1,000,000 that go out", true)] {
        let (p50, p99) = latency_beside(options, is_busy);
        for (which, value, goal) in [("p50", p50, 2.0), ("p99", p99, 10.0)] {
            table.print(&Row {
                name: format!("to received at 20/s beside {name}, {which}"),
                value,
                unit: "ms",
                share: None,
                goal: Goal::AtMost(goal),
            });
        }
    }
}

/// Events a second to the quick endpoint.
fn drain_beside(options: &Options, company: Company) -> f64 {
    let here = Box::new(&options.folder);
    let (quick, hanging) = (Receiver::start(Mode::Count), Receiver::start(Mode::Hang));
    here.endpoint("quick", quick.address);
    for number in 0..company.others {
        let name = format!("other{number}");
        here.endpoint(&name, hanging.address);
        if company.does == Others::Held {
            here.store
                .hold_endpoint(&name, "in the way", BEFORE)
                .unwrap();
        }
    }
    here.preload(QUEUE as u64, BODY_BYTES);
    let served = here.serve();
    while here.store.endpoint_report("quick").unwrap().pending > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    QUEUE as f64 / served.began.elapsed().as_secs_f64()
}

/// From the answer "accepted" to the receiver, in milliseconds, while another endpoint's million
/// goes out or nothing else does.
fn latency_beside(options: &Options, is_busy: bool) -> (f64, f64) {
    let here = Box::new(&options.folder);
    let (quick, busy) = (Receiver::start(Mode::Log), Receiver::start(Mode::Count));
    if is_busy {
        here.endpoint("busy", busy.address);
        // Small, so that a million is there soon.
        here.preload(1_000_000, 1_024);
    }
    here.endpoint("quick", quick.address);
    let served = here.serve();
    let accepted = drive(&Load {
        address: served.ingest,
        senders: 1,
        seconds: options.seconds * 3.0,
        total: u64::MAX,
        rate: 20.0,
        body_bytes: BODY_BYTES,
        log: true,
    });
    if is_busy {
        let left = here.store.endpoint_report("busy").unwrap().pending;
        assert!(left > 0, "the million went out meanwhile");
    }
    while here.store.endpoint_report("quick").unwrap().pending > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    quick.took_ms(&accepted)
}
