//! The table of settings: what there is, what each does, how its value is written, its limit and its default.
//!
//! The help of the command line, the forms and OpenAPI are made of it, and of nothing else.

/// A setting that can be given.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name: that of the command line's option, with underscores.
    pub name: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// What stands for its value in help: `SPAN`.
    pub value: &'static str,
    /// What it does, with its unit, its limit and perhaps an example.
    pub help: &'static str,
    /// What holds where it is not given, or given as an empty text.
    pub default: Option<&'static str>,
    /// Under which heading it stands.
    pub group: &'static str,
    /// Whether it is shown to nobody.
    pub is_secret: bool,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// Several texts, a line each.
    Lines,
    /// A text of several lines; on the command line the file that holds it.
    File,
    /// `template:FILE` names a file on the command line.
    Format,
}

impl Setting {
    /// What it does and its default, as help shows them.
    pub fn described(&self) -> String {
        match self.default {
            Some(default) => format!("{} [default: {default}]", self.help),
            None => self.help.to_owned(),
        }
    }

    const fn new(name: &'static str, value: &'static str, help: &'static str) -> Setting {
        Setting {
            name,
            kind: Kind::Text,
            value,
            help,
            default: None,
            group: "",
            is_secret: false,
        }
    }

    const fn flag(name: &'static str, help: &'static str) -> Setting {
        Setting::new(name, "BOOL", help).kind(Kind::Flag)
    }

    const fn kind(mut self, kind: Kind) -> Setting {
        self.kind = kind;
        self
    }

    const fn default(mut self, default: &'static str) -> Setting {
        self.default = Some(default);
        self
    }

    const fn under(mut self, group: &'static str) -> Setting {
        self.group = group;
        self
    }

    const fn secret(mut self) -> Setting {
        self.is_secret = true;
        self
    }
}

const FILTERS: &str = "Which events";
const DELIVERY: &str = "When it is sent";
const REQUESTS: &str = "How requests are made";
const SIGNATURE: &str = "For a generic signature";
const GENERIC: &str = "For kind generic";

/// How a generic signature is made, of an endpoint, of a source, and by hand.
pub const SIGNATURE_SETTINGS: [Setting; 6] = [
    Setting::new(
        "signature_header",
        "HEADER",
        "The header that carries the signature",
    )
    .default("X-Hub-Signature-256")
    .under(SIGNATURE),
    Setting::new("signature_algorithm", "NAME", "sha1, sha256 or sha512")
        .default("sha256")
        .under(SIGNATURE),
    Setting::new("signature_encoding", "NAME", "hex or base64")
        .default("hex")
        .under(SIGNATURE),
    Setting::new(
        "signature_prefix",
        "TEXT",
        "What is written before the signature, such as sha256=",
    )
    .under(SIGNATURE),
    Setting::new(
        "signature_over",
        "TEMPLATE",
        "What is signed, of {id} (the webhook-id), {timestamp} and {body}",
    )
    .default("{body}")
    .under(SIGNATURE),
    Setting::new(
        "timestamp_header",
        "HEADER",
        "The header with the time, where one is signed; the signature's own for a list of t= and signatures; an endpoint's default is webhook-timestamp",
    )
    .under(SIGNATURE),
];

