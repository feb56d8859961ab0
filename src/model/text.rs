//! Finds a text in bodies; the case of ASCII letters is ignored.

use memchr::memmem::Finder;

use crate::error::{Error, Result};

/// Maximum length of the text, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// A text to search for.
#[derive(Debug, Clone)]
pub struct Text(Finder<'static>);

impl Text {
    /// Prepares a search.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is empty or too long.
    ///
    /// ```
    /// use hookbox::model::text::Text;
    /// let text = Text::new("beacon")?;
    /// assert!(text.is_in(br#"{"repository":"lighthouse/BEACON"}"#));
    /// assert!(!text.is_in(b"{}"));
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn new(text: &str) -> Result<Text> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(Error::misuse(format!(
                "a text to look for has 1 to {TEXT_BYTES_MAX} bytes"
            )));
        }
        let text = text.to_ascii_lowercase();
        Ok(Text(Finder::new(text.as_bytes()).into_owned()))
    }

    /// Whether a body contains the text.
    pub fn is_in(&self, body: &[u8]) -> bool {
        self.0.find(&body.to_ascii_lowercase()).is_some()
    }
}
