//! `hookbox endpoint`: where events go.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::preview::preview;
use super::settings::{Given, OfEndpoint, OfNewEndpoint, Options, RotateArguments};
use super::{Context, EXIT_CODES, Limit, nothing_named};
use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::endpoint::{EndpointReport, HELD_BY_HAND, NewEndpoint, hold_reason};
use crate::model::filter::Check;
use crate::model::settings::{Change, endpoint_change};
use crate::model::text::counted;
use crate::signature::Scheme;
use crate::time::show_span;

#[derive(Debug, Subcommand)]
pub(super) enum EndpointCommand {
    /// Add one: events accepted from now on are sent there
    #[command(
        after_help = "Example: hookbox endpoint add ci https://ci.example.org/hook --sign gogs --secret -\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Add(Box<AddArguments>),
    /// List them, with how they fare
    #[command(after_help = EXIT_CODES)]
    List(Limit),
    /// Show one
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Its name
        name: String,
    },
    /// Change one; what is not named stays as it is, and an empty value brings back
    /// the default
    #[command(
        after_help = "Example: hookbox endpoint set ci --types push,tag* --branches main,release/*\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Set(Box<SetArguments>),
    /// Give one a new secret; for a while it is signed with the old one as well,
    /// where the scheme allows several signatures (standard)
    #[command(after_help = EXIT_CODES)]
    RotateSecret(RotateArguments),
    /// Add one like another, with its secrets; what is given here differs
    #[command(
        after_help = "Example: hookbox endpoint copy ci ci-2 --url https://ci2.example.org/hook\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Copy(Box<CopyArguments>),
    /// Stop sending to one, or to all that a pattern names; everything that they
    /// are owed waits
    #[command(
        after_help = "Example: hookbox endpoint hold 'ci-*' --reason 'the CI moves'\n\nExit codes: 0 done, 1 failed, 2 misused, 3 not found."
    )]
    Hold {
        /// Its name, or a pattern such as 'ci-*'
        name: String,
        /// Why, for whoever looks at it later [default: held by hand]
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        how: HowMany,
    },
    /// Go on sending to one that is held, or to all that a pattern names
    #[command(after_help = EXIT_CODES)]
    Resume {
        /// Its name, or a pattern such as 'ci-*'
        name: String,
        /// Cancel what is pending of events that came before: a time, or an age
        /// such as 2d; asks first how many that are
        #[arg(long, value_name = "TIME")]
        drop_before: Option<String>,
        #[command(flatten)]
        how: HowMany,
    },
    /// Send a test event to one endpoint alone, whatever its filters say, and wait for
    /// its answer
    #[command(after_help = EXIT_CODES)]
    Test {
        /// Its name
        name: String,
        /// Do not wait for the answer
        #[arg(long)]
        no_wait: bool,
    },
    /// Try at once whatever waits for its next try, also where the endpoint cannot
    /// be reached or asked to be left alone
    #[command(after_help = EXIT_CODES)]
    Try {
        /// Its name
        name: String,
    },
    /// Print what would be sent of an event now; nothing is sent
    #[command(after_help = EXIT_CODES)]
    Preview {
        /// The endpoint's name
        endpoint: String,
        /// The event's id, or the bare number
        event: String,
        /// Show signatures and credentials, too
        #[arg(long)]
        signed: bool,
    },
    /// Say why an event goes to an endpoint or does not
    #[command(after_help = EXIT_CODES)]
    Match {
        /// The endpoint's name
        endpoint: String,
        /// The event's id, or the bare number
        event: String,
    },
    /// Remove one; its deliveries stay to be looked at
    #[command(visible_alias = "rm", after_help = EXIT_CODES)]
    Remove {
        /// Its name
        name: String,
        /// Cancel what is still pending; without this, pending deliveries keep
        /// the endpoint from being removed
        #[arg(long)]
        cancel_pending: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// Its name
    name: String,
    /// Where events are POSTed: an absolute http or https URL
    url: String,
    #[command(flatten)]
    settings: Options<OfNewEndpoint>,
}

#[derive(Debug, Args)]
pub(super) struct CopyArguments {
    /// The one that is copied
    from: String,
    /// The new one's name
    name: String,
    #[command(flatten)]
    settings: Options<OfEndpoint>,
}

/// For what may be done to many endpoints.
#[derive(Debug, Args)]
pub(super) struct HowMany {
    /// Say which endpoints a pattern names, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// Its name
    name: String,
    #[command(flatten)]
    settings: Options<OfEndpoint>,
}