/// The settings of an endpoint.
pub const ENDPOINT_SETTINGS: [Setting; 37] = [
    Setting::new(
        "url",
        "URL",
        "Where events are sent, also those that wait: https://ci.example.org/hook",
    ),
    Setting::new(
        "format",
        "FORMAT",
        "The shape in which events are sent: raw (the sender's own bytes), a message in slack, discord, dingtalk, wecom or feishu, or template:FILE (what a Jinja template makes of them; its text is kept)",
    )
    .kind(Kind::Format)
    .default("raw"),
    Setting::new("template", "TEXT", "The text of the template, of format template").kind(Kind::File),
    Setting::new(
        "content_type",
        "TYPE",
        "The content type of what a template makes",
    )
    .default("application/json"),
    Setting::new(
        "sign",
        "SCHEME",
        "How requests are signed: none, standard (Standard Webhooks), github, gogs, gitea, gitee or generic; chats have signatures of their own",
    )
    .default("none"),
    Setting::new("secret", "SECRET", "What requests are signed with").secret(),
    Setting::new(
        "types",
        "GLOB,...",
        "Only events of these types, such as push,tag* (* is any text)",
    )
    .default("all")
    .under(FILTERS),
    Setting::new("sources", "GLOB,...", "Only events from these sources")
        .default("all")
        .under(FILTERS),
    Setting::new(
        "branches",
        "GLOB,...",
        "Only events about these branches or tags (short names; of a pull request the branch that it goes into), and those about none: main,release/*",
    )
    .default("all")
    .under(FILTERS),
    Setting::new(
        "when",
        "EXPR",
        "Only events for which this Jinja expression is true, such as \"type == 'push' and body.forced\"; it may use type, source, branch, headers and body",
    )
    .under(FILTERS),
    Setting::flag(
        "only_replays",
        "It gets replays that name it, and no events by themselves",
    )
    .under(FILTERS),
    Setting::new(
        "concurrency",
        "N",
        "Requests at the same time, 64 at most",
    )
    .kind(Kind::Number)
    .default("8; to a chat 1")
    .under(DELIVERY),
    Setting::new(
        "rate",
        "COUNT/SPAN,...",
        "Requests in any span of time, such as 20/m, or 5/s,100/m; what waits for that spends no tries",
    )
    .default("any; to a chat as many as it allows")
    .under(DELIVERY),
    Setting::new(
        "retry",
        "LADDER",
        "Waits between tries, moved by up to 20 % at random; or cron:EXPR (six fields, seconds first, day of week 1 = Sunday, and perhaps a time zone)",
    )
    .default("5s,5m,30m,2h,5h,10h,14h,20h,24h")
    .under(DELIVERY),
    Setting::new(
        "tries",
        "N",
        "Tries before a delivery is dead, 1000 at most; past the end of the ladder its last wait is repeated",
    )
    .kind(Kind::Number)
    .default("one more than the ladder has waits")
    .under(DELIVERY),
    Setting::new(
        "expire",
        "SPAN",
        "Give up what is older than this, such as 30d, counted from the event",
    )
    .default("never")
    .under(DELIVERY),
    Setting::flag(
        "expire_offline",
        "Let the time count that the endpoint could not be reached",
    )
    .under(DELIVERY),
    Setting::new(
        "probe_max",
        "SPAN",
        "Longest wait between probes while it cannot be reached, 1s to 1d; the first comes after 1s, and each wait is twice the last",
    )
    .default("1m")
    .under(DELIVERY),
    Setting::new(
        "window",
        "CRON+SPAN[ ZONE];...",
        "Send only then: when a window opens, for how long, and perhaps a time zone, such as \"0 0 2 * * *+3h Europe/Berlin\"; several separated by semicolons",
    )
    .default("always")
    .under(DELIVERY),
    Setting::flag(
        "ordered",
        "One delivery at a time, in the order of the events: what is refused keeps those behind it waiting until it is delivered, dead or cancelled",
    )
    .under(DELIVERY),
    Setting::new(
        "timeout",
        "SPAN",
        "How long one attempt may take in all, 5m at most",
    )
    .default("15s")
    .under(REQUESTS),
    Setting::new(
        "connect_timeout",
        "SPAN",
        "How long it may take to connect, TLS included",
    )
    .default("the time-out of the whole")
    .under(REQUESTS),
    Setting::new("method", "METHOD", "POST or PUT")
        .default("POST")
        .under(REQUESTS),
    Setting::new(
        "headers",
        "HEADER",
        "Headers of every request, each as `Name: value`, a line each (on the command line an option each); all that are given take the place of those before",
    )
    .kind(Kind::Lines)
    .secret()
    .under(REQUESTS),
    Setting::new(
        "auth",
        "HOW",
        "Credentials: basic:USER, bearer or none; the password or token is given apart",
    )
    .default("none")
    .under(REQUESTS),
    Setting::new("auth_secret", "SECRET", "The password or token of auth")
        .secret()
        .under(REQUESTS),
    Setting::new(
        "ca",
        "FILE",
        "Check the endpoint against these certificate authorities, as PEM, and no others",
    )
    .kind(Kind::File)
    .default("Mozilla's, which are built in")
    .under(REQUESTS),
    Setting::new(
        "client_cert",
        "FILE",
        "Show the endpoint this certificate, as PEM with its key",
    )
    .kind(Kind::File)
    .secret()
    .under(REQUESTS),
    Setting::new(
        "proxy",
        "URL",
        "Connect through this proxy: http://HOST:PORT or socks5://HOST:PORT",
    )
    .secret()
    .under(REQUESTS),
    Setting::new(
        "expect",
        "EXPR",
        "What success looks like, as an expression over status, headers, body (JSON) and text, such as body.ok == true; without status in it, of a 2xx",
    )
    .default("any 2xx")
    .under(REQUESTS),
    Setting::new(
        "forward_headers",
        "NAME,...",
        "Headers of the sender's that pass besides X-*, ce-*, traceparent, tracestate and baggage, with * and ?",
    )
    .under(REQUESTS),
    SIGNATURE_SETTINGS[0],
    SIGNATURE_SETTINGS[1],
    SIGNATURE_SETTINGS[2],
    SIGNATURE_SETTINGS[3],
    SIGNATURE_SETTINGS[4],
    SIGNATURE_SETTINGS[5],
];

