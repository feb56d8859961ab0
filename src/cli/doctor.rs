//! `hookbox doctor`: finds what may be wrong, and says what to do about it.

use std::time::Duration;

use std::path::Path;

use serde_json::{Value, json};

use super::Context;
use super::processes::{configuration_of, listed, processes_with};
use super::serve::check_options;
use crate::config::{Config, Plan, is_of_another_environment};
use crate::error::{Error, Result};
use crate::model::endpoint::EndpointReport;
use crate::model::text::counted;
use crate::store::{Depth, Health, OpenTo, Store};
use crate::time::{Timestamp, show_span};

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Nothing is lost, but the operator may want to know.
    Note,
    /// It may become a problem.
    Warning,
    /// Something does not work.
    Problem,
}

struct Finding {
    level: Level,
    what: String,
    do_this: String,
}

impl Finding {
    fn new(level: Level, what: impl Into<String>, do_this: impl Into<String>) -> Finding {
        Finding {
            level,
            what: what.into(),
            do_this: do_this.into(),
        }
    }

    fn name(&self) -> &'static str {
        match self.level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

pub(super) fn run(context: &Context) -> Result<()> {
    let store = context.store()?;
    let health = store.health()?;
    let is_served = store.is_served()?;
    let file = store.location().file();
    let processes = file.map(processes_with).unwrap_or_default();
    let mut findings = of_file(&store, &health, &processes, is_served);
    if file.is_some() {
        findings.extend(store.check(Depth::Quick)?.into_iter().map(|fault| {
            let what = format!("the file is damaged: {}", fault.what);
            Finding::new(Level::Problem, what, fault.do_this())
        }));
    }
    findings.extend(of_configuration(&store));
    for name in store.silent_nodes()? {
        let what = format!("node {name} says nothing any more and was not stopped");
        let do_this = "look whether it runs; others send what was its to send, if any run";
        findings.push(Finding::new(Level::Warning, what, do_this));
    }
    findings.extend(of_outbox(&health, is_served, context.now()));
    for report in store.endpoint_reports()? {
        findings.extend(of_endpoint(&report, context.now()));
    }
    for report in store.source_reports()? {
        let name = &report.source.name;
        if let Some((_, reason)) = report.refuses() {
            let what = format!("source {name} refused the last request: {reason}");
            let do_this =
                format!("look who sends it, and with which secret: hookbox source refusals {name}");
            findings.push(Finding::new(Level::Warning, what, do_this));
        }
        if let Some(what) = report.source.unproved(context.now()) {
            let what = format!("source {}: {what}", report.source.name);
            findings.push(Finding::new(Level::Note, what, ""));
        }
    }
    if context.out.is_json() {
        let told: Vec<Value> = findings
            .iter()
            .map(|finding| {
                json!({ "level": finding.name(), "what": finding.what, "do": finding.do_this })
            })
            .collect();
        let mut object = health.json();
        if let Some(object) = object.as_object_mut() {
            let processes = processes.iter();
            let processes = processes.map(|(id, name)| json!({ "pid": id, "name": name }));
            object.insert("processes".to_owned(), processes.collect());
            object.insert("served".to_owned(), is_served.into());
            object.insert("findings".to_owned(), told.into());
        }
        context.out.line(&object.to_string())?;
        return verdict(&findings);
    }
    if findings.is_empty() {
        return context.out.line("nothing is wrong");
    }
    for finding in &findings {
        context
            .out
            .line(&format!("{:<8} {}", finding.name(), finding.what))?;
        if !finding.do_this.is_empty() {
            context.out.line(&format!("         {}", finding.do_this))?;
        }
    }
    verdict(&findings)
}

/// Fails if something does not work, so that a scheduled job can detect it.
fn verdict(findings: &[Finding]) -> Result<()> {
    let problems = findings.iter().filter(|one| one.level == Level::Problem);
    match problems.count() {
        0 => Ok(()),
        count => Err(Error::Refused(format!("problems found: {count}"))),
    }
}

fn of_file(
    store: &Store,
    health: &Health,
    processes: &[(u32, String)],
    is_served: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mib = |bytes: u64| bytes / (1024 * 1024);
    if health.is_held_up() {
        let what = format!(
            "the write-ahead log has {} MiB in use, of which {} MiB cannot be moved into the file: some program began to read before they were written and goes on, or there is always one that reads, so that the log never begins anew",
            mib(health.in_log),
            mib(health.held_up)
        );
        let do_this = format!(
            "end transactions and statements that are done with; these processes have the file open: {}",
            listed(processes)
        );
        findings.push(Finding::new(Level::Warning, what, do_this));
    }
    if let Some(what) = health.sizes.low() {
        let do_this = "make room, or remove what is old: hookbox prune --before 90d";
        findings.push(Finding::new(Level::Warning, what, do_this));
    }
    if let Some(why) = health.fleeting {
        let what = format!("the file lies {why}");
        let do_this = "serve a file on a disk that stays; in a container mount a folder for it";
        findings.push(Finding::new(Level::Warning, what, do_this));
    }
    let path = store.location();
    match &health.open_to {
        OpenTo::Nobody => {}
        OpenTo::Everybody => {
            let what = "everybody on this machine can read the file, and it holds secrets";
            let do_this = format!("chmod o= {path}; for a group of users also: chmod g+rw {path}");
            findings.push(Finding::new(Level::Warning, what, do_this));
        }
        OpenTo::Group { name, has_folder } => {
            let what =
                format!("the members of group `{name}` can read the file, and it holds secrets");
            let do_this = format!("where no program of theirs uses it: chmod 600 {path}");
            findings.push(Finding::new(Level::Note, what, do_this));
            if !has_folder {
                let what = format!(
                    "what one member of group `{name}` makes beside the file is not open to the others: its folder does not pass the group on"
                );
                let folder = path.file().and_then(Path::parent);
                let folder = folder.unwrap_or(Path::new(".")).display();
                let do_this = format!("chgrp {name} {folder}; chmod g+rws {folder}");
                findings.push(Finding::new(Level::Warning, what, do_this));
            }
        }
    }
    if !is_served {
        let what = "nothing serves this database: what comes in by command or SQL is not sent";
        let do_this = format!("hookbox serve --db {path}");
        findings.push(Finding::new(Level::Note, what, do_this));
    }
    findings
}

/// What keeps the file that the service follows from being applied.
fn of_configuration(store: &Store) -> Option<Finding> {
    let file = configuration_of(store.serving_process()?)?;
    let looked = Config::read(&file).and_then(|config| {
        check_options(&config)?;
        Plan::of(&config, store, false)
    });
    // The service may have variables and credentials that whoever runs this has not.
    let error = looked
        .err()
        .filter(|error| !is_of_another_environment(error))?;
    let what = format!("the configuration file is not applied: {}", error.chain());
    let do_this = format!(
        "mend it; what is wrong is said by: hookbox apply --dry-run {}",
        file.display()
    );
    Some(Finding::new(Level::Problem, what, do_this))
}

fn of_outbox(health: &Health, is_served: bool, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (row, problem) in &health.problems {
        let what = format!("row {row} of hookbox_outbox cannot be made an event: {problem}");
        let do_this = format!(
            "mend that (in hookbox_outbox_row) and start serve again, or: delete from hookbox_outbox where id = {row}"
        );
        findings.push(Finding::new(Level::Problem, what, do_this));
    }
    if let (count, Some(since)) = health.outbox
        && is_served
        && count > 0
        && now.since(since).as_secs() > 60
    {
        let what = format!(
            "{count} rows wait in hookbox_outbox, the first for {}",
            in_seconds(now.since(since))
        );
        let do_this = "look at the log of serve: another program may hold the file's lock";
        findings.push(Finding::new(Level::Problem, what, do_this));
    }
    findings
}

fn of_endpoint(report: &EndpointReport, now: Timestamp) -> Vec<Finding> {
    let name = &report.endpoint.set.name;
    let mut findings = Vec::new();
    let pending = report.pending;
    if let Some(hold) = &report.endpoint.held {
        let what = format!("endpoint {name} is held: {}; {pending} wait", hold.reason);
        let do_this = format!("mend what it says, then: hookbox endpoint resume {name}");
        findings.push(Finding::new(Level::Note, what, do_this));
    }
    if let Some(outage) = &report.outage {
        let what = format!(
            "endpoint {name} cannot be reached for {}: {}; {pending} wait",
            in_seconds(now.since(outage.since)),
            outage.error
        );
        let do_this = format!(
            "look whether its host is up; it is probed by itself, or at once: hookbox endpoint try {name}"
        );
        findings.push(Finding::new(Level::Warning, what, do_this));
    }
    if let Some(lasting) = report.failing.filter(|_| report.endpoint.held.is_none()) {
        // From the first refusal to the last: of one alone, no time at all.
        let what = match lasting.as_secs() {
            0 => format!("endpoint {name} refused what it was sent last; {pending} wait"),
            _ => format!(
                "endpoint {name} has refused everything for {}; {pending} wait",
                in_seconds(lasting)
            ),
        };
        let do_this = format!(
            "read what it answers (hookbox delivery list --endpoint {name}; with 401 or 403 it probably has another secret), mend that there, then: hookbox endpoint test {name}"
        );
        findings.push(Finding::new(Level::Warning, what, do_this));
    }
    for warning in &report.warnings {
        let what = format!("endpoint {name}: {warning}");
        findings.push(Finding::new(Level::Warning, what, ""));
    }
    if report.dead > 0 {
        let what = format!(
            "given up for {name}: {}",
            counted(report.dead, "delivery", "deliveries")
        );
        let do_this = format!("hookbox replay --state dead --endpoint {name} --dry-run");
        findings.push(Finding::new(Level::Note, what, do_this));
    }
    findings
}

/// Writes a duration in whole seconds.
fn in_seconds(span: Duration) -> String {
    show_span(Duration::from_secs(span.as_secs()))
}
