//! From a request to a response: access, routing, security headers.

use std::io::Read;

use serde_json::json;
use sha2::{Digest, Sha256};
use tiny_http::{Header, Method, Request, Response, StatusCode};

use super::access::Denied;
use super::api_requests;
use super::gate::FORM_BYTES_MAX;
use super::guard::{Refused, cookie, header};
use super::page::{self, Language, PageContext, Returned};
use super::reply::{Reply, status_of};
use super::role::Role;
use super::state::AppState;
use super::{actions, api, metrics, site};
use crate::error::{Error, Result};

/// Headers of every response: nothing from outside, no framing, no guessing of content types, no caching.
///
/// The referrer policy lets a browser send the origin of our own forms.
const SECURITY_HEADERS: [(&str, &str); 6] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
];

/// Answers one request; every error becomes a page, or problem+json for a program.
pub(super) fn answer(app: &AppState, mut request: Request) {
    let mut reply = respond(app, &mut request);
    let is_set = reply.headers.iter().any(|(name, _)| *name == "Set-Cookie");
    if let Some(cookie) = app.access.renewed(&request, app.clock.now())
        && !is_set
    {
        reply.headers.push(("Set-Cookie", cookie));
    }
    let reply = with_tag(&request, reply);
    let mut response = Response::from_data(reply.body).with_status_code(StatusCode(reply.status));
    let security = SECURITY_HEADERS
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    for (name, value) in security.chain(reply.headers) {
        // tiny_http writes header values unchanged: a line break would start another header.
        if value.chars().any(char::is_control) {
            continue;
        }
        if let Ok(header) = Header::from_bytes(name, value) {
            response.add_header(header);
        }
    }
    // The client may have disconnected, which is not an error of ours.
    let _ = request.respond(response);
}

/// Answers 304 if the page has not changed since the client's last request.
fn with_tag(request: &Request, mut reply: Reply) -> Reply {
    if reply.status != 200 || *request.method() != Method::Get {
        return reply;
    }
    let tag = format!("\"{}\"", &hex::encode(Sha256::digest(&reply.body))[..16]);
    if header(request, "If-None-Match") == Some(tag.as_str()) {
        reply.status = 304;
        reply.body.clear();
    }
    reply.headers.push(("ETag", tag));
    reply
}

pub(super) fn respond(app: &AppState, request: &mut Request) -> Reply {
    if let Some(reply) = misdirected(app, request) {
        return reply;
    }
    if app.guard.check_host(request) == Err(Refused::Host) {
        return Reply::text(
            403,
            "this page answers only to localhost, addresses, and names given with --status-name",
        );
    }
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((url.as_str(), ""));
    if let Some(reply) = for_everybody(app, request, path, query) {
        return reply;
    }
    let role = match app.access.role(request, app.moment()) {
        Ok(role) => role,
        Err(denied) if api_requests::is_for_machines(path) => return api_requests::denied(denied),
        Err(_) => {
            // A form's action is not performed after the login; the form's page is shown instead.
            let page = match request.method() {
                Method::Post => site::address_of_form(path).unwrap_or_default(),
                _ => url.clone(),
            };
            let next: String = form_urlencoded::byte_serialize(page.as_bytes()).collect();
            return Reply::see_other(format!("/login?next={next}"));
        }
    };
    if path.starts_with("/api/") {
        return api_requests::answer(app, request, role);
    }
    let trouble = app.store.trouble();
    let config_problem = app.store.config_problem();
    let zone = crate::time::zone();
    let texts = language(request).texts();
    // What was just done is no condition of a list.
    let done = page::asked(query, "done");
    let query = page::without(query, "done");
    let (query, done) = (query.as_str(), texts.done.of(&done));
    let context = PageContext {
        box_id: app.store.box_id(),
        now: app.clock.now(),
        zone: &zone,
        token: app.guard.token(),
        may_change: role == Role::Operator,
        has_login: app.access.is_needed(),
        trouble: trouble.as_deref(),
        config_problem: config_problem.as_deref(),
        texts,
        done,
        returned: None,
    };
    let made = match request.method() {
        Method::Get | Method::Head => get(app, &context, path, query),
        Method::Post => post(app, &context, path, request),
        _ => {
            let mut reply = Reply::text(405, "GET a page, or POST one of its forms");
            reply.headers.push(("Allow", "GET, HEAD, POST".to_owned()));
            Ok(reply)
        }
    };
    made.unwrap_or_else(|error| {
        let status = status_of(&error);
        if status >= 500 {
            let path = request.url();
            tracing::error!(error = error.chain(), path, "cannot show a page");
        }
        Reply {
            status,
            ..Reply::page(page::problem(&context, status, &error.chain()))
        }
    })
}

