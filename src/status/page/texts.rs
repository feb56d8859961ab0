//! All texts of the pages in one place, so that they can be translated.
//!
//! A language is one more [`Texts`]; a language that lacks a text does not compile.
//!
//! [`fill`] and [`link_in`] replace a `{name}` by a value. Words that are the same everywhere in the
//! contract are not here: states, kinds, and the names of settings with their help in `model/settings.rs`.
//! Errors are not here either: the API and the command line report them in the same words.

use std::fmt::Display;

use maud::{Markup, PreEscaped, Render};

/// Declares the struct of texts and the English texts together.
macro_rules! texts {
    ($( $(#[$about:meta])* $group:ident: $Group:ident { $( $name:ident: $text:literal, )* } )*) => {
        /// The texts of the pages in one language.
        pub(in crate::status) struct Texts {
            $( $(#[$about])* pub(in crate::status) $group: $Group, )*
        }
        $(
            $(#[$about])*
            pub(in crate::status) struct $Group { $( pub(in crate::status) $name: &'static str, )* }
        )*
        /// The texts in English.
        pub(in crate::status) static ENGLISH: Texts = Texts {
            $( $group: $Group { $( $name: $text, )* }, )*
        };
    };
}

texts! {
    /// The frame around every page.
    frame: Frame {
        language: "en",
        title: "{page} · hookbox",
        skip: "Skip to content",
        pages: "Pages",
        overview: "Overview",
        deliveries: "Deliveries",
        events: "Events",
        endpoints: "Endpoints",
        sources: "Sources",
        replays: "Replays",
        outages: "Outages",
        alerts: "Alerts",
        log_out: "Log out",
        trouble: "Nothing is taken in: {why}",
        footer: "hookbox {version} · times in {zone}",
        looks_only: "you may look, and change nothing",
        keys: "Keys",
        stale: "This page is not up to date: the server does not answer, or asks for a login.",
    }
    /// The keys that the script listens to.
    keys: Keys {
        title: "Keys",
        next: "next row",
        previous: "row before",
        open: "open the row",
        choose: "choose the row, or not",
        filter: "to the filter",
        overview: "overview",
        deliveries: "deliveries",
        events: "events",
        endpoints: "endpoints",
        sources: "sources",
        replays: "replays",
        outages: "outages",
        alerts: "alerts",
        help: "this list",
        then: "then",
        are_on: "Single keys do this, outside of fields",
        close: "Close",
    }
    /// Words that several pages use.
    words: Words {
        none: "none",
        none_yet: "None yet.",
        hidden: "hidden",
        empty: "empty",
        never: "never",
        any: "any",
        yes: "yes",
        dash: "–",
        done_of: "{done} of {total}",
        last_day: "last 24 hours: {delivered} delivered, {refused} refused",
        filter: "Filter",
        find: "Find",
        clear: "Clear",
        newest: "Newest",
        older: "Older",
        looked_back: "Looked back to {when} for these; there may be more further back.",
        list_pages: "Pages of the list",
        back: "Back to the overview",
        name: "Name",
        settings: "Settings",
        change: "Change it",
        save: "Save",
        remove: "Remove",
        sure: "yes, remove it",
        copy: "Copy",
        stays: "A field that is emptied brings back what is usual. What is hidden stays, where nothing is filled in; a dash (-) takes it away.",
        draw: "Draw one, and copy it",
        replace_secret: "Replace the secret",
        is_kept: "set, and shown to nobody",
        type_again: "What was filled in here is not sent back: type it again.",
    }
    /// Times ago and ahead.
    times: Times {
        now: "just now",
        of_machine: "this machine",
        today: "Today",
        yesterday: "Yesterday",
        monday: "Monday",
        tuesday: "Tuesday",
        wednesday: "Wednesday",
        thursday: "Thursday",
        friday: "Friday",
        saturday: "Saturday",
        sunday: "Sunday",
        soon: "in a moment",
        moment: "a moment",
        ago: "{span} ago",
        ahead: "in {span}",
        seconds: "{count} s",
        minutes: "{count} min",
        hours: "{count} h",
        days: "{count} d",
    }
    /// What was just done.
    done: Done {
        replay: "It is sent again: this is the new delivery.",
        cancel: "It is cancelled.",
        chosen: "They are sent again.",
        pause: "The replay is paused.",
        resume: "It is sent to again.",
        goes_on: "The replay goes on.",
        hold: "The endpoint is held: what it is owed waits.",
        tried: "What waits for it is tried now.",
        test: "A test is on its way: its answer shows up here.",
        add: "It is added.",
        set: "The change is saved.",
        rotate: "The new secret is in use.",
        remove: "It is removed.",
        start: "The replay has begun.",
    }
    /// Pages that say what went wrong.
    problem: Problem {
        not_found: "Not found",
        misuse: "That cannot be done",
        forbidden: "That may not be done",
        not_now: "Not now",
        other: "Something went wrong",
    }
    /// The login form, which asks for the token.
    login: Login {
        title: "Log in",
        token: "Token",
        go: "Log in",
        where_it_is: "It stands in the file that {option} was given.",
        wrong: "That is not the token.",
        wait: "Too many wrong tokens. Try again in {seconds} s.",
    }
    /// The overview, and the tables of endpoints and sources.
    overview: Overview {
        refused_last: "the last: {reason}",
        nodes: "Nodes",
        since: "since",
        seen: "last seen",
        sends_to: "sends to",
        title: "Overview",
        wait: "wait",
        none_goes: "none went out lately",
        time_left: "{rate} an hour lately: {span} at most",
        delivered_in_a_day: "delivered in 24 h",
        refused_in_a_day: "refused in 24 h",
        in_a_week: "{count} in 7 days",
        given_up: "given up",
        events_kept: "events kept",
        no_endpoints: "None yet. Add one: {command}",
        no_sources: "None yet. Add one: {command}",
        latest: "Latest deliveries",
        nothing: "Nothing has come in yet.",
        all: "All deliveries",
        outbox: "in the outbox",
        on_disk: "{size} on disk",
        url: "URL",
        format: "Format",
        signed: "Signed",
        pending: "Pending",
        delivered: "Delivered",
        dead: "Dead",
        last_day: "Last 24 h",
        reached: "Reached",
        only_replays: "gets only replays",
        when_failed: "events on which its --when failed, which were sent: {count}",
        by_chat: "by the chat's rule",
        due: "due {when}",
        held: "held",
        held_for: "for {span}: {reason}",
        pace: "pace",
        more_at: "gets more {when}",
        window: "window",
        opens: "opens {when}",
        never_opens: "never opens again",
        refuses: "refuses",
        refuses_for: "everything, asked for {span}",
        offline: "offline",
        offline_for: "for {span}, probes: {probes}; {error}",
        kind: "Kind",
        path: "Path",
        signature: "Signature",
        unchecked: "not checked",
        required: "required",
        body_unsigned: "required, does not cover the body",
        last_event: "Last event",
        refused: "Refused",
    }
    /// What the colours of a chart stand for.
    chart: Chart {
        delivered: "delivered",
        refused: "refused",
        offline: "could not be reached",
    }
    /// How the endpoints stand, and what to do about it.
    verdict: Verdict {
        send_again: "Send again what was given up of the events of:",
        of_today: "today",
        of_yesterday: "yesterday",
        of_week: "the last 7 days",
        of_all: "all time",
        need_you: "Endpoints that need you: {bad} of {all}",
        all_well: "All endpoints get what they are owed",
        fine: "fine",
        unused: "nothing yet",
        waits: "{count} wait",
        last_took: "last took something {when}",
        took_nothing: "took nothing yet",
        some_given_up: "Nothing needs you now. Given up: {count}",
        for_probes: "for {span}, probes: {probes}",
        lasts: "for {span}",
        in_a_day: "{count} in 24 h",
        refused_in_a_day: "{count} refused",
        given_up: "{count} given up",
        replay: "Replay them…",
    }
    /// The list of deliveries.
    deliveries: Deliveries {
        title: "Deliveries",
        no_match: "No deliveries match.",
        no_such_type: "No event here has the type {name}. A * stands for anything: pull_*.",
        choose: "Choose",
        choose_one: "Choose delivery {number}",
        choose_all: "Choose all that are shown",
        state: "State",
        what: "What",
        source: "Source",
        endpoint: "Endpoint",
        tries: "Tries",
        came: "Came",
        is_replay: "replay",
        more: "More",
        spans: "Times",
        last_hour: "Last hour",
        last_night: "Last night",
        today: "Today",
        yesterday: "Yesterday",
        last_week: "Last 7 days",
        is_superseded: "superseded",
        typed: "Type",
        since: "Since",
        until: "Until",
        replay_chosen: "Replay those chosen…",
        replay_matching: "Replay all that match…",
    }
    /// One delivery.
    delivery: Delivery {
        sent: "As it is sent",
        curl: "Show it as a curl command",
        curl_has_secrets: "This sends it now, signed: it holds secrets.",
        title: "Delivery {id}",
        attempts: "Attempts",
        event: "Event",
        headers: "Headers as received",
        cancel: "Cancel",
        replay: "Replay",
        replay_otherwise: "Replay otherwise…",
        endpoint_removed: "its endpoint is removed",
        id: "Id",
        delivered_with: "Delivered with {status}",
        next_try: "Next try {when}",
        due_since: "Due since {when}",
        refused_with: "last: {reason}",
        try_of: "tries: {tries} of {most}",
        typed: "Type",
        source: "Source",
        endpoint: "Endpoint",
        tries: "Tries",
        tries_of: "of {most}",
        made: "Made",
        due: "Due",
        settled: "Settled",
        in_doubt: "In doubt",
        when_failed: "the endpoint's --when failed on this event, so it was sent: {error}",
        held: "Held",
        held_since: "nothing is sent to the endpoint since {when}: {reason} – {link}",
        resume: "resume it",
        waiting: "Waiting",
        paced: "the endpoint gets no more before {when}. No tries are spent.",
        window: "the endpoint's window is closed; {reason}",
        in_order: "the endpoint gets one at a time, in order, and {first} goes first",
        offline: "the endpoint could not be reached for {span}; probes: {probes}, the last: {error}. No tries are spent.",
        replay_of: "Replay of",
        made_for: "Made for",
        for_replay: "replay {replay}",
        superseded_by: "Superseded by",
        got_through: "{replay}, which got through in its place",
        replayed_as: "Replayed as",
        compare: "Compare with #{number}",
        timing: "resolve {resolve} · connect {connect} · wait {wait} · read {read}",
        request_headers: "Request headers",
        reply_headers: "Reply headers",
        reply_body: "Reply body",
        reply_body_cut: "Reply body (cut)",
    }
    /// Two attempts side by side.
    difference: Difference {
        first: "One attempt",
        second: "another",
        compare: "Compare",
        title: "Two attempts",
        marked: "What differs is marked.",
        attempt: "delivery {delivery}, attempt {attempt}",
        facts: "What happened",
        request_headers: "Request headers",
        request_body: "Body of the event",
        reply_headers: "Reply headers",
        reply_body: "Body of the reply",
        differs: "differs",
        same: "the same",
    }
    /// A body in a form that a person can read.
    body: Body {
        no_type: "no content type",
        download: "download",
        pretty: "Pretty",
        pretty_of_form: "Pretty (the form's payload)",
        raw: "Raw",
        hex: "Hex",
        not_text: "not text",
        cut: "cut here: {shown} of {whole} shown",
    }
    /// The list of events, and the search by a text.
    events: Events {
        title: "Events",
        text: "Text in the body",
        source: "Source",
        typed: "Type",
        no_match: "No events match.",
        what: "What",
        size: "Size",
        received: "Received",
    }
    /// One event.
    event: Event {
        title: "Event {id}",
        id: "Id",
        not_sent_to: "Not sent to",
        why: "Why",
        was_not_there: "its filters let the event pass: when it came the endpoint was not there, or was set otherwise",
        send_to_it: "Send to it…",
        typed: "Type",
        sent_as: "(sent as {name})",
        problem: "Could not be read",
        branch: "Branch",
        source: "Source",
        key: "Key",
        received: "Received",
        copy_of: "Edited copy of",
        deliveries: "Deliveries",
        owed_to_nobody: "No endpoint was owed this event.",
        headers: "Headers as received",
        body: "Body",
        not_json: "not JSON",
        not_json_though: "though its content type says so; it is kept and sent as it came",
    }
    /// The list of endpoints, and one endpoint.
    endpoints: Endpoints {
        title: "Endpoints",
        title_of_one: "Endpoint {name}",
        add_title: "Add an endpoint",
        add: "Add",
        add_and_test: "Add, and send a test",
        test: "Send a test",
        try_now: "Try now",
        hold: "Hold",
        hold_why: "why (for whoever looks)",
        resume: "Resume",
        resume_without: "Resume without what is old",
        drop_before: "Cancel what came before",
        last_success: "Last took something",
        latest: "Latest deliveries",
        all: "All of them",
        warning: "Is this meant?",
        reached: "Reached",
        pending: "Pending",
        oldest_due: "the oldest was due {when}",
        delivered: "Delivered",
        dead: "Dead",
        replay_dead: "replay them…",
        superseded: "Superseded",
        template: "Template",
        new_secret: "New secret; the old one holds for a day where the scheme allows it",
        cancel_pending: "cancel what is pending",
        make_up: "Make up for what it missed",
        recover: "Recover: replay all that it never got since…",
        backfill: "Backfill: send it the events that it was never owed since…",
        since: "Since",
        look: "Look first…",
    }
    /// The list of sources, and one source.
    sources: Sources {
        title: "Sources",
        title_of_one: "Source {name}",
        add_title: "Add a source",
        add: "Add",
        kind: "Kind",
        path: "Path",
        old_secret: "Old secret",
        holds_until: "holds until {when}",
        held_until: "held until {when}",
        events: "Events",
        their_deliveries: "their deliveries",
        last_event: "Last event",
        new_secret: "New secret; both hold for a day",
        refusals: "Refused requests",
        refusals_told: "{count} in all, newest first; those from one address for one reason stand together. Bodies are not kept.",
        no_refusals: "None.",
        times: "{count} times",
    }
    /// Alerts.
    alerts: Alerts {
        title: "Alerts",
        what_for: "An alert sends a message to a chat, a URL or a program when something is wrong.",
        add_title: "Add an alert",
        add: "Add",
        to: "Sent to",
        to_program: "the program of --alert-command alone",
        about: "About",
        every: "At most every",
        told: "Last message",
        problems: "Wrong now",
        no_problems: "nothing",
    }
    /// What to tell a sender.
    steps: Steps {
        title: "What to tell the sender",
        from_elsewhere: "From another machine it is the address under which that one reaches this one.",
        gogs: "In Gogs: settings of the repository or organisation, Webhooks, Add a new webhook, Gogs. The address is the Payload URL, the content type application/json, the secret the one of this source.",
        gitee: "In Gitee: the repository, Manage, WebHooks, Add. Choose the signature key and not the password: it is the secret of this source.",
        gitea: "In Gitea or Forgejo: settings of the repository, Webhooks, Add Webhook. The address is the Target URL, the method POST, the content type application/json, the secret the one of this source.",
        github: "In GitHub: settings of the repository or organisation, Webhooks, Add webhook. The address is the Payload URL, the content type application/json, the secret the one of this source.",
        gitlab: "In GitLab: the project or group, Settings, Webhooks. The secret token is the secret of this source.",
        other: "POST each event there, signed with the secret of this source.",
    }
    /// Bulk replays, and the preview of one.
    replays: Replays {
        title: "Replays",
        title_of_one: "Replay {id}",
        told: "Of many deliveries at once. Choose them in the {list} with its filter, and look at what would be sent before it is.",
        list: "list of deliveries",
        replay: "Replay",
        state: "State",
        what: "What",
        to: "To",
        progress: "Progress",
        asked: "Asked",
        each_own: "each one's own endpoint",
        settled: "settled deliveries",
        settled_of: "{done} of {total} settled",
        dead: "{count} dead",
        pause: "Pause",
        resume: "Resume",
        cancel: "Cancel",
        made: "Made",
        ended: "Ended",
        kind: "Kind",
        rate: "Rate",
        ids: "Ids",
        new_ids: "new ones",
        asked_by: "{when} by {who}",
        new_title: "Replay",
        of: "Of {what}:",
        recover_of: "Recover {what}:",
        backfill_of: "Backfill {what}:",
        of_named: "Of those that were chosen, {count}:",
        choose_first: "Choose deliveries by a filter first: {list}",
        the_list: "the list of deliveries",
        deliveries: "{count} deliveries",
        delivery: "1 delivery",
        in_all: "{size} in all; {had} of them the endpoint has had already.",
        may_be_more: "There may be more: not all was looked at in two seconds.",
        endpoint: "Endpoint",
        new_endpoint: "a new one, for replays",
        held: "held: {reason}",
        offline: "offline: {error}",
        removed: "removed: nothing can be sent there; choose another",
        count: "Deliveries",
        size: "Size",
        had: "Had already",
        takes: "Takes about",
        now: "Now",
        less_than_a_second: "less than a second",
        by_day: "By day",
        of_that_day: "deliveries of that day",
        to_url: "or to this URL",
        rate_at_most: "Rate, at most",
        with_new_ids: "with new ids, for a receiver that must take them again",
        edit: "Send another body",
        edit_told: "A changed body is a new event, linked to the old one, which stays as it is.",
        edit_secret: "The body holds a secret that is not shown, so it cannot be changed here: {command}",
        edit_long: "The body is too long, or no text, to be changed here: {command}",
        new_body: "Body",
        any_body: "send it even if it is no JSON",
        send: "Send {count}",
        look_again: "Look again",
    }
    /// The times in which an endpoint could not be reached.
    outages: Outages {
        title: "Outages",
        told: "Times in which an endpoint could not be reached. They spend no tries: what waits goes out when the endpoint is back.",
        none: "There was none yet.",
        endpoint: "Endpoint",
        since: "Since",
        until: "Until",
        goes_on: "goes on",
        lasted: "Lasted",
        probes: "Probes",
        last_error: "Last error",
    }
}

impl Done {
    /// What to say of an action, as an address names it.
    pub(in crate::status) fn of(&self, action: &str) -> Option<&'static str> {
        Some(match action {
            "replay" => self.replay,
            "cancel" => self.cancel,
            "chosen" => self.chosen,
            "pause" => self.pause,
            "resume" => self.resume,
            "go-on" => self.goes_on,
            "hold" => self.hold,
            "try" => self.tried,
            "test" => self.test,
            "add" => self.add,
            "set" => self.set,
            "rotate-secret" => self.rotate,
            "remove" => self.remove,
            "start" => self.start,
            _ => return None,
        })
    }
}

/// Replaces the names in a text by values; the result is escaped when it is shown, like any text.
pub(in crate::status) fn fill(text: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut filled = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) => filled.push_str(words),
            Piece::Name(name) => filled.extend(value(text, name, values).map(ToString::to_string)),
        }
    }
    filled
}

/// Replaces the names in a text by markup.
pub(super) fn link_in(text: &str, values: &[(&str, &dyn Render)]) -> Markup {
    let mut html = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) => words.render_to(&mut html),
            Piece::Name(name) => {
                if let Some(value) = value(text, name, values) {
                    value.render_to(&mut html);
                }
            }
        }
    }
    PreEscaped(html)
}

