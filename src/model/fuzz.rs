//! Random settings, events and replies are parsed or rejected without a panic.

use super::calendar::Calendar;
use super::event::NewEvent;
use super::expect::Expect;
use super::expression::Expression;
use super::id::{BoxId, SourceId};
use super::rate::Rates;
use super::redact::{Redaction, hide_fields};
use super::relay;
use super::retry::Retry;
use super::scope::Scope;
use super::settings::{endpoint_change, source_change};
use super::template::{Particulars, Template};
use super::window::Windows;
use crate::fuzz::{fuzz, kind_of, parts};
use crate::model::endpoint::NewEndpoint;
use crate::model::kind::SourceKind;
use crate::model::source::NewSource;
use crate::time::{Timestamp, parse_span, show_span};

/// Times to test with: the limits of all times, and of the times that calendars cover.
const MOMENTS: [i64; 11] = [
    i64::MIN,
    i64::MIN / 2,
    -8_334_601_228_800_000,
    -62_135_596_800_001,
    -1,
    0,
    1_764_406_800_000,
    4_102_444_800_000,
    253_402_300_799_999,
    8_210_266_876_799_999,
    i64::MAX,
];

const BODY: &[u8] = br#"{"ref":"refs/heads/main","list":[1,2.5,"x",null],"commits":[{"id":"c1","n":1}],"text":"a\nb","huge":1e400}"#;

#[test]
fn expressions() {
    fuzz(
        "expressions",
        &[
            b"type == 'push' and body.commits|length > 0\x1f{\"commits\":[1]}",
            b"body.ref[:11] == 'refs/heads/'\x1f{\"ref\":\"refs/heads/x\"}",
            b"'x' * body.n ~ body.list|join('-')\x1f{\"n\":3,\"list\":[1,2]}",
            b"headers['x-gogs-event'] in ['push'] or body is mapping\x1f[]",
            b"(body.list|map('int')|sum if body.list else 0) ** 3 // 2 % 7\x1f{\"list\":[\"1\"]}",
            b"body.text|fromjson|sort|first|default('x')|replace('a','b')\x1f{\"text\":\"[2,1]\"}",
        ],
        &[
            "body", "headers", "type", "branch", "source", "|", "~", "*", "**", "//", "%", "not ",
            " in ", " is ", " if ", " else ", "indent(", "batch(", "slice(", "join(", "split(",
            "replace(", "format(", "tojson(", "list", "length", "map(", "select(", "sort",
            "groupby(", "unique", "zip(", "round(", "(", ")", "[", "]", ":", "'", "fromjson",
            "range", "loop", "self", "[::-1]", "\x1f",
        ],
        |input| {
            let [text, body] = parts(input);
            let scope = Scope::new("push", Some("gogs"), body.as_bytes());
            match Expression::parse(&text) {
                Err(error) => kind_of(&error.to_string()),
                Ok(read) => match (read.holds(&scope), read.text(&scope)) {
                    (Ok(holds), Ok(text)) => format!("{holds} {}", text.is_some()),
                    (Err(why), _) | (_, Err(why)) => kind_of(&why),
                },
            }
        },
    );
}

#[test]
fn templates() {
    let event = Particulars {
        id: "evt_x_1",
        key: None,
        received_at: "2026-03-01T12:00:00.000Z",
        summary: "push",
    };
    fuzz(
        "templates",
        &[
            b"{\"text\": {{ summary|tojson }}, \"n\": {{ body.list|length }}}",
            b"{% for c in body.commits %}{{ loop.index }}{{ c.id }}{% else %}none{% endfor %}",
            b"{% set x = body.text|upper %}{% if x %}{{ x|indent(2) }}{% elif y %}{% endif %}",
            b"{% for c in body.list recursive %}{{ loop(body.commits) }}{% endfor %}",
            b"{% filter upper %}{% set a %}{{ id }}{% endset %}{{ a * 3 }}{% endfilter %}",
            b"{% with a = [1], b = {'x': a} %}{{ a + a ~ b|tojson(2) }}{% endwith %}{# c #}{% raw %}{{{% endraw %}",
        ],
        &[
            "{{", "}}", "{%", "%}", "{#", "#}", "for ", " in ", "endfor", "if ", "endif", "set ", "endset", "filter ",
            "endfilter", "with ", "endwith", "loop(", "recursive", "autoescape", "include", "macro", "import", "do ",
            "body.list", "body.huge", "body.commits", "|indent(", "|batch(", "|slice(", "|tojson(", "|pprint", "~", "*",
        ],
        |input| {
            let text = String::from_utf8_lossy(input);
            let made = Template::parse("t", &text, "text/plain")
                .and_then(|template| template.render(&Scope::new("push", None, BODY), event));
            match made {
                Ok(made) => format!("{}", made.len().min(3)),
                Err(error) => kind_of(&error.to_string()),
            }
        },
    );
}

