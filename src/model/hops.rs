//! The boxes and sources that an event has passed: the header `Hookbox-Path`. An event that comes back to a
//! source that it has passed is rejected.
//!
//! An endpoint may send to another hookbox, or to another source of the same one. If it sends to the source
//! that its events come from, each event would go round forever.

use crate::model::header::Header;
use crate::model::id::BoxId;

/// The header: `BOX/SOURCE`, separated by commas, the first place first. An event without a source has `-`
/// as its source.
pub const HEADER: &str = "Hookbox-Path";

/// Maximum places that an event may pass: more than any chain of boxes that is set up on purpose.
pub const HOPS_MAX: usize = 16;

/// A place that events pass.
fn hop(box_id: &BoxId, source: Option<&str>) -> String {
    format!("{box_id}/{}", source.unwrap_or("-"))
}

/// The places that an event has passed, from its headers.
fn passed(headers: &[Header]) -> impl Iterator<Item = &str> {
    let of_name = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
    let hops = of_name.flat_map(|(_, value)| value.split(','));
    hops.map(str::trim).filter(|hop| !hop.is_empty())
}

/// Why an event must not enter here; `None` if it may.
pub fn why_not(headers: &[Header], box_id: &BoxId, source: &str) -> Option<String> {
    let here = hop(box_id, Some(source));
    let what = if passed(headers).any(|hop| hop == here) {
        format!("this event has been at source {source} of this box before")
    } else if passed(headers).count() >= HOPS_MAX {
        format!("this event has passed {HOPS_MAX} boxes or sources, the limit")
    } else {
        return None;
    };
    Some(format!(
        "{what}, so it goes round: an endpoint sends it to a way in that its events come from; give that endpoint --sources that leave {source} out, or remove it"
    ))
}

/// The header to send for an event that came with these headers to this source.
pub fn header(headers: &[Header], box_id: &BoxId, source: Option<&str>) -> Header {
    let here = hop(box_id, source);
    let hops: Vec<&str> = passed(headers).chain([here.as_str()]).collect();
    (HEADER.to_owned(), hops.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_through_many_boxes_and_through_none_twice() {
        let mut headers = Vec::new();
        for number in 0..HOPS_MAX {
            let here = BoxId::new(format!("{number:010x}"));
            assert_eq!(why_not(&headers, &here, "in"), None);
            headers = vec![header(&headers, &here, Some("in"))];
            let again = why_not(&headers, &here, "in").unwrap();
            assert!(again.contains("before"), "{again}");
        }
        let last = why_not(&headers, &BoxId::new("ffffffffff"), "in").unwrap();
        assert!(last.contains("limit"), "{last}");
        // Another source of the same box is another place.
        let here = BoxId::new("00ff00ff00");
        let from_here = [header(&[], &here, None)];
        assert_eq!(from_here[0].1, "00ff00ff00/-");
        assert_eq!(why_not(&from_here, &here, "in"), None);
    }
}
