-- hookbox: the whole schema, and the one truth of it.
--
-- The program runs this file as it stands, and so can anybody: sqlite3 app.db < schema.sql
-- Run again on a file that has it, it changes nothing. It sets no pragma: what the program asks of
-- its own connections stands in src/store/engine/sqlite/open.rs, and an application's file keeps its settings.
-- Every name begins with hookbox_, so the file may be an application's own.
--
-- Columns that end in _ms are milliseconds since 1970-01-01T00:00:00Z, those in _us spans in
-- microseconds. `strict` tables need SQLite 3.37 or newer.

begin immediate;

-- One row: which schema this is, and which file.
create table if not exists hookbox_meta (
    id             integer primary key check (id = 1),
    schema_version integer not null,
    -- Drawn once when the file is made; part of every id that is shown: evt_<box>_<n>.
    box            text    not null check (length(box) = 10),
    -- Counts the changes to sources and endpoints, so that a running service sees with one small
    -- read that somebody changed one. The triggers below keep it, whoever writes.
    config_version integer not null default 0,
    -- Drawn once too: what the hashes of keys are made with.
    key_seed       blob    not null check (length(key_seed) = 16),
    -- Of the events up to this one some were removed: their keys are looked for no more.
    pruned_to      integer not null default 0
) strict;

insert or ignore into hookbox_meta (id, schema_version, box, key_seed)
values (1, 11, lower(hex(randomblob(5))), randomblob(16));

-- Since when ids are whose. A process that makes rows draws a mark first, which is part of the ids that
-- are shown: evt_<box>_<n>_<mark>. A copy of this file, or the file after it was set back to what it was,
-- gives out the same numbers again, and never the same ids: receivers drop what they know. The marks of
-- rows that were all removed go with them.
create table if not exists hookbox_mark (
    id            integer primary key,
    mark          text    not null check (length(mark) = 5),
    -- Events and deliveries from these on have it, up to the next one's.
    event_from    integer not null,
    delivery_from integer not null
) strict;

-- A verified way in. A removed one stays as a row, for the events that came through it.
create table if not exists hookbox_source (
    id           integer primary key,
    name         text    not null check (length(name) between 1 and 64),
    kind         text    not null,
    -- What requests must be signed with; null takes unsigned ones.
    secret       blob    check (length(secret) > 0),
    -- How far the signed time of a request may be from now; null is the kind's own, 0 takes any.
    tolerance_ms integer check (tolerance_ms >= 0),
    -- What follows the name in the path; null takes the name alone.
    path_token   blob    check (length(path_token) > 0),
    -- What a request with a known key asks for besides the answer: ignore or replay.
    on_repeat    text    not null check (on_repeat in ('ignore', 'replay')),
    -- For kind generic: where signature, type and key are, where not the default; a JSON object.
    generic      text,
    created_ms   integer not null,
    removed_ms   integer
) strict;

-- Secrets of sources and endpoints that were replaced. Each holds until its end: a source still
-- takes it, an endpoint still signs with it where its scheme allows several signatures. A source's
-- is told apart from a wrong one until the next is replaced.
create table if not exists hookbox_old_secret (
    id       integer primary key,
    of       text    not null check (of in ('source', 'endpoint')),
    owner_id integer not null,
    secret   blob    not null check (length(secret) > 0),
    ends_ms  integer not null
) strict;

create index if not exists hookbox_old_secret_owner
    on hookbox_old_secret (of, owner_id);

-- The latest requests that each source refused, a hundred at most, so that a wrong secret is found.
-- Nothing of their bodies is kept.
create table if not exists hookbox_rejected_request (
    source_id integer not null references hookbox_source (id),
    -- 1, 2, 3 and so on for each source.
    number    integer not null,
    at_ms     integer not null,
    -- Those that came from one address for one reason are one row, which moves to the end.
    count     integer not null check (count > 0),
    address   text    not null,
    status    integer not null,
    reason    text    not null,
    -- A JSON array of [name, value], the values of credentials hidden.
    headers   text    not null,
    primary key (source_id, number)
) strict, without rowid;

-- A name belongs to one row for good: adding a removed one again revives it, with its history.
create unique index if not exists hookbox_source_name
    on hookbox_source (name);

