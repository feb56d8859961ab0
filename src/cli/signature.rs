//! `hookbox signature`: sign and verify by hand, to debug a receiver or a sender.

use clap::{Args, Subcommand};
use serde_json::json;

use super::event::read_data;
use super::settings::{OfSecret, OfSignature, Options};
use super::{Context, EXIT_CODES};
use crate::error::{Error, Result};
use crate::model::header::parse_header;
use crate::model::header::{Header, first_value};
use crate::model::settings::rules_change;
use crate::signature::generic::Rules;
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
    secret: Options<OfSecret>,
    #[command(flatten)]
    rules: Options<OfSignature>,
    /// The content type; a form's `payload` is what gogs and gitea sign
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: String,
    /// The body: a text, @FILE, or @- for standard input
    #[arg(long, value_name = "TEXT|@FILE|@-", default_value = "")]
    data: String,
}

pub(super) fn run(context: &Context, command: SignatureCommand) -> Result<()> {
    match command {
        SignatureCommand::Sign(arguments) => sign(context, arguments),
        SignatureCommand::Verify(arguments) => verify(context, arguments),
    }
}

/// What both commands need: scheme, secret, rules, content type, body.
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
        rules_change(&self.rules.read(context)?.pairs)?.make(&mut rules)?;
        rules.check()?;
        let secret = self.secret.read(context)?.secret.ok_or_else(|| {
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