/// The settings of a source.
pub const SOURCE_SETTINGS: [Setting; 15] = [
    Setting::new("secret", "SECRET", "What requests must be signed with").secret(),
    Setting::new(
        "tolerance",
        "SPAN|none",
        "How far the signed time of a request may be from now, or none to take any",
    )
    .default("1h for gitee, 5m for standard and gitlab"),
    Setting::new(
        "on_repeat",
        "ignore|replay",
        "What a request with a known key asks for, besides the answer that the event is known: ignore, or replay. Replay sends the event again, if the repeat comes more than 10 seconds after the first (then a person pressed Redelivery): where it is pending, at once",
    )
    .default("replay for gogs, github and gitlab, ignore for others"),
    SIGNATURE_SETTINGS[0],
    SIGNATURE_SETTINGS[1],
    SIGNATURE_SETTINGS[2],
    SIGNATURE_SETTINGS[3],
    SIGNATURE_SETTINGS[4],
    SIGNATURE_SETTINGS[5],
    Setting::new("type_header", "HEADER", "The header that names the type")
        .default("X-Hookbox-Type")
        .under(GENERIC),
    Setting::new(
        "type_expr",
        "EXPR",
        "A Jinja expression that gives the type, such as \"body.event.name\"",
    )
    .under(GENERIC),
    Setting::new("key_header", "HEADER", "The header that holds the key")
        .default("X-Hookbox-Key")
        .under(GENERIC),
    Setting::new(
        "key_expr",
        "EXPR",
        "A Jinja expression that gives the key, such as \"body.id\"",
    )
    .under(GENERIC),
    Setting::new(
        "auth",
        "HOW",
        "The secret comes with each request and signs nothing: basic:USER, bearer or header:NAME; none for a signature again",
    )
    .under(GENERIC),
    Setting::new(
        "handshake",
        "NAME",
        "Answer what the sender asks once: slack (url_verification), challenge (GET ?challenge=), microsoft (?validationToken=) or cloudevents (OPTIONS)",
    )
    .under(GENERIC),
];