pub(super) fn run(context: &Context, command: EndpointCommand) -> Result<()> {
    match command {
        EndpointCommand::Add(arguments) => add(context, &arguments),
        EndpointCommand::List(limit) => {
            let reports = limit.newest(context.store()?.endpoint_reports()?);
            let objects: Vec<Value> = reports.iter().map(EndpointReport::json).collect();
            let columns = [
                "name",
                "url",
                "format",
                "sign",
                "held",
                "circuit",
                "pending",
                "oldest_due_at",
                "delivered",
                "dead",
            ];
            context.out.list(&columns, &objects)
        }
        EndpointCommand::Show { name } => context
            .out
            .fields(&context.store()?.endpoint_report(&name)?.json()),
        EndpointCommand::Copy(arguments) => copy(context, &arguments),
        EndpointCommand::Set(arguments) => set(context, &arguments),
        EndpointCommand::RotateSecret(arguments) => rotate_secret(context, &arguments),
        EndpointCommand::Hold { name, reason, how } => {
            each_of(context, &name, &how, "hold", |name| {
                hold(context, name, reason.as_deref())
            })
        }
        EndpointCommand::Resume {
            name,
            drop_before,
            how,
        } => {
            if drop_before.is_some() && is_pattern(&name) {
                return Err(Error::misuse(
                    "--drop-before cancels, so it goes with one endpoint; for several: hookbox delivery cancel --endpoint NAME --until TIME, and then resume",
                ));
            }
            each_of(context, &name, &how, "resume", |name| {
                resume(context, name, drop_before.as_deref(), how.yes)
            })
        }
        EndpointCommand::Test { name, no_wait } => test(context, &name, no_wait),
        EndpointCommand::Try { name } => {
            let store = context.store()?;
            let made_due = store.try_endpoint(&name, context.now())?;
            context.note_if_not_served(&store);
            let object = json!({ "endpoint": name, "made_due": made_due });
            context.out.object(
                &object,
                &format!(
                    "due now: {}; its --rate, --ordered and --window still hold",
                    counted(made_due as i64, "delivery", "deliveries")
                ),
            )
        }
        EndpointCommand::Preview {
            endpoint,
            event,
            signed,
        } => preview(context, &endpoint, &event, signed),
        EndpointCommand::Match { endpoint, event } => match_event(context, &endpoint, &event),
        EndpointCommand::Remove {
            name,
            cancel_pending,
        } => {
            let cancelled =
                context
                    .store()?
                    .remove_endpoint(&name, cancel_pending, context.now())?;
            let object = json!({ "removed": name, "cancelled": cancelled });
            context.out.object(
                &object,
                &format!(
                    "removed endpoint {name}; cancelled: {}",
                    counted(cancelled, "delivery", "deliveries")
                ),
            )
        }
    }
}

fn add(context: &Context, arguments: &AddArguments) -> Result<()> {
    let mut new = NewEndpoint::new(arguments.name.clone(), arguments.url.parse()?);
    change(arguments.settings.read(context)?)?.make(&mut new)?;
    new.check()?;
    let store = context.store_or_new()?;
    store.add_endpoint(new, context.now())?;
    let report = store.endpoint_report(&arguments.name)?;
    say_doubts(context, &report);
    let text = format!(
        "added endpoint {}; events go to {} from now on",
        arguments.name,
        report.endpoint.set.shown_url()
    );
    context.out.object(&report.json(), &text)
}

