-- From schema 9 to 10: alerts.
create table hookbox_alert (
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

create unique index hookbox_alert_name
    on hookbox_alert (name);
