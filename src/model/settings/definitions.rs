//! The table of settings: the name of each, what it does, how its value is written, its limit and its
//! default.
//!
//! The help of the command line, the forms and OpenAPI are generated from this table only.

use Kind::{Choice, File, Flag, Format, Lines, Number, Secret, Text};

/// A setting that can be given.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name: the name of the command line's option, with underscores.
    pub name: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// The placeholder of its value in help: `SPAN`.
    pub value: &'static str,
    /// What it does, with its unit, its limit and sometimes an example.
    pub help: &'static str,
    /// What holds where it is not given, or given as an empty text; empty where there is nothing to say.
    pub default: &'static str,
    /// Under which heading it stands; empty for none.
    pub group: &'static str,
    /// Whether its value is never shown.
    pub is_secret: bool,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// Several texts, one per line.
    Lines,
    /// A text of several lines; on the command line, the name of the file that contains it.
    File,
    /// A secret; on the command line, read from a file, an environment variable or standard input.
    Secret,
    /// One of [`FORMATS`]; `template:FILE` names a file on the command line.
    Format,
}

/// The shapes in which events are sent.
pub const FORMATS: [&str; 14] = [
    "raw",
    "relay",
    "slack",
    "discord",
    "dingtalk",
    "wecom",
    "feishu",
    "teams",
    "matrix",
    "telegram",
    "mattermost",
    "rocketchat",
    "ntfy",
    "template",
];

const SCHEMES: &[&str] = &[
    "none", "standard", "github", "gogs", "gitea", "gitee", "generic",
];

impl Setting {
    /// The description and the default, as help shows them.
    pub fn described(&self) -> String {
        match self.default {
            "" => self.help.to_owned(),
            default => format!("{} [default: {default}]", self.help),
        }
    }

    const fn secret(mut self) -> Setting {
        self.is_secret = true;
        self
    }
}

/// A row of the table; no default is written as an empty text.
pub(crate) const fn row(
    kind: Kind,
    group: &'static str,
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        value,
        help,
        default,
        group,
        is_secret: false,
    }
}

const MAIN: &str = "";
const FILTERS: &str = "Which events";
const DELIVERY: &str = "When it is sent";
const REQUESTS: &str = "How requests are made";
const SIGNATURE: &str = "For a generic signature";
const GENERIC: &str = "For kind generic";

/// A secret by itself.
pub const SECRET_SETTING: [Setting; 1] =
    [row(Secret, MAIN, "secret", "SECRET", "", "The secret").secret()];

/// How a generic signature is made, of an endpoint, of a source, and by hand.
// A table is read by its rows: two lines each, whatever their length.
#[rustfmt::skip]
pub const SIGNATURE_SETTINGS: [Setting; 6] = [
    row(Text, SIGNATURE, "signature_header", "HEADER", "X-Hub-Signature-256",
        "The header that carries the signature"),
    row(Choice(&["sha1", "sha256", "sha512"]), SIGNATURE, "signature_algorithm", "NAME", "sha256",
        "sha1, sha256 or sha512"),
    row(Choice(&["hex", "base64"]), SIGNATURE, "signature_encoding", "NAME", "hex",
        "hex or base64"),
    row(Text, SIGNATURE, "signature_prefix", "TEXT", "",
        "What is written before the signature, such as sha256="),
    row(Text, SIGNATURE, "signature_over", "TEMPLATE", "{body}",
        "What is signed, of {id} (the webhook-id), {timestamp} and {body}"),
    row(Text, SIGNATURE, "timestamp_header", "HEADER", "",
        "The header with the time, where one is signed; the signature's own for a list of t= and signatures; an endpoint's default is webhook-timestamp"),
];