/// Returns the value of a name. A missing value is a bug of the page, which tests find.
fn value<'v, T: ?Sized>(text: &str, name: &str, values: &[(&str, &'v T)]) -> Option<&'v T> {
    let found = values.iter().find(|(held, _)| *held == name);
    debug_assert!(found.is_some(), "`{text}` lacks what stands in it: {name}");
    found.map(|(_, value)| *value)
}

enum Piece<'t> {
    Words(&'t str),
    Name(&'t str),
}

/// Splits a text into words and names in braces.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    text.split('{').enumerate().flat_map(|(index, part)| {
        let (name, words) = match part.split_once('}') {
            Some((name, words)) if index > 0 => (Some(name), words),
            _ => (None, part),
        };
        let words = Some(words).filter(|words| !words.is_empty());
        let name = name.map(Piece::Name);
        name.into_iter().chain(words.map(Piece::Words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    #[test]
    fn a_text_is_filled_wherever_its_names_stand_and_values_are_escaped() {
        assert_eq!(
            fill("{a}, b and {c}.", &[("c", &3), ("a", &"x")]),
            "x, b and 3."
        );
        let link = html! { a href="/" { "<here>" } };
        let filled = link_in("<Go> {link} & {why}", &[("link", &link), ("why", &"1 < 2")]);
        assert_eq!(
            filled.into_string(),
            "&lt;Go&gt; <a href=\"/\">&lt;here&gt;</a> &amp; 1 &lt; 2"
        );
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "what stands in it: b")]
    fn a_value_that_is_missing_is_a_mistake_of_the_page() {
        fill("{a} {b}", &[("a", &1)]);
    }
}
