//! Closed sets of values that have names: on the command line, in SQL and in JSON.
//!
//! It is included before all other modules, so it has no place among the layers, and must import none.

/// Gives an enum its names: `ALL` in this order, `name`, `Display`, and a `FromStr` whose error lists them.
macro_rules! names {
    ($kind:ident, $what:literal: $($value:ident = $name:literal),+ $(,)?) => {
        impl $kind {
            /// Every value, in the order of the help text.
            pub const ALL: [$kind; [$($name),+].len()] = [$($kind::$value),+];

            /// The name used on the command line, in SQL and in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $($kind::$value => $name),+
                }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $kind {
            type Err = $crate::error::Error;

            fn from_str(text: &str) -> $crate::error::Result<$kind> {
                let found = $kind::ALL.into_iter().find(|value| value.name() == text);
                found.ok_or_else(|| {
                    let names = match [$($name),+].as_slice() {
                        [one, other] => format!("{one} or {other}"),
                        names => format!("one of {}", names.join(", ")),
                    };
                    $crate::error::Error::misuse(format!(concat!("unknown ", $what, " `{}`; {}"), text, names))
                })
            }
        }
    };
}
