//! DingTalk's custom robots: `timestamp` and `sign` in the URL's query.
//!
//! They are made anew for each attempt. The signature is that of [`gitee`](super::gitee::sign) over
//! milliseconds and does not cover the body; DingTalk accepts it for an hour. Source: DingTalk, "Custom
//! robot security settings".

use super::{Secret, gitee};
use crate::time::Timestamp;

/// Returns the query parameters that sign a moment.
///
/// The values are not yet encoded for a URL.
///
/// ```
/// use hookbox::signature::{Secret, dingtalk};
/// use hookbox::time::Timestamp;
/// let [timestamp, sign] = dingtalk::sign(&Secret::new("this is secret")?, Timestamp(1577262236757));
/// assert_eq!(timestamp, ("timestamp", "1577262236757".to_owned()));
/// assert_eq!(sign, ("sign", "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=".to_owned()));
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn sign(secret: &Secret, now: Timestamp) -> [(&'static str, String); 2] {
    let timestamp = now.0.to_string();
    let sign = gitee::sign(secret, &timestamp);
    [("timestamp", timestamp), ("sign", sign)]
}