#[test]
fn expectations() {
    fuzz(
        "expectations",
        &[
            b"status == 200 and body.ok\x1f{\"ok\":true}",
            b"'done' in text\x1f<p>done</p>",
            b"headers['x-a'] is defined\x1f",
        ],
        &[
            "status",
            "headers",
            "body",
            "text",
            "|length",
            "|fromjson",
            " in ",
            "\x1f",
        ],
        |input| {
            let [text, reply] = parts(input);
            match text.parse::<Expect>() {
                Err(error) => kind_of(&error.to_string()),
                Ok(expect) => match expect.is_met(200, &[], reply.as_bytes()) {
                    Ok(is_met) => is_met.to_string(),
                    Err(why) => kind_of(&why),
                },
            }
        },
    );
}

#[test]
fn calendars() {
    fuzz(
        "calendars",
        &[
            b"0 */10 * * * *",
            b"0 30 2 * * * Europe/Berlin",
            b"0 0 0 29 2 * 2024-2100/4 Asia/Shanghai",
            b"* * * * * MON-FRI America/St_Johns",
            b"59 59 23 31 DEC ? 1970",
            b"@daily",
            b"0 0 0 1 1 * 2099,2100 Pacific/Apia",
        ],
        &[
            "*",
            "/",
            "-",
            ",",
            "?",
            "L",
            "W",
            "#",
            "MON",
            "SUN",
            "JAN",
            "FEB",
            "1970",
            "2100",
            "29",
            "30",
            "31",
            "Europe/Dublin",
            "Antarctica/Troll",
            "Africa/Casablanca",
            "UTC",
            "Etc/GMT+12",
            "Pacific/Kiritimati",
            "@hourly",
        ],
        |input| match String::from_utf8_lossy(input).parse::<Calendar>() {
            Err(_) => "no calendar".to_owned(),
            Ok(calendar) => {
                let said = MOMENTS.map(|moment| {
                    let at = Timestamp(moment);
                    let (next, latest) = (calendar.next(at), calendar.latest(at));
                    assert!(
                        next.is_none_or(|next| next > at),
                        "{calendar} after {moment}"
                    );
                    assert!(
                        latest.is_none_or(|latest| latest <= at),
                        "{calendar} until {moment}"
                    );
                    format!("{}{}", next.is_some(), latest.is_some())
                });
                assert_eq!(calendar, calendar.to_string().parse().unwrap());
                said.concat()
            }
        },
    );
}

#[test]
fn windows() {
    fuzz(
        "windows",
        &[
            b"0 0 22 * * *+8h Europe/Berlin",
            b"0 0 1 * * *+2h;0 0 13 * * SAT,SUN+30m",
            b"0 0 0 1 1 *+365d",
        ],
        &[
            "+",
            ";",
            "h",
            "d",
            "m",
            "s",
            "ms",
            "0s",
            "*",
            "* * * * * *",
            "+9999999999d",
            "UTC",
        ],
        |input| match String::from_utf8_lossy(input).parse::<Windows>() {
            Err(error) => kind_of(&error.to_string()),
            Ok(windows) => {
                let said = MOMENTS.map(|moment| {
                    let _ = windows.closed_until(Timestamp(moment));
                    let opening = format!("{:?}", windows.at(Timestamp(moment)));
                    kind_of(&opening).chars().take(8).collect::<String>()
                });
                said.concat()
            }
        },
    );
}