/// Returns the response to a sender that was given this address instead of the HTTP listener's.
fn misdirected(app: &AppState, request: &Request) -> Option<Reply> {
    const OF_SENDERS: [&str; 7] = [
        "X-Gogs-Event",
        "X-Gitee-Event",
        "X-Gitea-Event",
        "X-GitHub-Event",
        "X-Gitlab-Event",
        "webhook-id",
        "svix-id",
    ];
    let path = request.url().split('?').next().unwrap_or_default();
    let is_way_in = path == "/in" || path.starts_with("/in/");
    let mut of_senders = OF_SENDERS.iter();
    let is_of_sender = of_senders.any(|name| header(request, name).is_some());
    // No form of a page looks like this.
    let content_type = header(request, "Content-Type").unwrap_or_default();
    let is_json = *request.method() == Method::Post
        && content_type.to_ascii_lowercase().contains("json")
        && !api_requests::is_for_machines(path);
    if !is_way_in && !is_of_sender && !is_json {
        return None;
    }
    let text = match app.neighbours.events_at {
        Some(address) => format!(
            "events go to port {} (http://{address}/in/SOURCE); this is the status page",
            address.port()
        ),
        None => {
            "this is the status page, and no events are taken in here: serve runs without --ingest"
                .to_owned()
        }
    };
    // RFC 9110, section 15.5.20.
    Some(Reply::text(421, &text))
}

/// Returns the responses that need no login.
fn for_everybody(app: &AppState, request: &mut Request, path: &str, query: &str) -> Option<Reply> {
    let is_get = matches!(request.method(), Method::Get | Method::Head);
    Some(match path {
        "/style.css" if is_get => {
            Reply::with_type(200, "text/css; charset=utf-8", page::STYLE.into())
        }
        "/icon.svg" if is_get => icon(page::ICON_COLOUR),
        "/icon-red.svg" if is_get => icon("#a0161f"),
        "/icon-amber.svg" if is_get => icon("#b06a00"),
        "/live.js" if is_get => {
            Reply::with_type(200, "text/javascript; charset=utf-8", page::SCRIPT.into())
        }
        "/healthz" if is_get => Reply::json(200, &json!({ "status": "ok" })),
        "/readyz" if is_get => match app.store.trouble() {
            None => Reply::json(200, &json!({ "status": "ready" })),
            Some(trouble) => Reply::json(503, &json!({ "status": "not ready", "error": trouble })),
        },
        "/login" if app.access.is_needed() => login(app, request, query),
        "/language" if *request.method() == Method::Post => choose_language(app, request),
        _ => return None,
    })
}

fn icon(colour: &str) -> Reply {
    let drawn = page::ICON.replace(page::ICON_COLOUR, colour);
    Reply::with_type(200, "image/svg+xml", drawn.into())
}

/// The cookie that keeps a reader's choice of a language.
const LANGUAGE_COOKIE: &str = "hookbox_language";

/// The language that the reader chose, or else the browser asks for.
fn language(request: &Request) -> Language {
    let chosen = cookie(request, LANGUAGE_COOKIE).and_then(Language::of_tag);
    chosen.unwrap_or_else(|| {
        Language::accepted(header(request, "Accept-Language").unwrap_or_default())
    })
}

/// Keeps the choice of a language for a year, and leads back to the page where it was made.
fn choose_language(app: &AppState, request: &mut Request) -> Reply {
    let form = match read_form(app, request) {
        Ok(Ok(form)) => form,
        Ok(Err(refused)) => return refused,
        Err(error) => return Reply::text(400, &error.chain()),
    };
    let Some(to) = Language::of_tag(field(&form, "to")) else {
        return Reply::text(400, "no such language; choose one at the foot of a page");
    };
    // Of an address of this server, the path alone.
    let page = header(request, "Referer")
        .and_then(|from| from.parse::<http::Uri>().ok())
        .and_then(|from| from.path_and_query().map(ToString::to_string))
        // After a refused form, the address is that of the form's action: `/endpoints/ci/set`.
        .map(|page| match page.matches('/').count() {
            3.. => site::address_of_form(&page).unwrap_or(page),
            _ => page,
        })
        .filter(|page| is_own(page));
    let mut reply = Reply::see_other(page.unwrap_or_else(|| "/".to_owned()));
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        to.tag()
    );
    reply.headers.push(("Set-Cookie", cookie));
    reply
}

