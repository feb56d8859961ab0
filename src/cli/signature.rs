//! `hookbox signature`: sign and verify by hand, for whoever debugs a receiver or a sender; and
//! the options that say how a generic signature is made.

use std::borrow::Cow;

use clap::{Args, Subcommand};
use serde_json::json;

use super::event::read_data;
use super::secret::SecretArguments;
use super::{Context, EXIT_CODES, optional_of, put};
use crate::error::{Error, Result};
use crate::model::header::parse_header;
use crate::model::header::{Header, first_value};
use crate::signature::digest::{Algorithm, Encoding};
use crate::signature::generic::{Over, Rules};
use crate::signature::{Scheme, Secret, Signable, Signed, gitee, standard};

#[derive(Debug, Subcommand)]
pub(super) enum SignatureCommand {
    /// Print the headers that sign a body
    #[command(
        after_help = "Example: hookbox signature sign --sign gogs --secret - --data @push.json < ci.secret\n\nExit codes: 0 done, 1 failed, 2 misused."
    )]
    Sign(SignArguments),
    /// Check the headers that came with a body; exits 1 when they do not match
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(super) struct SignArguments {
    #[command(flatten)]
    what: What,
    /// The webhook-id, for schemes that sign one
    #[arg(long, value_name = "ID", default_value = "evt_0_0")]
    id: String,
    /// When it is signed, for schemes that sign a time: as --since
    /// of event list
    /// [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    what: What,
    /// A header as it came, `Name: value`; may be given several times
    #[arg(long, value_name = "HEADER", required = true)]
    header: Vec<String>,
    /// Compare a signed time with this moment [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Debug, Args)]
struct What {
    /// The scheme: standard, github, gogs, gitea, gitee or generic
    #[arg(long)]
    sign: Scheme,
    #[command(flatten)]
    secret: SecretArguments,
    #[command(flatten)]
    rules: RuleArguments,
    /// The content type; a form's `payload` is what gogs and gitea sign
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: String,
    /// The body: a text, @FILE, or @- for standard input
    #[arg(long, value_name = "TEXT|@FILE|@-", default_value = "")]
    data: String,
}

/// How a generic signature is written; an empty value means the usual again.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "For a generic signature")]
pub(super) struct RuleArguments {
    /// The header that carries it [default: X-Hub-Signature-256]
    #[arg(long, value_name = "HEADER")]
    signature_header: Option<String>,
    /// sha1, sha256 or sha512 [default: sha256]
    #[arg(long, value_name = "NAME")]
    signature_algorithm: Option<Algorithm>,
    /// hex or base64 [default: hex]
    #[arg(long, value_name = "NAME")]
    signature_encoding: Option<Encoding>,
    /// What is written before it, such as sha256=
    #[arg(long, value_name = "TEXT")]
    signature_prefix: Option<String>,
    /// What is signed, of {id} (the webhook-id), {timestamp} and {body}
    /// [default: {body}]
    #[arg(long, value_name = "TEMPLATE")]
    signature_over: Option<String>,
    /// The header with the time, where one is signed; the signature's own for a
    /// list of t= and signatures [an endpoint's default: webhook-timestamp]
    #[arg(long, value_name = "HEADER")]
    timestamp_header: Option<String>,
}

impl RuleArguments {
    /// Reads what was given.
    pub(super) fn read(self) -> Result<RuleChange> {
        let over = match self.signature_over.as_deref() {
            None => None,
            Some("") => Some(Over::default()),
            Some(text) => Some(text.parse()?),
        };
        let header = self.signature_header.map(|name| match name.as_str() {
            "" => Rules::default().header,
            _ => Cow::Owned(name),
        });
        Ok(RuleChange {
            header,
            algorithm: self.signature_algorithm,
            encoding: self.signature_encoding,
            prefix: self.signature_prefix,
            over,
            timestamp_header: optional_of(self.timestamp_header, |name| {
                Ok(Cow::Owned(name.to_owned()))
            })?,
        })
    }
}

/// Rules that were read, to be put in the place of those that there are.
pub(super) struct RuleChange {
    header: Option<Cow<'static, str>>,
    algorithm: Option<Algorithm>,
    encoding: Option<Encoding>,
    prefix: Option<String>,
    over: Option<Over>,
    timestamp_header: Option<Option<Cow<'static, str>>>,
}

impl RuleChange {
    pub(super) fn is_nothing(&self) -> bool {
        self.header.is_none()
            && self.algorithm.is_none()
            && self.encoding.is_none()
            && self.prefix.is_none()
            && self.over.is_none()
            && self.timestamp_header.is_none()
    }

    pub(super) fn apply(&self, rules: &mut Rules) {
        put(&mut rules.header, &self.header);
        put(&mut rules.algorithm, &self.algorithm);
        put(&mut rules.encoding, &self.encoding);
        put(&mut rules.prefix, &self.prefix);
        put(&mut rules.over, &self.over);
        put(&mut rules.timestamp_header, &self.timestamp_header);
    }
}

pub(super) fn run(context: &Context, command: SignatureCommand) -> Result<()> {
    match command {
        SignatureCommand::Sign(arguments) => sign(context, arguments),
        SignatureCommand::Verify(arguments) => verify(context, arguments),
    }
}

/// What both need: scheme, secret, rules, content type, body.
struct Read {
    scheme: Scheme,
    secret: Secret,
    rules: Rules,
    content_type: String,
    body: Vec<u8>,
}

impl What {
    fn read(self, context: &Context) -> Result<Read> {
        if self.sign == Scheme::None {
            return Err(Error::misuse("--sign none signs nothing; name a scheme"));
        }
        let mut rules = Rules::default();
        self.rules.read()?.apply(&mut rules);
        rules.check()?;
        let secret = self.secret.read(context)?.ok_or_else(|| {
            Error::misuse("give the secret, with --secret-file, --secret-env or --secret -")
        })?;
        Ok(Read {
            scheme: self.sign,
            secret,
            rules,
            content_type: self.content_type,
            body: read_data(&self.data)?,
        })
    }
}

fn sign(context: &Context, arguments: SignArguments) -> Result<()> {
    let at = context.moment(arguments.at.as_deref())?;
    let at = at.unwrap_or_else(|| context.now());
    let what = arguments.what.read(context)?;
    what.scheme.check_secret(Some(&what.secret))?;
    let message = Signable {
        id: &arguments.id,
        timestamp: at,
        content_type: Some(&what.content_type),
        body: &what.body,
    };
    let mut headers = vec![
        (standard::ID_HEADER.into(), arguments.id.clone()),
        (
            standard::TIMESTAMP_HEADER.into(),
            at.unix_seconds().to_string(),
        ),
    ];
    headers.extend(what.scheme.sign(&[&what.secret], &what.rules, &message)?);
    if context.out.is_json() {
        return context.out.line(&json!({ "headers": headers }).to_string());
    }
    headers
        .iter()
        .try_for_each(|(name, value)| context.out.line(&format!("{name}: {value}")))
}

fn verify(context: &Context, arguments: VerifyArguments) -> Result<()> {
    let at = context.moment(arguments.at.as_deref())?;
    let mut headers = arguments
        .header
        .iter()
        .map(|line| parse_header(line))
        .collect::<Result<Vec<Header>>>()?;
    let what = arguments.what.read(context)?;
    if what.scheme == Scheme::Standard {
        standard::check_verifying(&what.secret)?;
    }
    headers.push(("content-type".to_owned(), what.content_type));
    let header = |name: &str| first_value(&headers, name);
    let tolerance = match what.scheme {
        Scheme::Gitee => Some(gitee::TOLERANCE),
        _ => Some(standard::TOLERANCE),
    };
    let signed = Signed {
        header: &header,
        body: &what.body,
        now: at.unwrap_or_else(|| context.now()),
        tolerance,
    };
    match what.scheme.verify(&what.secret, &what.rules, &signed) {
        Ok(()) => context
            .out
            .object(&json!({ "verified": true }), "the signature matches"),
        Err(rejection) => Err(Error::Refused(rejection.to_string())),
    }
}
