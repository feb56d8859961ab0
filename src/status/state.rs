//! The state that every request shares.

use std::net::SocketAddr;
use std::sync::Arc;

use super::access::{Access, Moment};
use super::config::{Neighbours, StatusConfig};
use super::guard::Guard;
use super::in_progress_keys::InProgressKeys;
use crate::error::Result;
use crate::store::Store;
use crate::time::Clock;

/// The state that every request shares.
pub(super) struct AppState {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) guard: Guard,
    pub(super) access: Access,
    pub(super) under_way: InProgressKeys,
    pub(super) neighbours: Neighbours,
}

impl AppState {
    /// Now, by both clocks.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            time: self.clock.now(),
            elapsed: self.clock.elapsed(),
        }
    }

    pub(super) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        address: SocketAddr,
        config: &StatusConfig,
        neighbours: Neighbours,
    ) -> Result<AppState> {
        Ok(AppState {
            clock,
            guard: Guard::new(
                address,
                config.names.clone(),
                &store.derived_secret("forms of the status page")?,
            ),
            access: Access::new(
                config.tokens.clone(),
                &store.derived_secret("sessions of the status page")?,
            ),
            under_way: InProgressKeys::default(),
            neighbours,
            store,
        })
    }
}
