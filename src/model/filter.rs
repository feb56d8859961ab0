//! Which events an endpoint wants: by type, source, branch, and an expression.
//!
//! Pure. If this cannot be decided (an expression fails on an event), the event is wanted: a lost
//! event is worse than a repeated one.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::scope::Scope;

/// Which events an endpoint wants; the default is all.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// Of one of these types.
    pub types: Option<Globs>,
    /// From one of these sources.
    pub sources: Option<Globs>,
    /// About one of these branches or tags, or about none.
    pub branches: Option<Globs>,
    /// For which this expression is true.
    pub when: Option<Expression>,
}

/// A list of patterns of which one must match: `push,tag*,pull_request`. `*` matches any text, also
/// an empty one and also slashes and dots; `?` matches one character.
#[derive(Debug, Clone)]
pub struct Globs(Vec<WildMatch>);

/// Whether an endpoint wants an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// No: a filter excludes it.
    No,
    /// Yes.
    Yes,
    /// The expression failed with this error, so the event is sent.
    InDoubt(String),
}

/// The result of one filter for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The filter: `types`, `sources`, `branches` or `when`.
    pub filter: &'static str,
    /// The filter's setting.
    pub setting: String,
    /// Whether it lets the event pass.
    pub passes: bool,
    /// Why, in plain words.
    pub why: String,
}

impl Filters {
    /// Whether the event passes all filters.
    ///
    /// ```
    /// use hookbox::model::scope::Scope;
    /// use hookbox::model::filter::{Filters, Wanted};
    /// let filters = Filters {
    ///     types: Some("push,pull_*".parse()?),
    ///     ..Filters::default()
    /// };
    /// assert_eq!(filters.wants(&Scope::new("push", None, b"{}")), Wanted::Yes);
    /// assert_eq!(filters.wants(&Scope::new("fork", None, b"{}")), Wanted::No);
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn wants(&self, scope: &Scope<'_>) -> Wanted {
        let passes = |globs: &Option<Globs>, text| globs.as_ref().is_none_or(|g| g.matches(text));
        let fits = passes(&self.types, scope.event_type)
            && passes(&self.sources, scope.source.unwrap_or_default())
            && scope.branch.is_none_or(|name| passes(&self.branches, name));
        match &self.when {
            _ if !fits => Wanted::No,
            None => Wanted::Yes,
            Some(when) => match when.holds(scope) {
                Ok(true) => Wanted::Yes,
                Ok(false) => Wanted::No,
                Err(error) => Wanted::InDoubt(error),
            },
        }
    }

    /// The result of each filter that is set.
    pub fn checks(&self, scope: &Scope<'_>) -> Vec<Check> {
        let source = scope.source.unwrap_or_default();
        let lists = [
            ("types", &self.types, Some(scope.event_type)),
            ("sources", &self.sources, Some(source)),
            ("branches", &self.branches, scope.branch),
        ];
        let lists = lists.into_iter().filter_map(|(filter, globs, value)| {
            let globs = globs.as_ref()?;
            let passes = value.is_none_or(|value| globs.matches(value));
            let why = match value {
                None => "the event is about no branch or tag".to_owned(),
                Some("") => "the event came through no source".to_owned(),
                Some(value) if passes => format!("{value} is one of them"),
                Some(value) => format!("{value} is none of them"),
            };
            Some(Check {
                filter,
                setting: globs.to_string(),
                passes,
                why,
            })
        });
        let when = self.when.iter().map(|when| {
            let (passes, why) = match when.holds(scope) {
                Ok(true) => (true, "it is true of the event".to_owned()),
                Ok(false) => (false, "it is not true of the event".to_owned()),
                Err(error) => (true, format!("it fails ({error}), so the event is sent")),
            };
            Check {
                filter: "when",
                setting: when.to_string(),
                passes,
                why,
            }
        });
        lists.chain(when).collect()
    }
}

impl Check {
    /// The JSON object of one filter's result.
    pub fn json(&self) -> Value {
        json!({
            "filter": self.filter,
            "setting": self.setting,
            "passes": self.passes,
            "why": self.why,
        })
    }
}

impl fmt::Display for Filters {
    /// The filters that are set, on one line; empty if none is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |globs: &Option<Globs>| globs.as_ref().map(Globs::to_string);
        let parts = [
            ("types", text(&self.types)),
            ("sources", text(&self.sources)),
            ("branches", text(&self.branches)),
            ("when", self.when.as_ref().map(Expression::to_string)),
        ];
        let set = parts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value?)));
        f.write_str(&set.collect::<Vec<String>>().join(" · "))
    }
}