fn copy(context: &Context, arguments: &CopyArguments) -> Result<()> {
    let (from, name) = (&arguments.from, &arguments.name);
    let change = change(arguments.settings.read(context)?)?;
    let store = context.store()?;
    store.copy_endpoint(from, name, move |copy| change.make(copy), context.now())?;
    let report = store.endpoint_report(name)?;
    say_doubts(context, &report);
    let original = store.endpoint_report(from)?.endpoint.set.url;
    if report.endpoint.set.url == original {
        context.out.note(&format!(
            "warning: {name} and {from} have one URL, which gets everything twice now; --url gives another"
        ));
    }
    let text = format!(
        "added endpoint {name}, like {from}; events go to {} from now on",
        report.endpoint.set.shown_url()
    );
    context.out.object(&report.json(), &text)
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Does something to an endpoint, or to each that a pattern names, after asking.
fn each_of(
    context: &Context,
    pattern: &str,
    how: &HowMany,
    verb: &str,
    each: impl Fn(&str) -> Result<()>,
) -> Result<()> {
    if !is_pattern(pattern) {
        return match how.dry_run {
            true => Err(Error::misuse(
                "--dry-run goes with a pattern such as 'ci-*'",
            )),
            false => each(pattern),
        };
    }
    let names = context.store()?.endpoints_named(&pattern.parse()?)?;
    let named = names.join(", ");
    if how.dry_run {
        let object = json!({ "endpoints": names, "dry_run": true });
        return context
            .out
            .object(&object, &format!("would {verb}: {named}"));
    }
    if !how.yes && !context.out.confirms(&format!("{verb} {named}?"))? {
        return Err(Error::misuse(format!(
            "nothing was changed; this would {verb} {named}: --yes does it without asking"
        )));
    }
    names.iter().try_for_each(|name| each(name))
}

fn set(context: &Context, arguments: &SetArguments) -> Result<()> {
    let (name, change) = (&arguments.name, change(arguments.settings.read(context)?)?);
    if change.is_empty() {
        return Err(nothing_named());
    }
    let store = context.store()?;
    store.set_endpoint(name, move |endpoint| change.make(endpoint), context.now())?;
    let report = store.endpoint_report(name)?;
    say_doubts(context, &report);
    context
        .out
        .object(&report.json(), &format!("changed endpoint {name}"))?;
    if report.endpoint.held.is_some() {
        context.out.note(&format!(
            "it is still held: hookbox endpoint resume {name} sends what waits"
        ));
    }
    Ok(())
}

fn change(given: Given) -> Result<Change<NewEndpoint>> {
    let mut change = endpoint_change(&given.pairs)?;
    if given.secret.is_some() {
        change.put(given.secret, |endpoint, secret| endpoint.secret = secret);
    }
    Ok(change)
}

/// Prints warnings about settings that are probably a mistake.
fn say_doubts(context: &Context, report: &EndpointReport) {
    for warning in &report.warnings {
        context.out.note(&format!("warning: {warning}"));
    }
}

fn rotate_secret(context: &Context, arguments: &RotateArguments) -> Result<()> {
    let secret = arguments.read(context)?;
    let (name, overlap, now) = (&arguments.name, arguments.overlap, context.now());
    let store = context.store()?;
    store.rotate_endpoint_secret(name, secret, overlap, now)?;
    let report = store.endpoint_report(name)?;
    let text = match report.endpoint.old_secrets.first() {
        Some(old) if old.ends > now && report.endpoint.set.scheme == Scheme::Standard => format!(
            "endpoint {name} has a new secret; it is signed with the old one as well until {}",
            old.ends
        ),
        _ => format!("endpoint {name} has a new secret; it is signed with that one from now on"),
    };
    context.out.object(&report.json(), &text)
}

fn hold(context: &Context, name: &str, reason: Option<&str>) -> Result<()> {
    let store = context.store()?;
    let held = store.endpoint_report(name)?.endpoint.held;
    let known = held.as_ref().map(|hold| hold.reason.as_str());
    let reason = match reason {
        Some(reason) => hold_reason(reason)?,
        None => known.unwrap_or(HELD_BY_HAND),
    };
    let is_new = store.hold_endpoint(name, reason, context.now())?;
    let report = store.endpoint_report(name)?;
    let text = if is_new {
        format!(
            "endpoint {name} is held; what it is owed waits until `hookbox endpoint resume {name}`"
        )
    } else {
        format!("endpoint {name} was held already; why: {reason}")
    };
    context.out.object(&report.json(), &text)
}

fn resume(context: &Context, name: &str, drop_before: Option<&str>, yes: bool) -> Result<()> {
    let store = context.store()?;
    let mut dropped = String::new();
    let mut dropped_count = 0;
    if let Some(before) = context.moment(drop_before)? {
        // Events of exactly that moment stay.
        let up_to = before.minus(Duration::from_millis(1));
        let count = store.pending_up_to(store.endpoint_id(name)?, up_to)?;
        let those = counted(count, "delivery", "deliveries");
        let question = format!("cancel {those} of events from before {before}?");
        if count > 0 && !yes && !context.out.confirms(&question)? {
            if context.out.is_interactive() {
                return context.out.line("nothing was changed");
            }
            return Err(Error::misuse(format!(
                "{those} of events from before {before} would be cancelled; nothing was changed; to do it, add --yes"
            )));
        }
        let count = store.drop_before(name, before, context.now())?;
        dropped = format!("; {count} older ones were cancelled");
        dropped_count = count;
    }
    let was_held = store.resume_endpoint(name)?;
    let report = store.endpoint_report(name)?;
    let text = match (was_held, report.pending) {
        (false, 0) => format!("endpoint {name} was not held{dropped}"),
        (false, pending) => format!(
            "endpoint {name} was not held{dropped}; {pending} wait, and hookbox endpoint try {name} tries at once"
        ),
        (true, 1) => format!("endpoint {name} is sent to again; 1 delivery waits for it{dropped}"),
        (true, pending) => {
            format!("endpoint {name} is sent to again; {pending} deliveries wait for it{dropped}")
        }
    };
    let aged = match report.endpoint.set.expire {
        Some(expire) if was_held && report.pending > 0 => format!(
            "; what is owed for longer than {} is given up",
            show_span(expire)
        ),
        _ => String::new(),
    };
    let mut object = report.json();
    object["dropped"] = dropped_count.into();
    context.out.object(&object, &format!("{text}{aged}"))
}

/// How often it is looked whether a test was answered.
const LOOK: Duration = Duration::from_millis(20);

/// Sends a test, and says what the endpoint answered.
///
/// # Errors
/// [`Error::Refused`] when the endpoint did not take it.
#[allow(
    clippy::disallowed_methods,
    reason = "another process sends, and cannot tell"
)]
fn test(context: &Context, name: &str, no_wait: bool) -> Result<()> {
    let store = context.store()?;
    let made = store.test_endpoint(name, context.now())?;
    let id = store.box_id().delivery(made);
    let is_served = store.is_served()?;
    context.note_if_not_served(&store);
    let timeout = store.endpoint_report(name)?.endpoint.set.timeout;
    let deadline = context.clock.elapsed() + timeout + Duration::from_secs(1);
    let mut delivery = store.delivery(made)?;
    while is_served
        && !no_wait
        && delivery.state == State::Pending
        && delivery.attempts == 0
        && !matches!(
            delivery.waiting(context.now()),
            Some("held" | "window" | "offline" | "order")
        )
        && context.clock.elapsed() < deadline
    {
        std::thread::sleep(LOOK);
        delivery = store.delivery(made)?;
    }
    if no_wait || !is_served {
        let object = delivery.json(store.box_id(), context.now());
        return context.out.object(&object, &id);
    }
    let attempts = store.attempts(made)?;
    let delivery = store.delivery(made)?;
    let object = delivery.json(store.box_id(), context.now());
    let Some(attempt) = attempts.last() else {
        let why = delivery.waiting_reason(store.box_id(), context.now());
        context.out.object(&object, &id)?;
        return Err(Error::Refused(match why {
            Some(why) => format!("it waits: {why}"),
            None => format!("no answer yet; look later: hookbox delivery show {id}"),
        }));
    };
    let took = show_span(Duration::from_millis(
        u64::try_from(attempt.timing.total.as_millis())
            .unwrap_or(0)
            .max(1),
    ));
    let answer = match (attempt.status, &attempt.error) {
        (Some(_), Some(error)) => format!("{error} in {took}"),
        (Some(status), None) => format!("{status} in {took}"),
        (None, Some(error)) => format!("{error} after {took}"),
        (None, None) => format!("{} after {took}", attempt.outcome),
    };
    context.out.object(&object, &format!("{id}  {answer}"))?;
    match delivery.state {
        State::Delivered => Ok(()),
        _ => Err(Error::Refused(format!("{name} did not take it: {answer}"))),
    }
}

