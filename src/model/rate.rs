//! Rate limits: how many requests an endpoint may get per time: `20/m`, `5/s,100/m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::{parse_span, show_span};

/// Maximum requests of one limit: this many times are kept for each endpoint.
const COUNT_MAX: u32 = 1_000;

/// Maximum limits of one endpoint.
const LIMITS_MAX: usize = 4;

/// Allowed time spans of a limit.
const SPAN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(24 * 3600);

/// Rate limits that all apply together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates(Cow<'static, [Rate]>);

/// At most this many requests in any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// The length of the span.
    pub span: Duration,
}

impl Rate {
    pub(crate) const fn new(count: u32, span_ms: u64) -> Rate {
        Rate {
            count,
            span: Duration::from_millis(span_ms),
        }
    }
}

impl Rates {
    /// Limits that are known at compile time.
    pub(crate) const fn of(limits: &'static [Rate]) -> Rates {
        Rates(Cow::Borrowed(limits))
    }

    /// The limits.
    pub fn limits(&self) -> &[Rate] {
        &self.0
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rate) in self.0.iter().enumerate() {
            let span = match show_span(rate.span).as_str() {
                "1s" => "s".to_owned(),
                "1m" => "m".to_owned(),
                "1h" => "h".to_owned(),
                "1d" => "d".to_owned(),
                other => other.to_owned(),
            };
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}/{span}", rate.count)?;
        }
        Ok(())
    }
}

impl FromStr for Rates {
    type Err = Error;

    /// Parses `COUNT/SPAN`, several separated by commas; the number of a span may be left out.
    ///
    /// ```
    /// use hookbox::model::rate::Rates;
    /// let rates: Rates = "5/s,100/m,7/90s".parse()?;
    /// assert_eq!(rates.limits().len(), 3);
    /// assert_eq!(rates.to_string(), "5/s,100/m,7/1m30s");
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Rates> {
        let bad = |why: &str| {
            Error::misuse(format!(
                "`{text}` is not a rate: {why}; write such as 20/m or 5/s,100/m"
            ))
        };
        let mut limits = Vec::new();
        for part in text.split(',') {
            let (count, span) = part
                .trim()
                .split_once('/')
                .ok_or_else(|| bad("it has no /"))?;
            let count: u32 = count.parse().map_err(|_| bad("it does not say how many"))?;
            if count == 0 || count > COUNT_MAX {
                return Err(bad("how many is 1 to 1000"));
            }
            let with_number = if span.starts_with(|c: char| c.is_ascii_digit()) {
                span.to_owned()
            } else {
                format!("1{span}")
            };
            let span = parse_span(&with_number).map_err(|_| bad("its span cannot be read"))?;
            if !SPAN.contains(&span) {
                return Err(bad("its span is 100ms to 24h"));
            }
            limits.push(Rate { count, span });
        }
        if limits.len() > LIMITS_MAX {
            return Err(bad("it has more than 4 limits"));
        }
        Ok(Rates(limits.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_shown_alike_and_nonsense_is_refused() {
        for (text, shown) in [
            ("20/m", "20/m"),
            ("1/1s", "1/s"),
            (" 5/s , 100/1m ", "5/s,100/m"),
            ("3/500ms", "3/500ms"),
            ("1000/24h", "1000/d"),
        ] {
            let rates: Rates = text.parse().unwrap();
            assert_eq!(rates.to_string(), shown, "{text}");
            assert_eq!(rates.to_string().parse::<Rates>().unwrap(), rates, "{text}");
        }
        for text in [
            "",
            "20",
            "/m",
            "0/m",
            "1001/m",
            "x/m",
            "1/",
            "1/x",
            "1/10ms",
            "1/25h",
            "1/s,",
            "1/s,1/s,1/s,1/s,1/s",
        ] {
            assert!(text.parse::<Rates>().is_err(), "{text}");
        }
    }
}
