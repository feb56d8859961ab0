//! Access control: tokens, sessions of those who logged in, and a delay for wrong tokens.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tiny_http::Request;

use super::guard::{cookie, header};
use super::login_session::{AGE_MAX, LoginSession, SessionKey, UNUSED_MAX};
use super::role::Role;
use crate::error::Result;
use crate::signature::Secret;
use crate::time::Timestamp;

/// The session cookie.
const COOKIE: &str = "hookbox_session";

/// Sessions whose end is remembered one by one.
const ENDED_MAX: usize = 1_000;

/// The sessions that were ended in this process.
#[derive(Default)]
struct Ended {
    /// When each began.
    begun: HashMap<String, Timestamp>,
    /// All that began up to then, where they were too many.
    all_until: Option<Timestamp>,
}

impl Ended {
    fn has(&self, session: &LoginSession) -> bool {
        self.begun.contains_key(&session.id) || self.all_until >= Some(session.begun)
    }

    fn add(&mut self, session: LoginSession, now: Timestamp) {
        self.begun.retain(|_, begun| now.since(*begun) <= AGE_MAX);
        if self.begun.len() >= ENDED_MAX {
            let latest = self.begun.drain().map(|(_, begun)| begun).max();
            self.all_until = self.all_until.max(latest);
        }
        self.begun.insert(session.id, session.begun);
    }
}

/// Wrong tokens from one address before it has to wait, and the longest wait.
const FREE_FAILURES: u32 = 5;
const BRAKE_MAX: Duration = Duration::from_secs(60);

/// Addresses whose wrong tokens are remembered.
const ADDRESSES_MAX: usize = 1_000;

/// The tokens that give access.
///
/// Without any token everybody has access, and the page listens on loopback only.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Allows reading and changing.
    pub operator: Option<Secret>,
    /// Allows reading.
    pub reader: Option<Secret>,
}

impl Tokens {
    /// Whether a token is needed.
    pub fn is_needed(&self) -> bool {
        self.operator.is_some() || self.reader.is_some()
    }
}

/// Why access is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token, or it is wrong.
    Unknown,
    /// There were too many wrong tokens; the client may try again after this time.
    Braked(Duration),
}

#[derive(Default)]
struct Failures {
    count: u32,
    not_before: Duration,
}

/// A moment, by both clocks: sessions go by the wall clock, which other processes share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) time: Timestamp,
    pub(super) elapsed: Duration,
}

pub(super) struct Access {
    tokens: Tokens,
    session_key: SessionKey,
    ended: Mutex<Ended>,
    failures: Mutex<HashMap<String, Failures>>,
}

