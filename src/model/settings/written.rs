//! Writes settings: the texts from which a source, an endpoint or an alert would be parsed again.

use super::Setting;
use super::definitions::{ALERT_SETTINGS, ENDPOINT_SETTINGS, SOURCE_SETTINGS};
use crate::model::alert::NewAlert;
use crate::model::connection::Auth;
use crate::model::endpoint::NewEndpoint;
use crate::model::filter::Globs;
use crate::model::replay::Target;
use crate::model::source::{NewSource, Origin, Tolerance};
use crate::model::template::CONTENT_TYPE;
use crate::signature::Secret;
use crate::signature::generic::Rules;
use crate::time::show_span;

/// A setting with its value. A secret need not be text.
pub type Written = (&'static Setting, Vec<u8>);

/// The settings of an endpoint that are not the default, in the order of the table. The URL is always one.
pub fn written_endpoint(endpoint: &NewEndpoint) -> Vec<Written> {
    let usual = NewEndpoint::new("", endpoint.url.clone());
    let usual = |name: &str| match name {
        "url" => Vec::new(),
        name => endpoint_value(&usual, name),
    };
    differing(
        &ENDPOINT_SETTINGS,
        |name| endpoint_value(endpoint, name),
        usual,
    )
}

/// The settings of a source that are not the default, in the order of the table.
pub fn written_source(source: &NewSource) -> Vec<Written> {
    let usual = NewSource::of("", source.sender());
    differing(
        &SOURCE_SETTINGS,
        |name| source_value(source, name),
        |name| source_value(&usual, name),
    )
}

/// The settings of an alert that are not the default, in the order of the table.
pub fn written_alert(alert: &NewAlert) -> Vec<Written> {
    let usual = NewAlert::new("");
    differing(
        &ALERT_SETTINGS,
        |name| alert_value(alert, name),
        |name| alert_value(&usual, name),
    )
}

fn differing(
    settings: &'static [Setting],
    value: impl Fn(&str) -> Vec<u8>,
    usual: impl Fn(&str) -> Vec<u8>,
) -> Vec<Written> {
    let all = settings
        .iter()
        .map(|setting| (setting, value(setting.name)));
    all.filter(|(setting, value)| *value != usual(setting.name))
        .collect()
}

/// An empty text stands for what is not set.
fn text<T: ToString>(value: Option<&T>) -> Vec<u8> {
    value.map(T::to_string).unwrap_or_default().into_bytes()
}

fn flag(value: bool) -> Vec<u8> {
    let text = if value { "true" } else { "" };
    text.as_bytes().to_vec()
}

fn secret(value: Option<&Secret>) -> Vec<u8> {
    value
        .map(|secret| secret.expose().to_vec())
        .unwrap_or_default()
}

fn endpoint_value(endpoint: &NewEndpoint, name: &str) -> Vec<u8> {
    let (connection, filters) = (&endpoint.connection, &endpoint.filters);
    let template = |field: &str| {
        let template = endpoint.format.template()?;
        template.stored()[field].as_str().map(str::to_owned)
    };
    let span = |span| show_span(span).into_bytes();
    match name {
        "url" => endpoint.url.as_text().into_bytes(),
        "format" => endpoint.format.to_string().into_bytes(),
        "template" => text(template("text").as_ref()),
        "content_type" => {
            let named = template("content_type").filter(|one| one != CONTENT_TYPE);
            text(named.as_ref())
        }
        "sign" => endpoint.scheme.to_string().into_bytes(),
        "secret" => secret(endpoint.secret.as_ref()),
        "types" => text::<Globs>(filters.types.as_ref()),
        "sources" => text(filters.sources.as_ref()),
        "branches" => text(filters.branches.as_ref()),
        "when" => text(filters.when.as_ref()),
        "only_replays" => flag(endpoint.gets_only_replays),
        "concurrency" => text(endpoint.concurrency.as_ref()),
        "rate" => text(endpoint.rate.as_ref()),
        "digest" => endpoint.digest.to_string().into_bytes(),
        "retry" => endpoint.retry.to_string().into_bytes(),
        "tries" => text(endpoint.tries.as_ref()),
        "expire" => text(endpoint.expire.map(show_span).as_ref()),
        "expire_offline" => flag(endpoint.expires_offline),
        "probe_max" => span(endpoint.probe_max),
        "window" => text(endpoint.window.as_ref()),
        "ordered" => flag(endpoint.is_ordered),
        "timeout" => span(endpoint.timeout),
        "connect_timeout" => text(connection.connect_timeout.map(show_span).as_ref()),
        "method" => connection.method.name().as_bytes().to_vec(),
        "headers" => {
            let lines = connection.headers.iter();
            let lines: Vec<String> = lines
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            lines.join("\n").into_bytes()
        }
        "auth" => match &connection.auth {
            None => Vec::new(),
            Some(Auth::Basic { user, .. }) => format!("basic:{user}").into_bytes(),
            Some(Auth::Bearer(_)) => b"bearer".to_vec(),
        },
        "auth_secret" => secret(connection.auth.as_ref().map(|auth| match auth {
            Auth::Basic { password, .. } => password,
            Auth::Bearer(token) => token,
        })),
        "ca" => text(connection.ca.as_ref().map(|ca| ca.pem()).as_ref()),
        "client_cert" => {
            let certificate = connection.client_cert.as_ref();
            certificate.map(|it| it.pem().to_vec()).unwrap_or_default()
        }
        "proxy" => text(connection.proxy.as_ref().map(|url| url.expose()).as_ref()),
        "expect" => text(connection.expect.as_ref()),
        "forward_headers" => text(connection.forward.as_ref()),
        name => rule(&endpoint.signature, name),
    }
}

fn source_value(source: &NewSource, name: &str) -> Vec<u8> {
    let generic = &source.generic;
    let header = |origin: &Option<Origin>| match origin {
        Some(Origin::Header(name)) => name.clone().into_bytes(),
        _ => Vec::new(),
    };
    let expression = |origin: &Option<Origin>| match origin {
        Some(Origin::Expression(expression)) => expression.to_string().into_bytes(),
        _ => Vec::new(),
    };
    match name {
        "secret" => secret(source.secret.as_ref()),
        "path_token" => secret(source.path_token.as_ref()),
        "tolerance" => match source.tolerance {
            Tolerance::Default => Vec::new(),
            Tolerance::Within(span) => show_span(span).into_bytes(),
            Tolerance::Any => b"none".to_vec(),
        },
        "on_repeat" => {
            let repeat = source.on_repeat.unwrap_or(source.kind.default_on_repeat());
            repeat.name().as_bytes().to_vec()
        }
        "type_header" => header(&generic.type_from),
        "type_expr" => expression(&generic.type_from),
        "key_header" => header(&generic.key_from),
        "key_expr" => expression(&generic.key_from),
        "auth" => text(generic.auth.as_ref()),
        "handshake" => text(generic.handshake.as_ref()),
        name => rule(&generic.signature, name),
    }
}

fn alert_value(alert: &NewAlert, name: &str) -> Vec<u8> {
    match name {
        "to" => match &alert.to {
            None => Vec::new(),
            Some(Target::Endpoint(name)) => name.clone().into_bytes(),
            Some(Target::Url(url)) => url.as_text().into_bytes(),
        },
        "about" => alert.about.to_string().into_bytes(),
        "every" => show_span(alert.every).into_bytes(),
        _ => Vec::new(),
    }
}

fn rule(rules: &Rules, name: &str) -> Vec<u8> {
    match name {
        "signature_header" => rules.header.clone().into_owned().into_bytes(),
        "signature_algorithm" => rules.algorithm.to_string().into_bytes(),
        "signature_encoding" => rules.encoding.to_string().into_bytes(),
        "signature_prefix" => rules.prefix.clone().into_bytes(),
        "signature_over" => rules.over.to_string().into_bytes(),
        "timestamp_header" => text(rules.timestamp_header.as_ref()),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::settings::{alert_change, endpoint_change, source_change};
    use crate::model::source::SenderKind;

    fn pairs(written: &[Written]) -> Vec<(String, String)> {
        let pair = |(setting, value): &Written| {
            (
                setting.name.to_owned(),
                String::from_utf8(value.clone()).unwrap(),
            )
        };
        written.iter().map(pair).collect()
    }

    fn given(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        texts.iter().map(own).collect()
    }

    fn endpoint(set: &[(&str, &str)]) -> NewEndpoint {
        let mut made = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
        endpoint_change(&given(set))
            .unwrap()
            .make(&mut made)
            .unwrap();
        made
    }

    #[test]
    fn every_setting_of_an_endpoint_is_written_as_it_is_read() {
        let pem = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let (ca, key) = (pem.cert.pem(), pem.signing_key.serialize_pem());
        let both = format!("{ca}{key}");
        let set: [&[(&str, &str)]; 4] = [
            &[
                ("url", "https://ci.example.org/hook?a=b"),
                ("format", "template:push.txt"),
                ("template", "{{ type }}\n"),
                ("content_type", "text/plain"),
                ("sign", "generic"),
                ("secret", " hunter2"),
                ("types", "push,tag*"),
                ("branches", "main,release/*"),
                ("when", "type == 'push'"),
                ("only_replays", "true"),
                ("concurrency", "2"),
                ("rate", "5/s,100/m"),
                ("retry", "cron:0 0 3 * * * Europe/Berlin"),
                ("tries", "4"),
                ("expire", "30d"),
                ("expire_offline", "true"),
                ("probe_max", "5m"),
                ("window", "0 0 2 * * *+3h Europe/Berlin"),
                ("ordered", "true"),
                ("timeout", "3s"),
                ("connect_timeout", "1s"),
                ("method", "PUT"),
                ("headers", "X-A: 1\nX-B: 2"),
                ("auth", "basic:mira"),
                ("auth_secret", "hunter3"),
                ("ca", &ca),
                ("client_cert", &both),
                ("proxy", "socks5://u:p@127.0.0.1:1080"),
                ("expect", "body.ok == true"),
                ("forward_headers", "Accept-*"),
                ("signature_header", "X-Sum"),
                ("signature_algorithm", "sha512"),
                ("signature_encoding", "base64"),
                ("signature_over", "{timestamp}.{body}\n"),
                ("signature_prefix", "v1 "),
                ("timestamp_header", "X-Time"),
            ],
            &[
                ("sources", "gogs"),
                ("auth", "bearer"),
                ("auth_secret", "t"),
            ],
            &[("format", "slack"), ("digest", "10m"), ("retry", "none")],
            &[],
        ];
        let mut seen: Vec<&str> = Vec::new();
        for set in set {
            let made = endpoint(set);
            let written = written_endpoint(&made);
            seen.extend(written.iter().map(|(setting, _)| setting.name));
            // The headers of a template's content type, the retry schedule: all as they were given.
            let mut again = NewEndpoint::new("ci", made.url.clone());
            endpoint_change(&pairs(&written))
                .unwrap()
                .make(&mut again)
                .unwrap();
            assert_eq!(format!("{made:?}"), format!("{again:?}"));
            assert_eq!(made.secret, again.secret);
            assert_eq!(made.connection, again.connection);
            assert_eq!(made.format, again.format);
        }
        let unseen = ENDPOINT_SETTINGS
            .iter()
            .filter(|one| !seen.contains(&one.name));
        assert_eq!(unseen.count(), 0);
    }

    #[test]
    fn every_setting_of_a_source_is_written_as_it_is_read() {
        let set: [(&str, &[(&str, &str)]); 5] = [
            (
                "generic",
                &[
                    ("secret", "hunter2"),
                    ("path_token", "a-token-of-a-path"),
                    ("on_repeat", "replay"),
                    ("tolerance", "none"),
                    ("signature_header", "X-Sum"),
                    ("signature_algorithm", "sha1"),
                    ("signature_encoding", "base64"),
                    ("signature_over", "{timestamp}{body}"),
                    ("signature_prefix", "sha1="),
                    ("timestamp_header", "X-Time"),
                    ("type_header", "X-Kind"),
                    ("key_expr", "body.id"),
                    ("handshake", "challenge"),
                ],
            ),
            (
                "generic",
                &[
                    ("auth", "basic:mira"),
                    ("type_expr", "body.kind"),
                    ("key_header", "X-Id"),
                ],
            ),
            ("gogs", &[]),
            ("gitee", &[("tolerance", "5m")]),
            (
                "stripe",
                &[
                    ("signature_header", ""),
                    ("type_expr", ""),
                    ("key_expr", ""),
                ],
            ),
        ];
        let mut seen: Vec<&str> = Vec::new();
        for (kind, set) in set {
            let kind: SenderKind = kind.parse().unwrap();
            let mut made = NewSource::of("in", kind);
            source_change(&given(set)).unwrap().make(&mut made).unwrap();
            let written = written_source(&made);
            seen.extend(written.iter().map(|(setting, _)| setting.name));
            let mut again = NewSource::of("in", made.sender());
            source_change(&pairs(&written))
                .unwrap()
                .make(&mut again)
                .unwrap();
            assert_eq!(
                format!("{:?}", written_source(&again)),
                format!("{written:?}")
            );
            assert_eq!(made.generic.json(), again.generic.json());
            assert_eq!(made.secret, again.secret);
        }
        let unseen = SOURCE_SETTINGS
            .iter()
            .filter(|one| !seen.contains(&one.name));
        assert_eq!(unseen.count(), 0);
    }

    #[test]
    fn every_setting_of_an_alert_is_written_as_it_is_read() {
        let set = [
            ("to", "ops"),
            ("about", "dead,silent:1d:gogs"),
            ("every", "1h"),
        ];
        let mut made = NewAlert::new("a");
        alert_change(&given(&set)).unwrap().make(&mut made).unwrap();
        assert_eq!(pairs(&written_alert(&made)), given(&set));
        assert!(written_alert(&NewAlert::new("a")).is_empty());
    }
}