/// Whether an address is a path of this server.
fn is_own(page: &str) -> bool {
    page.starts_with('/')
        && !page.starts_with("//")
        && page
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn field<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    let found = form.iter().find(|(held, _)| held == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn login(app: &AppState, request: &mut Request, query: &str) -> Reply {
    let (token, texts) = (app.guard.token(), language(request).texts());
    if *request.method() != Method::Post {
        let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
        let next = next.map(|(_, next)| next.into_owned()).unwrap_or_default();
        return Reply::page(page::login(texts, &next, None, token));
    }
    let form = match read_form(app, request) {
        Ok(Ok(form)) => form,
        Ok(Err(refused)) => return refused,
        Err(error) => return Reply::text(400, &error.chain()),
    };
    let next = field(&form, "next");
    let logged_in = app
        .access
        .log_in(request, field(&form, "secret"), app.moment());
    let (status, problem) = match logged_in {
        Ok(Ok(cookie)) => {
            // Redirect only to a page of this server.
            let mut reply = Reply::see_other(if is_own(next) { next } else { "/" }.to_owned());
            reply.headers.push(("Set-Cookie", cookie));
            return reply;
        }
        Ok(Err(Denied::Unknown)) => (401, texts.login.wrong.to_owned()),
        Ok(Err(Denied::Braked(wait))) => {
            let seconds = wait.as_secs() + 1;
            (429, texts.fill(texts.login.wait, &[("seconds", &seconds)]))
        }
        Err(error) => (500, error.chain()),
    };
    Reply {
        status,
        ..Reply::page(page::login(texts, next, Some(&problem), token))
    }
}

fn get(app: &AppState, context: &PageContext<'_>, path: &str, query: &str) -> Result<Reply> {
    match path {
        "/openapi.json" => Ok(Reply::json(200, &api::document())),
        "/metrics" => Ok(Reply::with_type(
            200,
            metrics::CONTENT_TYPE,
            metrics::text(&app.store, context.now)?.into_bytes(),
        )),
        _ => site::get(app, context, path, query),
    }
}

fn post(
    app: &AppState,
    context: &PageContext<'_>,
    path: &str,
    request: &mut Request,
) -> Result<Reply> {
    let form = match read_form(app, request)? {
        Ok(form) => form,
        Err(refused) => return Ok(refused),
    };
    if path == "/logout" {
        let mut reply = Reply::see_other("/login".to_owned());
        let cookie = app.access.log_out(request, app.clock.now());
        reply.headers.push(("Set-Cookie", cookie));
        return Ok(reply);
    }
    if !context.may_change {
        let text = context.texts.frame.looks_only;
        return Ok(Reply {
            status: 403,
            ..Reply::page(page::problem(context, 403, text))
        });
    }
    if path == "/replays/new" {
        return site::new_replay(app, context, &form);
    }
    // It shows secrets: for who may change things, and only when asked.
    if let ["deliveries", id, "curl"] = path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        return site::delivery(app, context, id, true).map(Reply::page);
    }
    actions::post(app, path, &form).or_else(|error| {
        let status = status_of(&error);
        if status >= 500 {
            return Err(error);
        }
        let problem = error.chain();
        let returned = Returned {
            path,
            page: None,
            form: &form,
            problem: &problem,
        };
        let context = PageContext {
            returned: Some(returned),
            ..*context
        };
        let page = site::page_of_form(app, &context, path, &form).map_err(|_| error)?;
        Ok(Reply { status, ..page })
    })
}

/// Reads the fields of a form that a page of this server sent.
fn read_form(
    app: &AppState,
    request: &mut Request,
) -> Result<std::result::Result<Vec<(String, String)>, Reply>> {
    let mut body = Vec::new();
    request
        .as_reader()
        .take(FORM_BYTES_MAX as u64)
        .read_to_end(&mut body)
        .map_err(|error| Error::io("read the form", error))?;
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    if app.guard.check_post(request, &form).is_err() {
        return Ok(Err(Reply::text(
            403,
            "this form was not sent from a page of this server; load the page again",
        )));
    }
    Ok(Ok(form))
}
