-- From schema 10 to 11: chats that the program knows are no matter of the table, events may be collected for one
-- message, and boxes relay their events.
create table hookbox_endpoint_11 (
    id          integer primary key,
    name        text    not null check (length(name) between 1 and 64),
    url         text    not null,
    -- raw, template, or the name of a chat; the program knows which there are.
    format      text    not null check (length(format) between 1 and 32),
    -- Of format template: the file's name, its text and the content type of what it makes; JSON.
    template    text    check ((format = 'template') = (template is not null)),
    sign        text    not null,
    secret      blob    check (length(secret) > 0),
    -- For scheme generic: where the signature goes and how it is made, where not the default; a
    -- JSON object.
    signature   text,
    -- Method, headers, credentials, certificates, proxy, where not the default; a JSON object.
    connection  text,
    -- Which events it wants, all where nothing is set: lists of patterns, separated by commas, and
    -- a Jinja expression.
    types       text,
    sources     text,
    branches    text,
    when_true   text,
    timeout_ms  integer not null check (timeout_ms > 0),
    -- Requests at the same time, and how many in how much time (20/m, or 5/s,100/m); null for the
    -- default.
    concurrency integer check (concurrency > 0),
    rate        text,
    -- A ladder of waits (5s,5m,30m) or cron:EXPR.
    retry       text    not null,
    -- Tries before a delivery is given up; null for one more than the ladder has steps.
    tries       integer check (tries > 0),
    -- How old an event may become; null for any age. Whether the time that the endpoint could not
    -- be reached counts.
    expire_ms   integer check (expire_ms > 0),
    expire_offline integer not null check (expire_offline in (0, 1)),
    -- Longest wait between probes while it cannot be reached.
    probe_max_ms integer not null check (probe_max_ms > 0),
    -- For how long events are collected for one message; 0 for a message for each event, null for the
    -- default.
    digest_ms   integer check (digest_ms >= 0),
    -- When it is sent to (0 0 2 * * *+3h Europe/Berlin); null for always.
    window      text,
    -- Whether it gets one delivery at a time, in the order of their events.
    ordered     integer not null check (ordered in (0, 1)),
    -- Whether it gets nothing but replays: it was named by its URL when one was asked for.
    only_replays integer not null default 0 check (only_replays in (0, 1)),
    created_ms  integer not null,
    removed_ms  integer,
    -- Since when, and why, nothing is sent there though everything is kept for it; null otherwise.
    held_ms     integer,
    held_reason text,
    -- How often a person asked to try at once whatever waits.
    manual_retry_seq integer not null default 0,
    check ((held_ms is null) = (held_reason is null))
) strict;

insert into hookbox_endpoint_11 (
    id, name, url, format, template, sign, secret, signature, connection, types, sources, branches,
    when_true, timeout_ms, concurrency, rate, retry, tries, expire_ms, expire_offline, probe_max_ms,
    window, ordered, only_replays, created_ms, removed_ms, held_ms, held_reason, manual_retry_seq
)
select
    id, name, url, format, template, sign, secret, signature, connection, types, sources, branches,
    when_true, timeout_ms, concurrency, rate, retry, tries, expire_ms, expire_offline, probe_max_ms,
    window, ordered, only_replays, created_ms, removed_ms, held_ms, held_reason, manual_retry_seq
from hookbox_endpoint;

-- Its triggers and its index go with it, and are made anew below.
drop table hookbox_endpoint;
alter table hookbox_endpoint_11 rename to hookbox_endpoint;

create unique index hookbox_endpoint_name
    on hookbox_endpoint (name);

create trigger hookbox_endpoint_insert after insert on hookbox_endpoint
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
create trigger hookbox_endpoint_update after update on hookbox_endpoint
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;

-- Boxes that relay their events to a source of this one, and when each was heard.
create table hookbox_relay_box (
    source_id   integer not null references hookbox_source (id),
    box         text    not null check (length(box) = 10),
    -- What it calls itself; empty where it does not.
    name        text    not null check (length(name) <= 64),
    first_ms    integer not null,
    last_ms     integer not null,
    requests    integer not null,
    events      integer not null,
    primary key (source_id, box)
) strict, without rowid;