#[test]
fn spans_times_rates_and_ladders() {
    fuzz(
        "spans",
        &[
            b"5s,5m,30m,2h,5h,10h",
            b"90d",
            b"1h30m",
            b"100/1m,5/1s",
            b"2026-11-28 10:00",
            b"yesterday",
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"2026-03-01T12:00:00.123456789+05:30",
            b"0 */5 * * * *",
        ],
        &[
            "ms", "s", "m", "h", "d", "w", "/", ",", ":", "-", "T", "Z", "+", "today", "ago", "GMT",
        ],
        |input| {
            let text = String::from_utf8_lossy(input);
            let mut said = Vec::new();
            if let Ok(span) = parse_span(&text) {
                let _ = show_span(span);
                for moment in MOMENTS.map(Timestamp) {
                    let _ = (
                        moment.plus(span),
                        moment.minus(span),
                        moment.since(Timestamp(0)),
                    );
                }
                said.push("span");
            }
            for moment in MOMENTS.map(Timestamp) {
                let _ = (moment.to_string(), moment.to_chrono(), moment.to_jiff());
                if Timestamp::parse(&text, moment).is_ok() {
                    said.push("time");
                }
            }
            let _ = Timestamp::parse_http_date(&text);
            if text.parse::<Rates>().is_ok() {
                said.push("rates");
            }
            if let Ok(retry) = text.parse::<Retry>() {
                for tries in [0, 1, 5, 6, 1_000, u32::MAX] {
                    let _ =
                        MOMENTS.map(|moment| retry.next(tries, u32::MAX, Timestamp(moment), 0.999));
                }
                said.push("retry");
            }
            said
        },
    );
}

#[test]
fn ids() {
    let own = BoxId::new("d5ca33b1d2");
    fuzz(
        "ids",
        &[
            b"evt_d5ca33b1d2_7_q1jtw",
            b"dlv_d5ca33b1d2_9223372036854775807",
            b"att_d5ca33b1d2_1_a67pv",
            b"rpl_d5ca33b1d2_12",
            b"7",
        ],
        &[
            "evt_",
            "dlv_",
            "att_",
            "rpl_",
            "_",
            "d5ca33b1d2",
            "-1",
            "+1",
            " ",
        ],
        |input| {
            let text = String::from_utf8_lossy(input);
            [
                own.parse_event(&text).is_ok(),
                own.parse_delivery(&text).is_ok(),
                own.parse_attempt(&text).is_ok(),
                own.parse_replay(&text).is_ok(),
            ]
        },
    );
}

#[test]
fn settings() {
    let url = "https://receiver.example.org/hook";
    fuzz(
        "settings",
        &[
            b"types\x1fpush,create\x1fwhen\x1fbody.ref",
            b"retry\x1f5s,5m\x1ftries\x1f9",
            b"window\x1f0 0 22 * * *+8h\x1frate\x1f10/1s",
            b"header\x1fX-A: b\x1fauth\x1fbasic:user",
            b"format\x1fslack\x1fsign\x1fstandard",
            b"signature-over\x1f{id}.{body}\x1fsignature-header\x1fX-Sig",
            b"url\x1fhttps://a:99999/p?q#f\x1fproxy\x1fsocks5://u:p@h:1",
            b"expect\x1fstatus == 204\x1fforward-headers\x1fX-*",
            b"type-from\x1fbody.type\x1fkey-from\x1fbody.id",
            b"ordered\x1fon\x1fexpire\x1f3d",
        ],
        &[
            "\x1f",
            "url",
            "format",
            "sign",
            "secret",
            "types",
            "sources",
            "branches",
            "when",
            "timeout",
            "concurrency",
            "rate",
            "retry",
            "tries",
            "expire",
            "expire-offline",
            "probe-max",
            "window",
            "ordered",
            "method",
            "header",
            "auth",
            "connect-timeout",
            "ca",
            "client-cert",
            "proxy",
            "expect",
            "forward-headers",
            "kind",
            "handshake",
            "signature-header",
            "signature-over",
            "path-token",
            "type-from",
            "key-from",
            "{body}",
            "{id}",
            "on",
            "off",
            "-----BEGIN CERTIFICATE-----",
        ],
        |input| {
            let [name, value, second, other] = parts(input);
            let changes = [(name, value), (second, other)];
            let mut endpoint = NewEndpoint::new("e", url.parse().unwrap());
            let mut source = NewSource::new("s", SourceKind::Generic);
            let said = [
                endpoint_change(&changes).and_then(|change| change.make(&mut endpoint)),
                source_change(&changes).and_then(|change| change.make(&mut source)),
            ];
            said.map(|done| done.map_err(|error| kind_of(&error.to_string())))
        },
    );
}