-- Where events go. A removed one stays as a row, for its deliveries.
create table if not exists hookbox_endpoint (
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

create unique index if not exists hookbox_endpoint_name
    on hookbox_endpoint (name);

-- Boxes that relay their events to a source of this one, and when each was heard.
create table if not exists hookbox_relay_box (
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

-- Endpoints that refuse whatever they are sent, and for how long: the time between refusals, not
-- that in which they were not asked.
create table if not exists hookbox_failing_endpoint (
    endpoint_id integer primary key references hookbox_endpoint (id),
    lasting_ms  integer not null
) strict;

-- When the wall clock was set forward: what it showed, and by how much. Events that came up to then
-- are younger than they look.
create table if not exists hookbox_clock_set (
    id      integer primary key,
    from_ms integer not null,
    by_ms   integer not null check (by_ms > 0)
) strict;

-- What an endpoint with a rate was sent lately, so that a restart begins no new span.
create table if not exists hookbox_pace (
    endpoint_id integer primary key references hookbox_endpoint (id),
    -- When requests ended, the latest ones, in milliseconds: a JSON array.
    ended       text    not null,
    -- A reply asked for nothing before.
    not_before_ms integer not null,
    -- Nothing is sent before, for that or since its rate is used up.
    until_ms    integer not null
) strict;

-- Who is told what about: messages are events of type hookbox.alert, owed to one endpoint each.
create table if not exists hookbox_alert (
    id          integer primary key,
    name        text    not null check (length(name) between 1 and 64),
    -- The endpoint that gets them; null where only the program of `serve --alert-command` does.
    endpoint_id integer references hookbox_endpoint (id),
    -- held,offline:10m,refusing:10m,dead,disk,silent:1d:SOURCE,rejected:10:SOURCE
    about       text    not null,
    -- At most one message in this time.
    every_ms    integer not null check (every_ms > 0),
    created_ms  integer not null,
    -- What was told, and what is still to be told: a JSON object.
    memory      text    not null default '{}'
) strict;

create unique index if not exists hookbox_alert_name
    on hookbox_alert (name);

-- What has come through each source (events, refusals, last_event_ms), when each endpoint was last
-- tried (last_attempt_ms), how many of its deliveries are in which state (superseded ones count as that,
-- not as dead or cancelled), on how many events its expression failed (when_errors), and how many
-- deliveries a page for a person answered (pages): so that nobody has to count ten million. `events`
-- counts all that ever came, `pruned` those of them that were removed since, `died` the deliveries
-- that were ever given up. Every commit changes
-- some of these, and those of a few dozen endpoints lie on one or two pages.
create table if not exists hookbox_tally (
    of    text    not null check (of in ('source', 'endpoint')),
    -- Its row; source 0 stands for the events that came without one.
    id    integer not null,
    what  text    not null,
    value integer not null,
    primary key (of, id, what)
) strict, without rowid;

-- How many attempts of each endpoint ended how in which hour since 1970; eight days of them are kept.
create table if not exists hookbox_hour (
    endpoint_id integer not null references hookbox_endpoint (id),
    hour        integer not null,
    outcome     text    not null check (outcome in ('delivered', 'refused')),
    count       integer not null,
    primary key (endpoint_id, hour, outcome)
) strict, without rowid;

create trigger if not exists hookbox_source_insert after insert on hookbox_source
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
create trigger if not exists hookbox_source_update after update on hookbox_source
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
create trigger if not exists hookbox_old_secret_insert after insert on hookbox_old_secret
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
create trigger if not exists hookbox_old_secret_delete after delete on hookbox_old_secret
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
create trigger if not exists hookbox_endpoint_insert after insert on hookbox_endpoint
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
create trigger if not exists hookbox_endpoint_update after update on hookbox_endpoint
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;

-- One fact, stored once, its bytes exact, never changed.
create table if not exists hookbox_event (
    id            integer primary key,
    -- Null when it was put in from the command line.
    source_id     integer references hookbox_source (id),
    type          text    not null check (length(type) between 1 and 128),
    -- The type in the producer's own spelling, where that is another.
    original_type text,
    -- The same key of the same source is the same event: hookbox_recent_key and hookbox_key find it.
    -- Only the program writes those, so a row with a key comes from the program alone.
    key           text    check (length(key) between 1 and 256),
    received_ms   integer not null,
    content_type  text,
    -- Read from the body when it came: who did what to which repository, in one line; the short
    -- name of the branch or tag that it is about; whether the body (of a form hook, its one field)
    -- is JSON.
    summary       text    check (length(summary) between 1 and 200),
    branch        text    check (length(branch) between 1 and 255),
    is_json       integer not null check (is_json in (0, 1)),
    -- How an expression of the source's failed on it: it was taken in without a type or key of its own.
    problem       text,
    -- Size of the body as it came, and whether it is packed. What is long stands behind all that lists
    -- read: SQLite goes through all that stands before a column.
    bytes         integer not null,
    encoding      text    check (encoding = 'zstd'),
    -- The event that this one is an edited copy of.
    replay_of_event integer references hookbox_event (id),
    -- The producer's headers in received order: a JSON array of [name, value].
    headers       text    not null,
    -- The body: as it came, or packed (zstd) where that is smaller; `hookbox event body` prints it.
    body          blob    not null,
    check (encoding is not null or bytes = length(body))
) strict;

-- An id is shown outside and may never be used twice. The next one is one more than the newest, so
-- the newest stays (what `autoincrement` would remember costs another page in every commit).
create trigger if not exists hookbox_event_newest before delete on hookbox_event
when old.id = (select max(id) from hookbox_event)
begin select raise(abort, 'the newest event stays: its id must not be used again'); end;

-- The keys of events, as a keyed hash of source and key, in two tables: an index over random keys is
-- written to in another place for each event, which costs more than all the rest. src/store/engine/sqlite/event_keys.rs
-- says how they are used. The recent ones, in the order of their events:
create table if not exists hookbox_recent_key (
    event_id integer primary key,
    hash     integer not null
) strict;

-- All older ones, in the order of their hashes. They move here many at a time.
create table if not exists hookbox_key (
    hash     integer not null,
    event_id integer not null,
    primary key (hash, event_id)
) strict, without rowid;

-- How far the keys have moved, while they do: of the events up to this one, all up to this hash.
create table if not exists hookbox_key_move (
    id            integer primary key check (id = 1),
    up_to_event   integer not null,
    done_hash     integer not null
) strict;

-- What other programs put in through the view below, in their own transactions, until a running
-- service makes events of it; then its row is gone.
create table if not exists hookbox_outbox_row (
    id           integer primary key,
    type         text    not null check (length(type) between 1 and 128),
    body         any     not null check (typeof(body) in ('text', 'blob')),
    key          text    check (length(key) between 1 and 256),
    -- The name of a source; null where it is of none.
    source       text,
    -- Null where the body says it: JSON, another text, other bytes.
    content_type text,
    -- A JSON object, or an array of [name, value].
    headers      text,
    -- Stamped here: the one clock in this file.
    inserted_ms  integer not null
        default (cast((julianday('now') - 2440587.5) * 86400000 as integer)),
    -- Why no event could be made of it: it waits until that is corrected.
    problem      text,
    -- Tells it from another row that has its id since it was deleted.
    mark         blob    not null default (randomblob(8))
) strict;

-- No function of JSON's stands in a table or trigger: where `trusted_schema` is off, SQLite before
-- 3.45 would refuse the whole file for one. json_each it takes.
--
-- The outbox: `insert into hookbox_outbox (type, body) values ('order.paid', '{"id":1}')` in a
-- transaction makes an event that commits or rolls back with it. The same key of the same source is
-- the same event. What waits to become one can be looked at here, and deleted.
create view if not exists hookbox_outbox as
    select id, type, body, key, source, content_type, headers, inserted_ms, problem
    from hookbox_outbox_row;

create trigger if not exists hookbox_outbox_insert instead of insert on hookbox_outbox
begin
    select case
        when new.type is null or typeof(new.type) <> 'text' or trim(new.type) = ''
            then raise(abort, 'hookbox_outbox: type is missing; name what happened, such as order.paid')
        when length(cast(new.type as blob)) > 128
            then raise(abort, 'hookbox_outbox: type is longer than 128 bytes')
        when new.type glob '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*' or instr(new.type, char(0)) > 0
            then raise(abort, 'hookbox_outbox: type has control characters; leave them out')
        when new.body is null or typeof(new.body) not in ('text', 'blob')
            then raise(abort, 'hookbox_outbox: body is missing; give a text or a blob, an empty one where there is none')
        when length(cast(new.body as blob)) > 1048576
            then raise(abort, 'hookbox_outbox: body is longer than 1048576 bytes (1 MiB)')
        when new.key is not null and (typeof(new.key) <> 'text' or trim(new.key) = '')
            then raise(abort, 'hookbox_outbox: key is no text, or empty; leave it out where there is none')
        when length(cast(new.key as blob)) > 256
            then raise(abort, 'hookbox_outbox: key is longer than 256 bytes')
        when new.key glob '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*' or instr(new.key, char(0)) > 0
            then raise(abort, 'hookbox_outbox: key has control characters; leave them out')
        when new.source is not null and not exists (
                select 1 from hookbox_source where name = new.source and removed_ms is null
            )
            then raise(abort, 'hookbox_outbox: there is no source of that name; add it with hookbox source add, or leave it out')
        when new.content_type is not null and (
                typeof(new.content_type) <> 'text' or trim(new.content_type) = ''
                or length(new.content_type) > 256 or new.content_type glob '*[^ -~]*'
                or instr(new.content_type, char(0)) > 0
            )
            then raise(abort, 'hookbox_outbox: content_type cannot stand in a header; write one such as application/json')
        when new.headers is not null and (
                typeof(new.headers) <> 'text'
                or substr(ltrim(new.headers, ' ' || char(9) || char(10) || char(13)), 1, 1) <> '{'
            )
            then raise(abort, 'hookbox_outbox: headers are no JSON object; write {"X-Name": "value"}')
        when length(cast(new.headers as blob)) > 8192
            then raise(abort, 'hookbox_outbox: headers are longer than 8192 bytes (8 KiB)')
        when instr(new.headers, char(0)) > 0 or instr(new.headers, '\u0000') > 0
            then raise(abort, 'hookbox_outbox: headers have control characters; leave them out')
    end;
    select case
        when exists (
                select 1 from json_each(new.headers) as h
                where h.key = '' or h.key glob '*[^-!#$%&''*+.^_`|~0-9A-Za-z]*'
            )
            then raise(abort, 'hookbox_outbox: a header has a name that none can have; write letters, digits and dashes')
        when exists (
                select 1 from json_each(new.headers) as h
                where h.type <> 'text'
                    or h.value glob '*[' || char(1) || '-' || char(8) || char(10) || '-' || char(31) || char(127) || ']*'
                    or instr(h.value, char(0)) > 0
            )
            then raise(abort, 'hookbox_outbox: a header is no text, or has control characters; write {"X-Name": "value"}')
    end
    where new.headers is not null;
    insert into hookbox_outbox_row (type, body, key, source, content_type, headers)
    values (new.type, new.body, new.key, new.source, new.content_type, new.headers);
end;

create trigger if not exists hookbox_outbox_delete instead of delete on hookbox_outbox
begin
    delete from hookbox_outbox_row where id = old.id;
end;

-- A wish to send many again: which, where to, how far it is. Its deliveries are made a few at a time,
-- in the order in which the old ones were.
create table if not exists hookbox_replay (
    id          integer primary key,
    kind        text    not null check (kind in ('replay', 'recover', 'backfill')),
    state       text    not null check (state in ('running', 'paused', 'done', 'cancelled')),
    -- command line, page or API, and the user where that is known.
    asked_by    text    not null,
    created_ms  integer not null,
    ended_ms    integer,
    -- Which deliveries, or of a backfill events: a JSON object.
    filter      text    not null,
    -- The endpoint that gets all of them; null for each one's own.
    to_endpoint_id integer references hookbox_endpoint (id),
    -- Whether they are sent with another webhook-id.
    new_id      integer not null check (new_id in (0, 1)),
    -- How many in how much time (20/m); null for any.
    rate        text,
    -- How many were found when it was asked for.
    expected    integer not null,
    -- Of the deliveries (of a backfill: events) up to this one, those up to that one were looked at.
    up_to       integer not null,
    done_to     integer not null,
    made        integer not null default 0,
    check ((state in ('done', 'cancelled')) = (ended_ms is not null))
) strict;

-- Those that go on.
create index if not exists hookbox_replay_open
    on hookbox_replay (state) where ended_ms is null;

-- One event owed to one endpoint.
create table if not exists hookbox_delivery (
    id          integer primary key,
    event_id    integer not null references hookbox_event (id),
    endpoint_id integer not null references hookbox_endpoint (id),
    state       text    not null check (state in ('pending', 'delivered', 'dead', 'cancelled')),
    created_ms  integer not null,
    due_ms      integer,
    settled_ms  integer,
    -- Attempts that were refused or delivered it; the ladder counts these.
    tries       integer not null default 0,
    -- Attempts recorded, with those that spent no try.
    attempts    integer not null default 0,
    -- Why it is dead or cancelled, or was last refused; what was odd about one that was delivered.
    reason      text,
    replay_of   integer references hookbox_delivery (id),
    -- How the endpoint's expression failed on the event, which was sent for that.
    when_error  text,
    -- The bulk replay that it was made for.
    replay_id   integer references hookbox_replay (id),
    -- Whether its webhook-id is its own id, for a receiver that must take the event again.
    new_id      integer not null default 0 check (new_id in (0, 1)),
    -- Of one that is dead or cancelled: the replay that got through in its place.
    superseded_by integer references hookbox_delivery (id),
    check (superseded_by is null or state in ('dead', 'cancelled')),
    check ((state = 'pending') = (due_ms is not null)),
    check ((state = 'pending') = (settled_ms is null)),
    check (state not in ('dead', 'cancelled') or reason is not null)
) strict;

create trigger if not exists hookbox_delivery_newest before delete on hookbox_delivery
when old.id = (select max(id) from hookbox_delivery)
begin select raise(abort, 'the newest delivery stays: its id must not be used again'); end;

-- Finding what is due: only pending rows are in it, so it does not grow with history.
create index if not exists hookbox_delivery_due
    on hookbox_delivery (endpoint_id, due_ms) where state = 'pending';

-- What is owed of an event.
create index if not exists hookbox_delivery_event
    on hookbox_delivery (event_id);

-- The newest deliveries of an endpoint.
create index if not exists hookbox_delivery_endpoint
    on hookbox_delivery (endpoint_id);

-- The few that did not arrive, and those of them of which a replay did.
create index if not exists hookbox_delivery_failed
    on hookbox_delivery (state) where state in ('dead', 'cancelled') and superseded_by is null;
create index if not exists hookbox_delivery_superseded
    on hookbox_delivery (id) where superseded_by is not null;

-- What refers to what: nothing is removed that something else refers to.
create index if not exists hookbox_delivery_superseded_by
    on hookbox_delivery (superseded_by) where superseded_by is not null;
create index if not exists hookbox_delivery_replay_of
    on hookbox_delivery (replay_of) where replay_of is not null;
create index if not exists hookbox_event_copy
    on hookbox_event (replay_of_event) where replay_of_event is not null;

-- The deliveries of a bulk replay.
create index if not exists hookbox_delivery_replay
    on hookbox_delivery (replay_id, state) where replay_id is not null;
create index if not exists hookbox_delivery_of_replay
    on hookbox_delivery (replay_id) where replay_id is not null;

-- One HTTP try of a delivery, with what was sent and what came back.
create table if not exists hookbox_attempt (
    -- delivery_id * 1024 + number: the attempts of a delivery lie together, and no index is needed
    -- to find them.
    id                 integer primary key check (id = delivery_id * 1024 + number),
    -- Of hookbox_delivery. No `references`: SQLite would read all attempts when a delivery is
    -- removed, since it does not know that they lie together.
    delivery_id        integer not null,
    number             integer not null check (number between 1 and 1023),
    started_ms         integer not null,
    resolve_us         integer not null,
    connect_us         integer not null,
    wait_us            integer not null,
    read_us            integer not null,
    total_us           integer not null,
    outcome            text    not null check (outcome in ('delivered', 'refused', 'unreachable')),
    status             integer,
    -- What went wrong, in plain words.
    error              text,
    -- JSON arrays of [name, value].
    request_headers    text    not null,
    response_headers   text    not null,
    -- The reply's body up to a cap, and whether it was longer.
    response_body      blob    not null,
    response_truncated integer not null check (response_truncated in (0, 1)),
    -- A 2xx, or what the endpoint's --expect takes for a yes.
    check (outcome <> 'delivered' or status is not null)
) strict;

-- The attempts that were written last, in that order, so that they can be followed (`hookbox tail`):
-- their own ids go by deliveries. Some thousands are kept.
create table if not exists hookbox_recent_attempt (
    id         integer primary key,
    attempt_id integer not null
) strict;

-- An endpoint that cannot be reached: one row that grows, not a row a try.
create table if not exists hookbox_outage (
    id            integer primary key,
    endpoint_id   integer not null references hookbox_endpoint (id),
    since_ms      integer not null,
    last_probe_ms integer not null,
    probes        integer not null check (probes > 0),
    error         text    not null,
    ended_ms      integer
) strict;

-- How long it could not be reached since some time.
create index if not exists hookbox_outage_ended
    on hookbox_outage (endpoint_id, ended_ms);

-- At most one outage of an endpoint goes on.
create unique index if not exists hookbox_outage_open
    on hookbox_outage (endpoint_id) where ended_ms is null;

-- Answers to requests of the API that came with an Idempotency-Key, for a day.
create table if not exists hookbox_answer (
    id      integer primary key,
    key     text    not null unique,
    -- A hash of the request, to tell another one with the same key.
    request text    not null,
    made_ms integer not null,
    -- Written in the transaction of what was asked for; the answer is made of what that left, and null
    -- until then.
    status  integer,
    body    blob,
    check ((status is null) = (body is null))
) strict;

create index if not exists hookbox_answer_made
    on hookbox_answer (made_ms);

commit;