impl Globs {
    /// Whether one of the patterns matches.
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(text))
    }

    /// The patterns, as they were given.
    pub fn patterns(&self) -> Vec<String> {
        self.0.iter().map(WildMatch::to_string).collect()
    }

    /// The first pattern that matches none of these.
    pub fn first_idle<'a>(&self, among: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
        let is_idle = |pattern: &&WildMatch| !among.clone().any(|text| pattern.matches(text));
        self.0.iter().find(is_idle).map(WildMatch::to_string)
    }
}

impl PartialEq for Globs {
    fn eq(&self, other: &Globs) -> bool {
        self.patterns() == other.patterns()
    }
}

impl Eq for Globs {}

impl fmt::Display for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.patterns().join(","))
    }
}

impl FromStr for Globs {
    type Err = Error;

    /// Parses patterns separated by commas.
    fn from_str(text: &str) -> Result<Globs> {
        let patterns: Vec<&str> = text.split(',').map(str::trim).collect();
        if let Some(full) = patterns.iter().find(|pattern| pattern.starts_with("refs/")) {
            return Err(Error::misuse(format!(
                "`{full}` is a full reference; branches and tags go by their short names, such as main"
            )));
        }
        if patterns.iter().any(|pattern| pattern.is_empty()) {
            return Err(Error::misuse(format!(
                "`{text}` has an empty pattern; write such as push,tag*"
            )));
        }
        Ok(Globs(patterns.into_iter().map(WildMatch::new).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(types: &str, sources: &str, branches: &str, when: &str) -> Filters {
        let globs = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Filters {
            types: globs(types),
            sources: globs(sources),
            branches: globs(branches),
            when: (!when.is_empty()).then(|| when.parse().unwrap()),
        }
    }

    #[test]
    fn every_filter_that_is_set_must_let_the_event_pass() {
        let scope = Scope {
            branch: Some("release/2.1"),
            ..Scope::new("tag_push", Some("gitee"), br#"{"size":3}"#)
        };
        let rows = [
            (("", "", "", ""), true),
            (("push,tag*", "", "", ""), true),
            (("push", "", "", ""), false),
            (("tag", "", "", ""), false),
            (("tag_pus?", "", "", ""), true),
            (("*", "gitee,gogs", "", ""), true),
            (("*", "gogs", "", ""), false),
            (("", "", "release/*", ""), true),
            (("", "", "main,rel*", ""), true),
            (("", "", "main", ""), false),
            (("", "", "", "body.size > 2"), true),
            (("", "", "", "body.size > 3"), false),
            (("tag*", "gitee", "release/*", "body.size == 3"), true),
            (("tag*", "gogs", "release/*", "body.size == 3"), false),
        ];
        for ((types, sources, branches, when), wanted) in rows {
            let filters = filters(types, sources, branches, when);
            let wants = filters.wants(&scope);
            assert_eq!(wants == Wanted::Yes, wanted, "{filters}");
            let checks = filters.checks(&scope);
            assert_eq!(checks.iter().all(|check| check.passes), wanted, "{filters}");
        }
    }

    #[test]
    fn an_event_about_no_branch_is_not_held_back_by_branches_but_one_of_no_source_is_by_sources() {
        let scope = Scope::new("issues", None, b"{}");
        assert_eq!(filters("", "", "main", "").wants(&scope), Wanted::Yes);
        assert_eq!(filters("", "gogs", "", "").wants(&scope), Wanted::No);
    }

    #[test]
    fn an_expression_that_fails_lets_the_event_pass_and_says_why() {
        let filters = filters("", "", "", "(body.meta|fromjson).urgent");
        let scope = Scope::new("fork", None, br#"{"meta":"no JSON"}"#);
        let Wanted::InDoubt(why) = filters.wants(&scope) else {
            panic!("the text is not JSON");
        };
        let checks = filters.checks(&scope);
        assert!(checks[0].passes && checks[0].why.contains(&why), "{why}");
        // An event that another filter excludes stays excluded.
        let narrow = Filters {
            types: Some("push".parse().unwrap()),
            ..filters
        };
        assert_eq!(narrow.wants(&scope), Wanted::No);
    }

    #[test]
    fn lists_are_read_and_shown_alike() {
        let filters = filters("push, tag*", "", "main", "type == 'push'");
        assert_eq!(
            filters.to_string(),
            "types push,tag* · branches main · when type == 'push'"
        );
        for bad in ["", ",", "push,,tag", "refs/heads/main"] {
            assert!(bad.parse::<Globs>().is_err(), "{bad}");
        }
    }
}
