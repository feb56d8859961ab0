//! A scripted transport: strict, so that an unexpected call fails the test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use hookbox::model::attempt::Response;
use hookbox::model::attempt::Timing;
use hookbox::model::endpoint::Endpoint;
use hookbox::outbound::{Exchange, OutboundRequest, SendResult, Transport};

/// A transport that gives the answers of its script, in turn; one call too many panics.
#[derive(Clone, Default)]
pub struct Script {
    state: Arc<Mutex<ScriptState>>,
}

#[derive(Default)]
struct ScriptState {
    answers: VecDeque<SendResult>,
    forever: Option<SendResult>,
    sent: Vec<(String, OutboundRequest)>,
}

impl Script {
    pub fn then(self, answer: SendResult) -> Script {
        self.state.lock().unwrap().answers.push_back(answer);
        self
    }

    /// When the script is at its end, answer this ever after.
    pub fn forever(self, answer: SendResult) -> Script {
        self.state.lock().unwrap().forever = Some(answer);
        self
    }

    /// What was sent since the last look: endpoint and request.
    pub fn take_sent(&self) -> Vec<(String, OutboundRequest)> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }
}

impl Transport for Script {
    fn send(&self, endpoint: &Endpoint, request: &OutboundRequest) -> Exchange {
        let mut state = self.state.lock().unwrap();
        state
            .sent
            .push((endpoint.set.name.clone(), request.clone()));
        let answer = state.answers.pop_front().or_else(|| state.forever.clone());
        Exchange {
            timing: Timing::default(),
            result: answer.expect("the script is at its end"),
        }
    }
}

pub fn replied(status: u16) -> SendResult {
    replied_with(status, &[])
}

pub fn replied_with(status: u16, headers: &[(&str, &str)]) -> SendResult {
    let headers = headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    SendResult::Replied(Response {
        status,
        headers,
        body: b"noted".to_vec(),
        ..Response::default()
    })
}

pub fn unreachable() -> SendResult {
    SendResult::Unreachable {
        error: "cannot connect: connection refused".to_owned(),
    }
}
