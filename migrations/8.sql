-- From schema 7 to 8. Runs in one transaction, with foreign keys off, as every step does; the program sets
-- the version behind it. A step is never changed once a file may have gone through it: what a table is now
-- stands in schema.sql.

-- Ids get marks. Those that were given out so far have none. (What a copy of the file may have given out
-- is told apart by its mark, so that no number has to be left out any more.)
create table hookbox_mark (
    id            integer primary key,
    mark          text    not null check (length(mark) = 5),
    event_from    integer not null,
    delivery_from integer not null
) strict;

-- Not by dropping a column: SQLite would look into the views of an application for that.
create table hookbox_meta_8 (
    id             integer primary key check (id = 1),
    schema_version integer not null,
    box            text    not null check (length(box) = 10),
    config_version integer not null default 0,
    key_seed       blob    not null check (length(key_seed) = 16),
    pruned_to      integer not null default 0
) strict;

insert into hookbox_meta_8 (id, schema_version, box, config_version, key_seed, pruned_to)
select id, schema_version, box, config_version, key_seed, pruned_to from hookbox_meta;

drop table hookbox_meta;
alter table hookbox_meta_8 rename to hookbox_meta;

-- What is long stands behind all that lists read.
create table hookbox_event_8 (
    id            integer primary key,
    source_id     integer references hookbox_source (id),
    type          text    not null check (length(type) between 1 and 128),
    original_type text,
    key           text    check (length(key) between 1 and 256),
    received_ms   integer not null,
    content_type  text,
    summary       text    check (length(summary) between 1 and 200),
    branch        text    check (length(branch) between 1 and 255),
    is_json       integer not null check (is_json in (0, 1)),
    problem       text,
    bytes         integer not null,
    encoding      text    check (encoding = 'zstd'),
    replay_of_event integer references hookbox_event (id),
    headers       text    not null,
    body          blob    not null,
    check (encoding is not null or bytes = length(body))
) strict;

insert into hookbox_event_8 (
    id, source_id, type, original_type, key, received_ms, content_type, summary, branch, is_json, problem,
    bytes, encoding, replay_of_event, headers, body
)
select
    id, source_id, type, original_type, key, received_ms, content_type, summary, branch, is_json, problem,
    bytes, encoding, replay_of_event, headers, body
from hookbox_event;

-- Its triggers and indexes go with it, and are made anew below.
drop table hookbox_event;
alter table hookbox_event_8 rename to hookbox_event;

create trigger hookbox_event_newest before delete on hookbox_event
when old.id = (select max(id) from hookbox_event)
begin select raise(abort, 'the newest event stays: its id must not be used again'); end;

create index hookbox_event_copy
    on hookbox_event (replay_of_event) where replay_of_event is not null;

-- An answer may be owed for a moment.
create table hookbox_answer_8 (
    id      integer primary key,
    key     text    not null unique,
    request text    not null,
    made_ms integer not null,
    status  integer,
    body    blob,
    check ((status is null) = (body is null))
) strict;

insert into hookbox_answer_8 (id, key, request, made_ms, status, body)
select id, key, request, made_ms, status, body from hookbox_answer;

drop table hookbox_answer;
alter table hookbox_answer_8 rename to hookbox_answer;

create index hookbox_answer_made
    on hookbox_answer (made_ms);