/// The settings of an endpoint.
// A table is read by its rows: two lines each, whatever their length.
#[rustfmt::skip]
pub const ENDPOINT_SETTINGS: [Setting; 38] = [
    row(Text, MAIN, "url", "URL", "",
        "Where events are sent, also those that wait: https://ci.example.org/hook"),
    row(Format, MAIN, "format", "FORMAT", "raw",
        "The shape in which events are sent: raw (the sender's own bytes), relay (many in one request, to another hookbox), a message in slack, discord, dingtalk, wecom, feishu, teams, matrix, telegram, mattermost, rocketchat or ntfy, or template:FILE (what a Jinja template makes of them; its text is kept)"),
    row(File, MAIN, "template", "TEXT", "",
        "The text of the template, of format template"),
    row(Text, MAIN, "content_type", "TYPE", "application/json",
        "The content type of what a template makes"),
    row(Choice(SCHEMES), MAIN, "sign", "SCHEME", "none",
        "How requests are signed: none, standard (Standard Webhooks), github, gogs, gitea, gitee or generic; chats have signatures of their own"),
    row(Secret, MAIN, "secret", "SECRET", "",
        "What requests are signed with").secret(),
    row(Text, FILTERS, "types", "GLOB,...", "all",
        "Only events of these types, such as push,tag* (* is any text)"),
    row(Text, FILTERS, "sources", "GLOB,...", "all",
        "Only events from these sources"),
    row(Text, FILTERS, "branches", "GLOB,...", "all",
        "Only events about these branches or tags (short names; of a pull request the branch that it goes into), and those about none: main,release/*"),
    row(Text, FILTERS, "when", "EXPR", "",
        "Only events for which this Jinja expression is true, such as \"type == 'push' and body.forced\"; it may use type, source, branch, headers and body"),
    row(Flag, FILTERS, "only_replays", "BOOL", "",
        "It gets replays that name it, and no events by themselves"),
    row(Number, DELIVERY, "concurrency", "N", "8; to a chat or a relay 1",
        "Requests at the same time, 64 at most"),
    row(Text, DELIVERY, "rate", "COUNT/SPAN,...", "any; to a chat as many as it allows",
        "Requests in any span of time, such as 20/m, or 5/s,100/m; what waits for that spends no tries"),
    row(Text, DELIVERY, "digest", "SPAN|behind|none", "behind",
        "To a chat, many events as one message, a line each, 25 at most: those of so much time, such as 10m; or those that wait while more than 20 do (behind); or none"),
    row(Text, DELIVERY, "retry", "LADDER", "5s,5m,30m,2h,5h,10h,14h,20h,24h",
        "Waits between tries, moved by up to 20 % at random; or cron:EXPR (six fields, seconds first, day of week 1 = Sunday, and perhaps a time zone)"),
    row(Number, DELIVERY, "tries", "N", "one more than the ladder has waits",
        "Tries before a delivery is dead, 1000 at most; past the end of the ladder its last wait is repeated"),
    row(Text, DELIVERY, "expire", "SPAN", "never",
        "Give up what is older than this, such as 30d, counted from the event"),
    row(Flag, DELIVERY, "expire_offline", "BOOL", "",
        "Let the time count that the endpoint could not be reached"),
    row(Text, DELIVERY, "probe_max", "SPAN", "1m",
        "Longest wait between probes while it cannot be reached, 1s to 1d; the first comes after 1s, and each wait is twice the last"),
    row(Text, DELIVERY, "window", "CRON+SPAN[ ZONE];...", "always",
        "Send only then: when a window opens, for how long, and perhaps a time zone, such as \"0 0 2 * * *+3h Europe/Berlin\"; several separated by semicolons"),
    row(Flag, DELIVERY, "ordered", "BOOL", "",
        "One delivery at a time, in the order of the events: what is refused keeps those behind it waiting until it is delivered, dead or cancelled"),
    row(Text, REQUESTS, "timeout", "SPAN", "15s",
        "How long one attempt may take in all, 5m at most"),
    row(Text, REQUESTS, "connect_timeout", "SPAN", "the time-out of the whole",
        "How long it may take to connect, TLS included"),
    row(Choice(&["POST", "PUT"]), REQUESTS, "method", "METHOD", "POST",
        "POST or PUT"),
    row(Lines, REQUESTS, "headers", "HEADER", "",
        "Headers of every request, each as `Name: value`, a line each (on the command line an option each); all that are given take the place of those before").secret(),
    row(Text, REQUESTS, "auth", "HOW", "none",
        "Credentials: basic:USER, bearer or none; the password or token is given apart"),
    row(Secret, REQUESTS, "auth_secret", "SECRET", "",
        "The password or token of auth").secret(),
    row(File, REQUESTS, "ca", "FILE", "Mozilla's, which are built in",
        "Check the endpoint against these certificate authorities, as PEM, and no others"),
    row(File, REQUESTS, "client_cert", "FILE", "",
        "Show the endpoint this certificate, as PEM with its key").secret(),
    row(Text, REQUESTS, "proxy", "URL", "",
        "Connect through this proxy: http://HOST:PORT or socks5://HOST:PORT").secret(),
    row(Text, REQUESTS, "expect", "EXPR", "any 2xx",
        "What success looks like, as an expression over status, headers, body (JSON) and text, such as body.ok == true; without status in it, of a 2xx"),
    row(Text, REQUESTS, "forward_headers", "NAME,...", "",
        "Headers of the sender's that pass besides X-*, ce-*, traceparent, tracestate and baggage, with * and ?"),
    SIGNATURE_SETTINGS[0], SIGNATURE_SETTINGS[1], SIGNATURE_SETTINGS[2], SIGNATURE_SETTINGS[3], SIGNATURE_SETTINGS[4], SIGNATURE_SETTINGS[5],
];