/// Prints the result of each filter for an event, and whether it was owed.
fn match_event(context: &Context, name: &str, event: &str) -> Result<()> {
    let store = context.store()?;
    let found = store.match_event(name, store.box_id().parse_event(event)?)?;
    let goes = found.passes();
    let object = found.json(name, store.box_id());
    if context.out.is_json() {
        return context.out.line(&object.to_string());
    }
    let event = store.box_id().event(found.event);
    let verb = if goes { "goes" } else { "does not go" };
    context.out.line(&format!("{event} {verb} to {name}"))?;
    let checks: Vec<Value> = found.checks.iter().map(Check::json).collect();
    if checks.is_empty() {
        context
            .out
            .line("the endpoint has no filters: every event goes there")?;
    } else {
        context
            .out
            .list(&["filter", "setting", "passes", "why"], &checks)?;
    }
    let owed = found.deliveries.iter();
    let owed: Vec<String> = owed.map(|id| store.box_id().delivery(*id)).collect();
    match (goes, owed.as_slice()) {
        (true, []) => context.out.line(
            "it was not owed: filters are asked when an event is accepted, and then the endpoint was not there, or set otherwise",
        ),
        (false, []) => Ok(()),
        (_, owed) => context.out.line(&format!("it was owed: {}", owed.join(", "))),
    }
}
