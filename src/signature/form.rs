//! HTML form bodies: in form mode a producer signs the text of one field.
//!
//! Pure. It must never guess that a body is a form: the content type says so.

/// Whether a content type is that of an HTML form; parameters and case are ignored.
///
/// ```
/// use hookbox::signature::form::is_form;
/// assert!(is_form(Some("application/x-www-form-urlencoded; charset=utf-8")));
/// assert!(!is_form(Some("application/json")));
/// ```
pub fn is_form(content_type: Option<&str>) -> bool {
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Returns the first field of this name, decoded.
///
/// `None` if the body is not a form or has no such field.
pub fn field(content_type: Option<&str>, body: &[u8], name: &str) -> Option<String> {
    if !is_form(content_type) {
        return None;
    }
    form_urlencoded::parse(body)
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.into_owned())
}
