//! Rows as other programs and people leave them: put in, edited or taken away by SQL while the service or
//! a command works on them.

use std::sync::Arc;
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::chat::Chat;
use hookbox::model::endpoint::{Endpoint, Format};
use hookbox::outbound::{Exchange, OutboundRequest, Transport};
use hookbox::store::Store;

use crate::support::{Bench, replied};

#[test]
fn a_hold_that_cannot_be_written_keeps_nothing_back() {
    /// While it is asked, somebody takes the delivery out of the file by hand.
    struct Emptied(Store);
    impl Transport for Emptied {
        fn send(&self, endpoint: &Endpoint, _: &OutboundRequest) -> Exchange {
            if endpoint.name == "team" {
                let connection = rusqlite::Connection::open(self.0.path()).unwrap();
                let emptied = "delete from hookbox_delivery where endpoint_id = 1;";
                connection.execute_batch(emptied).unwrap();
            }
            Exchange {
                timing: Timing::default(),
                answer: replied(404),
            }
        }
    }
    let mut bench = Bench::over(|store, _| Arc::new(Emptied(store.clone())));
    bench.endpoint_with("team", |new| new.format = Format::Chat(Chat::Slack));
    bench.endpoint("other");
    for _ in 0..2 {
        bench.event();
        assert!(bench.scheduler.run_due().is_err());
        bench.advance(Duration::from_secs(2));
    }
    let report = bench.store.endpoint_report("team").unwrap();
    assert!(report.endpoint.held.is_none());
}