impl Access {
    /// `secret` is stored in the database: all who serve it know each other's sessions.
    pub(super) fn new(tokens: Tokens, secret: &[u8; 32]) -> Access {
        Access {
            session_key: SessionKey::new(secret, [&tokens.operator, &tokens.reader]),
            tokens,
            ended: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Whether a token is needed.
    pub(super) fn is_needed(&self) -> bool {
        self.tokens.is_needed()
    }

    /// Returns what the sender of a request may do.
    pub(super) fn role(&self, request: &Request, now: Moment) -> std::result::Result<Role, Denied> {
        if !self.is_needed() {
            return Ok(Role::Operator);
        }
        if let Some(given) = header(request, "Authorization") {
            let token = given
                .split_once(' ')
                .filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
            let token = token.map(|(_, token)| token.trim());
            return self.check(token.unwrap_or_default(), client(request), now.elapsed);
        }
        let session = self.session(request, now.time);
        session.map(|session| session.role).ok_or(Denied::Unknown)
    }

    /// The session of a request.
    fn session(&self, request: &Request, now: Timestamp) -> Option<LoginSession> {
        let session = LoginSession::read(&self.session_key, cookie(request, COOKIE)?, now)?;
        let ended = self.ended.lock().expect("no holder of the ends panics");
        (!ended.has(&session)).then_some(session)
    }

    /// The cookie that replaces the one of a request, if it is time.
    pub(super) fn renewed(&self, request: &Request, now: Timestamp) -> Option<String> {
        let session = self.session(request, now)?.renewed(now)?;
        Some(self.cookie(&session))
    }

    fn cookie(&self, session: &LoginSession) -> String {
        format!(
            "{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}",
            session.value(&self.session_key),
            UNUSED_MAX.as_secs()
        )
    }

    /// Begins a session for a client with a valid token; returns its cookie.
    pub(super) fn log_in(
        &self,
        request: &Request,
        token: &str,
        now: Moment,
    ) -> Result<std::result::Result<String, Denied>> {
        let role = match self.check(token.trim(), client(request), now.elapsed) {
            Ok(role) => role,
            Err(denied) => return Ok(Err(denied)),
        };
        let session = LoginSession::begin(role, now.time)?;
        Ok(Ok(self.cookie(&session)))
    }

    /// Ends a session; returns the header value that makes the browser delete its cookie.
    ///
    /// This process knows no copy of it any more; others do until it is too old.
    pub(super) fn log_out(&self, request: &Request, now: Timestamp) -> String {
        if let Some(session) = self.session(request, now) {
            let mut ended = self.ended.lock().expect("no holder of the ends panics");
            ended.add(session, now);
        }
        format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0")
    }

    /// Returns the role of a token.
    ///
    /// After several wrong tokens an address must wait, longer each time; a right token is accepted even
    /// then.
    fn check(&self, token: &str, client: &str, now: Duration) -> std::result::Result<Role, Denied> {
        let is = |secret: &Option<Secret>| {
            let held = secret.as_ref().map(Secret::expose);
            held.is_some_and(|held| bool::from(held.ct_eq(token.as_bytes())))
        };
        // Both tokens are compared, so that the time does not show which one matched.
        let (is_operator, is_reader) = (is(&self.tokens.operator), is(&self.tokens.reader));
        let role = match (is_operator, is_reader) {
            (true, _) => Some(Role::Operator),
            (false, true) => Some(Role::Reader),
            (false, false) => None,
        };
        // Checked before the delay: an attacker behind the same proxy must not lock out users with the
        // right token.
        if let Some(role) = role {
            return Ok(role);
        }
        let mut failures = self
            .failures
            .lock()
            .expect("no holder of the failures panics");
        let not_before = failures
            .get(client)
            .map_or(Duration::ZERO, |held| held.not_before);
        if not_before > now {
            return Err(Denied::Braked(not_before - now));
        }
        if failures.len() >= ADDRESSES_MAX && !failures.contains_key(client) {
            let first = failures.iter().min_by_key(|(_, held)| held.not_before);
            if let Some(first) = first.map(|(address, _)| address.clone()) {
                failures.remove(&first);
            }
        }
        let held = failures.entry(client.to_owned()).or_default();
        held.count = held.count.saturating_add(1);
        if let Some(over) = held.count.checked_sub(FREE_FAILURES) {
            let wait = Duration::from_secs(1_u64 << over.min(16)).min(BRAKE_MAX);
            held.not_before = now + wait;
            tracing::warn!(client, failures = held.count, "status.wrong_tokens");
        }
        Err(Denied::Unknown)
    }
}

/// Returns the client's address, as the gate reports it.
fn client(request: &Request) -> &str {
    header(request, super::gate::CLIENT_HEADER).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::{Header, TestRequest};

    fn access() -> Access {
        with_reader("may-look")
    }

    fn with_reader(token: &str) -> Access {
        let tokens = Tokens {
            operator: Some(Secret::new("may-change").unwrap()),
            reader: Some(Secret::new(token).unwrap()),
        };
        Access::new(tokens, &[7; 32])
    }

    /// So many seconds after the first moment.
    fn at(seconds: u64) -> Moment {
        let after = Duration::from_secs(seconds);
        Moment {
            time: Timestamp(1_772_366_400_000).plus(after),
            elapsed: Duration::from_secs(1_000) + after,
        }
    }

    fn with(headers: &[(&str, &str)]) -> Request {
        let mut request = TestRequest::new();
        for (name, value) in headers {
            request = request.with_header(Header::from_bytes(*name, *value).unwrap());
        }
        request.into()
    }

    fn bearer(token: &str) -> Request {
        with(&[("Authorization", &format!("Bearer {token}"))])
    }

    #[test]
    fn each_token_lets_in_for_what_it_is_for() {
        let access = access();
        assert_eq!(
            access.role(&bearer("may-change"), at(0)),
            Ok(Role::Operator)
        );
        assert_eq!(access.role(&bearer("may-look"), at(0)), Ok(Role::Reader));
        for request in [
            bearer("may-chang"),
            bearer(""),
            with(&[]),
            with(&[("Cookie", "hookbox_session=x")]),
        ] {
            assert_eq!(access.role(&request, at(0)), Err(Denied::Unknown));
        }
        let open = Access::new(Tokens::default(), &[7; 32]);
        assert_eq!(open.role(&with(&[]), at(0)), Ok(Role::Operator));
    }

    const HOURS_12: u64 = 12 * 3_600;

    /// A request with the cookie that a reply sets.
    fn with_cookie(set: &str) -> Request {
        let pair = set.split(';').next().unwrap();
        with(&[("Cookie", &format!("a=b; {pair}"))])
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_ends_when_asked_or_after_a_week() {
        let access = access();
        let log_in = |now| {
            let cookie = access.log_in(&with(&[]), "may-look\n", now);
            cookie.unwrap().unwrap()
        };
        let set = log_in(at(0));
        assert!(set.contains("; HttpOnly; SameSite=Strict; "), "{set}");
        let request = with_cookie(&set);
        assert_eq!(access.role(&request, at(HOURS_12)), Ok(Role::Reader));
        assert_eq!(
            access.role(&request, at(HOURS_12 + 1)),
            Err(Denied::Unknown)
        );
        assert_eq!(access.renewed(&request, at(600).time), None);
        let mut request = request;
        for hours in 1..=14 {
            let renewed = access.renewed(&request, at(hours * HOURS_12).time).unwrap();
            request = with_cookie(&renewed);
        }
        assert_eq!(access.role(&request, at(14 * HOURS_12)), Ok(Role::Reader));
        assert_eq!(
            access.role(&request, at(14 * HOURS_12 + 1)),
            Err(Denied::Unknown)
        );
        let (one, other) = (with_cookie(&log_in(at(0))), with_cookie(&log_in(at(0))));
        let gone = access.log_out(&one, at(1).time);
        assert!(gone.starts_with("hookbox_session=; "), "{gone}");
        assert_eq!(access.role(&one, at(2)), Err(Denied::Unknown));
        assert_eq!(access.role(&other, at(2)), Ok(Role::Reader));
        // Whoever may log in cannot make an end forgotten.
        for second in 3..1_100 {
            access.log_out(&with_cookie(&log_in(at(second))), at(second).time);
        }
        assert_eq!(access.role(&one, at(1_200)), Err(Denied::Unknown));
        let ahead = with_cookie(&log_in(at(5_000)));
        assert_eq!(access.role(&ahead, at(4_600)), Err(Denied::Unknown));
        assert_eq!(access.role(&ahead, at(4_800)), Ok(Role::Reader));
    }

    #[test]
    fn a_session_holds_on_every_node_and_after_a_restart_but_not_with_other_tokens_or_changed() {
        let set = access().log_in(&with(&[]), "may-look", at(0));
        let set = set.unwrap().unwrap();
        assert_eq!(access().role(&with_cookie(&set), at(1)), Ok(Role::Reader));
        let other = with_reader("may-look-2");
        assert_eq!(other.role(&with_cookie(&set), at(1)), Err(Denied::Unknown));
        let tokens = access().tokens;
        let other_box = Access::new(tokens, &[8; 32]);
        assert_eq!(
            other_box.role(&with_cookie(&set), at(1)),
            Err(Denied::Unknown)
        );
        let more = set.replace("reader", "operator");
        let cut = set.replace(".", "");
        let none = "hookbox_session=reader.0.1.2.";
        for forged in [more.as_str(), &cut, none, "hookbox_session="] {
            assert_ne!(forged, set);
            let request = with_cookie(forged);
            assert_eq!(access().role(&request, at(1)), Err(Denied::Unknown));
        }
    }

    #[test]
    fn whoever_guesses_has_to_wait_and_who_knows_does_not() {
        let access = access();
        let from = |address: &str, token: &str| {
            with(&[
                ("Authorization", &format!("Bearer {token}")),
                (super::super::gate::CLIENT_HEADER, address),
            ])
        };
        let ask = |address: &str, token: &str, now| access.role(&from(address, token), now);
        for _ in 0..5 {
            assert_eq!(ask("192.0.2.1", "no", at(0)), Err(Denied::Unknown));
        }
        let braked = |seconds| Err(Denied::Braked(Duration::from_secs(seconds)));
        assert_eq!(ask("192.0.2.1", "no", at(0)), braked(1));
        assert_eq!(ask("192.0.2.2", "no", at(0)), Err(Denied::Unknown));
        let later = at(1);
        assert_eq!(ask("192.0.2.1", "no", later), Err(Denied::Unknown));
        assert_eq!(ask("192.0.2.1", "no", later), braked(2));
        // Behind a proxy all clients have one address.
        assert_eq!(ask("192.0.2.1", "may-look", later), Ok(Role::Reader));
    }
}