#[test]
fn hidden_fields() {
    let redaction = Redaction::of([b"topsecret/\"x".to_vec(), b"secret".to_vec()]);
    fuzz(
        "hidden",
        &[
            br#"{"password":"topsecret","a":{"password":"x"}}"#,
            br#"topsecret/\"x top"#,
            b"password",
        ],
        &["password", "topsecret", "\"", ":", "{", "}", "\\", "sign"],
        |input| {
            let shown = hide_fields(input, &["password", "sign"]).len();
            let mut text = input.to_vec();
            redaction.hide(&mut text, true);
            let left = text.windows(12).any(|part| part == b"topsecret/\"x");
            assert!(!left);
            (shown == input.len(), text.len() == input.len())
        },
    );
}

#[test]
fn events() {
    fuzz(
        "events",
        &[
            b"push\x1fk1\x1fapplication/json\x1f{}",
            b"order.paid\x1f\x1ftext/plain\x1fx",
        ],
        &["\x1f", "a", ".", " ", "\t"],
        |input| {
            let [event_type, key, content_type, body] = parts(input);
            let event = NewEvent {
                key: Some(key),
                content_type: Some(content_type),
                ..NewEvent::new(event_type, body)
            };
            event.check().map_err(|error| kind_of(&error.to_string()))
        },
    );
}

#[test]
fn relays() {
    let seeds: [&[u8]; 2] = [
        br#"{"hookbox_relay":1,"box":"2132006e77","ordered":false}
{"id":"evt_2132006e77_1_ejtf5","type":"push","original_type":"Push","source":"gogs","key":"8a1f","received_at":"2026-11-30T11:58:02.114Z","content_type":"application/json","headers":[["X-Gogs-Event","push"]],"body":"{}"}
"#,
        br#"{"hookbox_relay":1,"box":"2132006e77","ordered":true}
{"id":"evt_2132006e77_2_ejtf5","type":"b","received_at":"2026-11-30T11:58:02.114Z","headers":[["Hookbox-Path","00ff00ff00/boxes"]],"body_base64":"AP8="}
"#,
    ];
    let words = [
        "\"hookbox_relay\":1",
        "\"headers\":[[\"A\",\"b\"]]",
        "\"body\":null",
        "\"body_base64\":\"AA\"",
        "null",
        "}\n{",
        "\n",
    ];
    fuzz("relays", &seeds, &words, |input| {
        let here = BoxId::new("00ff00ff00");
        let packed = zstd::encode_all(input, 1).expect("memory takes all");
        let outcomes = [input, packed.as_slice()].map(|bytes| {
            let read = relay::lines(bytes, 64 * 1024);
            let read = read.and_then(|lines| relay::Relayed::read(&lines.unwrap_or_default()));
            read.map(|relayed| {
                let events = relayed.events.into_iter();
                let made = events.map(|event| event.into_event(&here, SourceId(1), "boxes"));
                let made = made.map(|made| match made {
                    Ok(Some(event)) => event.event_type.len().min(9).to_string(),
                    Ok(None) => "round".to_owned(),
                    Err(error) => kind_of(&error.to_string()),
                });
                made.collect::<Vec<String>>().join(",")
            })
            .unwrap_or_else(|error| kind_of(&error.to_string()))
        });
        outcomes.join(" ")
    });
}
