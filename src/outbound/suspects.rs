//! Deliveries for which an endpoint closed the connection without a response.
//!
//! The cause may be the endpoint (unreachable) or the delivery (the endpoint does not accept this request).
//! What happens to other deliveries of the endpoint decides which.

use std::collections::{HashSet, VecDeque};

use super::transport::SendResult;
use crate::model::id::DeliveryId;
use crate::store::DueDelivery;

/// Most suspects kept for an endpoint; when there are more, the set is emptied.
const KNOWN_MAX: usize = 1_024;

/// The suspects of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    known: HashSet<DeliveryId>,
    /// Whether the latest delivery that is not a suspect got a response.
    others_pass: bool,
}

impl Suspects {
    /// Records a result, and changes it to [`SendResult::Broken`] if the delivery is the cause.
    ///
    /// If the connection is closed again for a suspect while other deliveries get responses, that is no
    /// outage: the delivery spends a try, as with any refused attempt.
    pub(super) fn hear(&mut self, delivery: DeliveryId, answer: &mut SendResult) {
        match answer {
            SendResult::Closed { error } if self.others_pass && self.known.contains(&delivery) => {
                let error = format!("{error}, while other deliveries are answered");
                *answer = SendResult::Broken { error };
            }
            SendResult::Closed { .. } => {
                self.others_pass = false;
                if self.known.len() >= KNOWN_MAX {
                    self.known.clear();
                }
                self.known.insert(delivery);
            }
            SendResult::Unreachable { .. } => self.others_pass = false,
            SendResult::Replied(_) | SendResult::Broken { .. } => {
                self.known.remove(&delivery);
                self.others_pass = true;
            }
            SendResult::Unsent { .. } => {}
        }
    }

    /// Takes the first delivery that is not a suspect, or the first if all are.
    pub(super) fn take_other(&self, ready: &mut VecDeque<DueDelivery>) -> Option<DueDelivery> {
        let other = ready.iter().position(|due| !self.known.contains(&due.id));
        ready.remove(other.unwrap_or(0))
    }
}