/// The settings of a source.
// A table is read by its rows: two lines each, whatever their length.
#[rustfmt::skip]
pub const SOURCE_SETTINGS: [Setting; 16] = [
    row(Secret, MAIN, "secret", "SECRET", "",
        "What requests must be signed with").secret(),
    row(Secret, MAIN, "path_token", "TOKEN", "",
        "A text that the path must end with: /in/NAME/TOKEN, of 16 to 128 letters, digits or - . _ ~. For senders that sign nothing, or not the body").secret(),
    row(Text, MAIN, "tolerance", "SPAN|none", "1h for gitee, 5m for standard and gitlab",
        "How far the signed time of a request may be from now, or none to take any"),
    row(Choice(&["ignore", "replay"]), MAIN, "on_repeat", "ignore|replay", "replay for gogs, github and gitlab, ignore for others",
        "What a request with a known key asks for, besides the answer that the event is known: ignore, or replay. Replay sends the event again, if the repeat comes more than 10 seconds after the first (then a person pressed Redelivery): where it is pending, at once"),
    SIGNATURE_SETTINGS[0], SIGNATURE_SETTINGS[1], SIGNATURE_SETTINGS[2], SIGNATURE_SETTINGS[3], SIGNATURE_SETTINGS[4], SIGNATURE_SETTINGS[5],
    row(Text, GENERIC, "type_header", "HEADER", "X-Hookbox-Type",
        "The header that names the type"),
    row(Text, GENERIC, "type_expr", "EXPR", "",
        "A Jinja expression that gives the type, such as \"body.event.name\""),
    row(Text, GENERIC, "key_header", "HEADER", "X-Hookbox-Key",
        "The header that holds the key"),
    row(Text, GENERIC, "key_expr", "EXPR", "",
        "A Jinja expression that gives the key, such as \"body.id\""),
    row(Text, GENERIC, "auth", "HOW", "",
        "The secret comes with each request and signs nothing: basic:USER, bearer or header:NAME; none for a signature again"),
    row(Choice(&["slack", "challenge", "microsoft", "cloudevents"]), GENERIC, "handshake", "NAME", "",
        "Answer what the sender asks once: slack (url_verification), challenge (GET ?challenge=), microsoft (?validationToken=) or cloudevents (OPTIONS)"),
];

/// The settings of an alert.
// A table is read by its rows: two lines each, whatever their length.
#[rustfmt::skip]
pub const ALERT_SETTINGS: [Setting; 3] = [
    row(Text, MAIN, "to", "ENDPOINT|URL", "the program of serve --alert-command alone",
        "The endpoint that gets the messages, by its name; or a URL, and an endpoint of the alert's name is made that gets nothing else, in the format of its chat where the URL shows which it is"),
    row(Text, MAIN, "about", "WHAT,...", "held,offline:10m,refusing:10m,dead,disk,rejected:10",
        "What it tells: held (an endpoint is), offline:SPAN and refusing:SPAN (an endpoint is for so long), dead (a delivery is given up), disk (it fills, or cannot be written), silent:SPAN (nothing came through a source for so long), rejected:COUNT (so many requests to a source within an hour); the last two perhaps of one source, such as silent:1d:gogs"),
    row(Text, MAIN, "every", "SPAN", "15m",
        "At most one message in this time, 1m to 7d; what comes in between stands in the next one"),
];
