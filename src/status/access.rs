//! Access control: tokens, login sessions, and a delay for wrong tokens.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use subtle::ConstantTimeEq;
use tiny_http::Request;

use super::guard::header;
use crate::error::{Error, Result};
use crate::signature::Secret;

/// The session cookie.
const COOKIE: &str = "hookbox_session";

/// How long a session lasts after its last use.
pub(super) const SESSION_MAX: Duration = Duration::from_secs(12 * 3_600);

/// Sessions at a time; a new one replaces the oldest.
const SESSIONS_MAX: usize = 100;

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

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Read.
    Reader,
    /// Read and change.
    Operator,
}

/// Why access is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token, or it is wrong.
    Unknown,
    /// There were too many wrong tokens; the client may try again after this time.
    Braked(Duration),
}

struct Session {
    role: Role,
    used: Duration,
}

#[derive(Default)]
struct Failures {
    count: u32,
    not_before: Duration,
}

pub(super) struct Access {
    tokens: Tokens,
    sessions: Mutex<HashMap<String, Session>>,
    failures: Mutex<HashMap<String, Failures>>,
}

impl Access {
    pub(super) fn new(tokens: Tokens) -> Access {
        Access {
            tokens,
            sessions: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Whether a token is needed.
    pub(super) fn is_needed(&self) -> bool {
        self.tokens.is_needed()
    }

    /// Returns what the sender of a request may do.
    pub(super) fn role(
        &self,
        request: &Request,
        now: Duration,
    ) -> std::result::Result<Role, Denied> {
        if !self.is_needed() {
            return Ok(Role::Operator);
        }
        if let Some(given) = header(request, "Authorization") {
            let token = given
                .split_once(' ')
                .filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
            let token = token.map(|(_, token)| token.trim());
            return self.check(token.unwrap_or_default(), client(request), now);
        }
        let session = session_of(request).ok_or(Denied::Unknown)?;
        let mut sessions = self
            .sessions
            .lock()
            .expect("no holder of the sessions panics");
        let held = sessions.get_mut(session).ok_or(Denied::Unknown)?;
        if now.saturating_sub(held.used) > SESSION_MAX {
            sessions.remove(session);
            return Err(Denied::Unknown);
        }
        held.used = now;
        Ok(held.role)
    }

    /// Begins a session for a client with a valid token; returns its cookie.
    pub(super) fn log_in(
        &self,
        request: &Request,
        token: &str,
        now: Duration,
    ) -> Result<std::result::Result<String, Denied>> {
        let role = match self.check(token.trim(), client(request), now) {
            Ok(role) => role,
            Err(denied) => return Ok(Err(denied)),
        };
        let mut id = [0_u8; 32];
        getrandom::fill(&mut id).map_err(|error| {
            Error::io("draw a session", std::io::Error::other(error.to_string()))
        })?;
        let id = hex::encode(id);
        let mut sessions = self
            .sessions
            .lock()
            .expect("no holder of the sessions panics");
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(id.clone(), Session { role, used: now });
        let seconds = SESSION_MAX.as_secs();
        Ok(Ok(format!(
            "{COOKIE}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}"
        )))
    }

    /// Ends a session; returns the header value that makes the browser delete its cookie.
    pub(super) fn log_out(&self, request: &Request) -> String {
        if let Some(session) = session_of(request) {
            let mut sessions = self
                .sessions
                .lock()
                .expect("no holder of the sessions panics");
            sessions.remove(session);
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

fn session_of(request: &Request) -> Option<&str> {
    let cookies = header(request, "Cookie")?.split(';');
    let pairs = cookies.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::{Header, TestRequest};

    fn access() -> Access {
        Access::new(Tokens {
            operator: Some(Secret::new("may-change").unwrap()),
            reader: Some(Secret::new("may-look").unwrap()),
        })
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

    const NOW: Duration = Duration::from_secs(1_000);

    #[test]
    fn each_token_lets_in_for_what_it_is_for() {
        let access = access();
        assert_eq!(access.role(&bearer("may-change"), NOW), Ok(Role::Operator));
        assert_eq!(access.role(&bearer("may-look"), NOW), Ok(Role::Reader));
        for request in [
            bearer("may-chang"),
            bearer(""),
            with(&[]),
            with(&[("Cookie", "hookbox_session=x")]),
        ] {
            assert_eq!(access.role(&request, NOW), Err(Denied::Unknown));
        }
        let open = Access::new(Tokens::default());
        assert_eq!(open.role(&with(&[]), NOW), Ok(Role::Operator));
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_ends_when_asked() {
        let access = access();
        let cookie = access
            .log_in(&with(&[]), "may-look\n", NOW)
            .unwrap()
            .unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict; "), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        let request = with(&[("Cookie", &format!("a=b; {pair}"))]);
        assert_eq!(access.role(&request, NOW + SESSION_MAX), Ok(Role::Reader));
        assert_eq!(
            access.role(&request, NOW + 2 * SESSION_MAX),
            Ok(Role::Reader)
        );
        access.log_out(&request);
        assert_eq!(
            access.role(&request, NOW + 2 * SESSION_MAX),
            Err(Denied::Unknown)
        );
        let cookie = access.log_in(&with(&[]), "may-look", NOW).unwrap().unwrap();
        let pair = cookie.split(';').next().unwrap();
        let request = with(&[("Cookie", pair)]);
        let late = NOW + SESSION_MAX + Duration::from_secs(1);
        assert_eq!(access.role(&request, late), Err(Denied::Unknown));
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
            assert_eq!(ask("192.0.2.1", "no", NOW), Err(Denied::Unknown));
        }
        let braked = |seconds| Err(Denied::Braked(Duration::from_secs(seconds)));
        assert_eq!(ask("192.0.2.1", "no", NOW), braked(1));
        assert_eq!(ask("192.0.2.2", "no", NOW), Err(Denied::Unknown));
        let later = NOW + Duration::from_secs(1);
        assert_eq!(ask("192.0.2.1", "no", later), Err(Denied::Unknown));
        assert_eq!(ask("192.0.2.1", "no", later), braked(2));
        // Behind a proxy all clients have one address.
        assert_eq!(ask("192.0.2.1", "may-look", later), Ok(Role::Reader));
    }
}
