//! What a delivery sends, as its page shows it.

use super::state::AppState;
use crate::error::{Error, Result};
use crate::model::delivery::DeliveryRecord;
use crate::model::endpoint::Endpoint;
use crate::model::sendable::ShownRequest;
use crate::time::Timestamp;

/// The request that would carry a delivery to its endpoint now; with secrets and signatures if it is
/// `for_real`.
pub(super) fn request_of(
    app: &AppState,
    delivery: &DeliveryRecord,
    endpoint: &Endpoint,
    now: Timestamp,
    for_real: bool,
) -> Result<ShownRequest> {
    let box_id = app.store.box_id();
    let event = app.store.sendable_event(delivery.event)?;
    let id = box_id.delivery(delivery.id);
    let (webhook_id, event) = match delivery.has_new_id {
        true => (id.clone(), event.renamed(&id)),
        false => (box_id.event(delivery.event), event),
    };
    (app.neighbours.preview)(endpoint, event, &webhook_id, Some(&id), now, for_real)
}

/// Bodies that are longer are not for a command line.
const CURL_BYTES_MAX: usize = 64 * 1024;

/// The command that sends a request with curl, for a shell as POSIX has it.
pub(super) fn curl(request: &ShownRequest) -> Result<String> {
    let body = std::str::from_utf8(&request.body).ok();
    let body = body.filter(|body| body.len() <= CURL_BYTES_MAX && !body.contains('\0'));
    let Some(body) = body else {
        return Err(Error::misuse(
            "the body is no text of 64 KiB at most; `hookbox endpoint preview --signed` prints it as it is",
        ));
    };
    let mut command = format!("curl -i -X {} {}", request.method, quoted(&request.url));
    for (name, value) in &request.headers {
        command.push_str(&format!(
            " \\\n  -H {}",
            quoted(&format!("{name}: {value}"))
        ));
    }
    command.push_str(&format!(" \\\n  --data-raw {}", quoted(body)));
    Ok(command)
}

/// A word that the shell takes as it stands.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
