//! What it costs to be offline, and how the backlog goes out when the endpoint is back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::endpoint::Endpoint;
use hookbox::outbound::{Exchange, OutboundRequest, Scheduler, SendResult, Transport};
use hookbox::time::ManualClock;
use rustix::time::{ClockId, clock_gettime};

use crate::BODY_BYTES;
use crate::options::Options;
use crate::processes::{Mode, Receiver, closed_port, wait_for_pending};
use crate::served::{BEFORE, Box};
use crate::table::{Goal, Row, Table};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The built binary while nobody listens, with 10,000 pending; then a receiver starts there.
pub(crate) fn outage(options: &Options, table: &Table) {
    const PENDING: u64 = 10_000;
    let seconds = if options.long { 600 } else { 120 };
    let here = Box::new(&options.folder);
    let address = closed_port();
    here.endpoint("edge", address);
    here.preload(PENDING, BODY_BYTES);
    let before = here.settled_bytes();
    let served = here.serve();
    std::thread::sleep(Duration::from_secs(seconds));
    let cpu = served.cpu().as_secs_f64() / seconds as f64 * 100.0;
    let written = served.written_bytes();
    let outage = here.store.endpoint_report("edge").unwrap().outage.unwrap();
    let named = |text: &str| format!("{seconds} s offline, 10,000 pending: {text}");
    for (name, value, unit, goal) in [
        ("of one core", cpu, "%", Goal::AtMost(1.0)),
        ("probes", outage.probes as f64, "", Goal::None),
        ("written", written as f64 / 1024.0, "KiB", Goal::None),
        (
            "file",
            (here.settled_bytes() as f64 - before as f64) / 1024.0,
            "KiB more",
            Goal::AtMost(1024.0),
        ),
        (
            "resident",
            served.memory_kib().1 as f64 / 1024.0,
            "MiB",
            Goal::AtMost(64.0),
        ),
    ] {
        table.print(&figure(named(name), value, unit, goal));
    }
    // It is back: the next probe is a minute away at most.
    let receiver = Receiver::start_at(address, Mode::Log);
    wait_for_pending(&here, 0);
    let received: Vec<u64> = receiver
        .log()
        .iter()
        .map(|(id, _)| id.split('_').nth(2).unwrap().parse().unwrap())
        .collect();
    let different: HashSet<&u64> = received.iter().collect();
    assert_eq!(different.len() as u64, PENDING, "every one got through");
    let ahead = received.iter().enumerate();
    let ahead = ahead.map(|(place, number)| number.saturating_sub(place as u64 + 1));
    for (name, value, unit, goal) in [
        (
            "back, sent twice",
            (received.len() - different.len()) as f64,
            "",
            Goal::AtMost(0.0),
        ),
        // Eight are on the wire at a time, and may overtake each other there.
        (
            "back, furthest ahead of its turn",
            ahead.max().unwrap_or(0) as f64,
            "",
            Goal::AtMost(8.0),
        ),
    ] {
        table.print(&figure(named(name), value, unit, goal));
    }
}

/// A week on a clock that is moved by hand: no time passes but that of the work itself.
pub(crate) fn week(options: &Options, table: &Table) {
    const PENDING: u64 = 100_000;
    let here = Box::new(&options.folder);
    here.endpoint("edge", closed_port());
    here.preload(PENDING, BODY_BYTES);
    let clock = Arc::new(ManualClock::at(BEFORE));
    let mut scheduler =
        Scheduler::new(here.store.clone(), clock.clone(), Arc::new(Away), 1).unwrap();
    let before = here.settled_bytes();
    let cpu = cpu_of_this_process();
    let mut probes = 0;
    for _ in 0..WEEK.as_secs() {
        probes += scheduler.run_due().unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let cpu = cpu_of_this_process() - cpu;
    let named = |text: &str| format!("a week offline, 100,000 pending: {text}");
    for (name, value, unit, goal) in [
        (
            "of one core",
            cpu.as_secs_f64() / WEEK.as_secs_f64() * 100.0,
            "%",
            Goal::AtMost(1.0),
        ),
        ("probes", probes as f64, "", Goal::None),
        (
            "file",
            (here.settled_bytes() as f64 - before as f64) / 1024.0,
            "KiB more",
            Goal::AtMost(1024.0),
        ),
    ] {
        table.print(&figure(named(name), value, unit, goal));
    }
}

fn figure(name: String, value: f64, unit: &'static str, goal: Goal) -> Row {
    Row {
        name,
        value,
        unit,
        share: None,
        goal,
    }
}

/// A network that is not there.
struct Away;

impl Transport for Away {
    fn send(&self, _: &Endpoint, _: &OutboundRequest) -> Exchange {
        Exchange {
            timing: Timing::default(),
            result: SendResult::Unreachable {
                error: "cannot connect: network is unreachable".to_owned(),
            },
        }
    }
}

fn cpu_of_this_process() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}
