//! Deliveries on which an endpoint closed the connection without a word: whether that speaks of the endpoint
//! or of the delivery shows by what becomes of others.

use std::collections::{HashSet, VecDeque};

use super::transport::Answer;
use crate::model::id::DeliveryId;
use crate::store::DueDelivery;

/// Most of them that are known at a time; then one begins anew.
const KNOWN_MAX: usize = 1_024;

/// What is known of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    known: HashSet<DeliveryId>,
    /// The latest delivery that is none of them was answered.
    others_pass: bool,
}

impl Suspects {
    /// Takes an answer in. One that was closed as before, while others were answered, is no outage: the
    /// delivery spends a try, as with any refusal.
    pub(super) fn hear(&mut self, delivery: DeliveryId, answer: &mut Answer) {
        match answer {
            Answer::Closed { error } if self.others_pass && self.known.contains(&delivery) => {
                let error = format!("{error}, while other deliveries are answered");
                *answer = Answer::Broken { error };
            }
            Answer::Closed { .. } => {
                self.others_pass = false;
                if self.known.len() >= KNOWN_MAX {
                    self.known.clear();
                }
                self.known.insert(delivery);
            }
            Answer::Unreachable { .. } => self.others_pass = false,
            Answer::Replied(_) | Answer::Broken { .. } => {
                self.known.remove(&delivery);
                self.others_pass = true;
            }
            Answer::Unsent { .. } => {}
        }
    }

    /// The first delivery that is none of them, else the first.
    pub(super) fn take_other(&self, ready: &mut VecDeque<DueDelivery>) -> Option<DueDelivery> {
        let other = ready.iter().position(|due| !self.known.contains(&due.id));
        ready.remove(other.unwrap_or(0))
    }
}
