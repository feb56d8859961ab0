PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE hookbox_meta (
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
INSERT INTO hookbox_meta VALUES(1,11,'c966b50b75',8,X'd2a9a45cc746ae4af4550bff21730f29',0);
CREATE TABLE hookbox_mark (
    id            integer primary key,
    mark          text    not null check (length(mark) = 5),
    -- Events and deliveries from these on have it, up to the next one's.
    event_from    integer not null,
    delivery_from integer not null
) strict;
INSERT INTO hookbox_mark VALUES(1,'jskmc',1,1);
INSERT INTO hookbox_mark VALUES(2,'tw6k3',5,13);
CREATE TABLE hookbox_source (
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
INSERT INTO hookbox_source VALUES(1,'gogs','gogs',X'6233663063326131396438653437353638613166306333643265346235613639',NULL,NULL,'replay',NULL,1796066082134,NULL);
INSERT INTO hookbox_source VALUES(2,'app','generic',NULL,NULL,NULL,'ignore',NULL,1796066082186,NULL);
INSERT INTO hookbox_source VALUES(3,'boxes','standard',X'77687365635f414141414141414141414141414141414141414141414141414141414141414141414141414141414141413d',NULL,NULL,'ignore',NULL,1796066102076,NULL);
CREATE TABLE hookbox_old_secret (
    id       integer primary key,
    of       text    not null check (of in ('source', 'endpoint')),
    owner_id integer not null,
    secret   blob    not null check (length(secret) > 0),
    ends_ms  integer not null
) strict;
CREATE TABLE hookbox_rejected_request (
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
INSERT INTO hookbox_rejected_request VALUES(1,1,1796066083835,1,'127.0.0.1',401,'signature does not match: the sender''s secret is not this source''s, or the body was changed on the way','[["Host","127.0.0.1:36491"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["x-gogs-event","push"],["x-gogs-signature","00"],["Content-Length","2"],["Content-Type","application/x-www-form-urlencoded"]]');
CREATE TABLE hookbox_endpoint (
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
INSERT INTO hookbox_endpoint VALUES(1,'ci','http://127.0.0.1:9001/hook','raw',NULL,'gogs',X'6233663063326131396438653437353638613166306333643265346235613639',NULL,NULL,'push,order.*',NULL,'main',NULL,15000,NULL,NULL,'1s,1s',NULL,NULL,0,60000,NULL,NULL,0,0,1796066082240,NULL,NULL,NULL,0);
INSERT INTO hookbox_endpoint VALUES(2,'team','http://127.0.0.1:9002/x','slack',NULL,'none',NULL,NULL,NULL,NULL,NULL,NULL,NULL,15000,NULL,NULL,'5s,5m,30m,2h,5h,10h,14h,20h,1d',NULL,NULL,0,60000,600000,NULL,0,0,1796066082292,NULL,NULL,NULL,0);
INSERT INTO hookbox_endpoint VALUES(3,'hub','http://127.0.0.1:9/in/boxes','relay',NULL,'standard',X'77687365635f414141414141414141414141414141414141414141414141414141414141414141414141414141414141413d',NULL,NULL,NULL,NULL,NULL,NULL,15000,NULL,NULL,'5s,5m,30m,2h,5h,10h,14h,20h,1d',NULL,NULL,0,60000,NULL,NULL,0,0,1796066102116,NULL,NULL,NULL,0);
INSERT INTO hookbox_endpoint VALUES(4,'away','http://127.0.0.1:9/none','raw',NULL,'none',NULL,NULL,NULL,NULL,NULL,NULL,NULL,15000,NULL,NULL,'5s,5m,30m,2h,5h,10h,14h,20h,1d',NULL,NULL,0,60000,NULL,'0 0 9 * * Mon-Fri+8h',1,0,1796066102162,NULL,1796066105842,'moving house',0);
CREATE TABLE hookbox_relay_box (
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
CREATE TABLE hookbox_failing_endpoint (
    endpoint_id integer primary key references hookbox_endpoint (id),
    lasting_ms  integer not null
) strict;
CREATE TABLE hookbox_clock_set (
    id      integer primary key,
    from_ms integer not null,
    by_ms   integer not null check (by_ms > 0)
) strict;
CREATE TABLE hookbox_pace (
    endpoint_id integer primary key references hookbox_endpoint (id),
    -- When requests ended, the latest ones, in milliseconds: a JSON array.
    ended       text    not null,
    -- A reply asked for nothing before.
    not_before_ms integer not null,
    -- Nothing is sent before, for that or since its rate is used up.
    until_ms    integer not null
) strict;
CREATE TABLE hookbox_alert (
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
INSERT INTO hookbox_alert VALUES(1,'team',2,'held,dead',900000,1796066082393,'{"told_ms":1796066102229,"open":{},"recovered":{},"dead":{"away":{"seen":0,"untold":0},"ci":{"seen":4,"untold":0},"hub":{"seen":0,"untold":0}},"rejected":{}}');
CREATE TABLE hookbox_tally (
    of    text    not null check (of in ('source', 'endpoint')),
    -- Its row; source 0 stands for the events that came without one.
    id    integer not null,
    what  text    not null,
    value integer not null,
    primary key (of, id, what)
) strict, without rowid;
INSERT INTO hookbox_tally VALUES('endpoint',1,'dead',0);
INSERT INTO hookbox_tally VALUES('endpoint',1,'delivered',4);
INSERT INTO hookbox_tally VALUES('endpoint',1,'died',4);
INSERT INTO hookbox_tally VALUES('endpoint',1,'last_attempt_ms',1796066103481);
INSERT INTO hookbox_tally VALUES('endpoint',1,'last_delivered_ms',1796066089477);
INSERT INTO hookbox_tally VALUES('endpoint',1,'pending',2);
INSERT INTO hookbox_tally VALUES('endpoint',1,'superseded',4);
INSERT INTO hookbox_tally VALUES('endpoint',2,'last_attempt_ms',1796066102238);
INSERT INTO hookbox_tally VALUES('endpoint',2,'pending',7);
INSERT INTO hookbox_tally VALUES('endpoint',3,'last_attempt_ms',1796066103481);
INSERT INTO hookbox_tally VALUES('endpoint',3,'pending',2);
INSERT INTO hookbox_tally VALUES('endpoint',4,'pending',2);
INSERT INTO hookbox_tally VALUES('source',0,'events',2);
INSERT INTO hookbox_tally VALUES('source',0,'last_event_ms',1796066102229);
INSERT INTO hookbox_tally VALUES('source',1,'refusals',1);
INSERT INTO hookbox_tally VALUES('source',2,'events',5);
INSERT INTO hookbox_tally VALUES('source',2,'last_event_ms',1796066103475);
CREATE TABLE hookbox_hour (
    endpoint_id integer not null references hookbox_endpoint (id),
    hour        integer not null,
    outcome     text    not null check (outcome in ('delivered', 'refused')),
    count       integer not null,
    primary key (endpoint_id, hour, outcome)
) strict, without rowid;
INSERT INTO hookbox_hour VALUES(1,498907,'delivered',4);
INSERT INTO hookbox_hour VALUES(1,498907,'refused',12);
CREATE TABLE hookbox_event (
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
INSERT INTO hookbox_event VALUES(1,2,'order.paid',NULL,'k1',1796066083460,'application/json',NULL,NULL,1,NULL,32,NULL,NULL,'[]',X'7b226964223a312c22637573746f6d6572223a22416461204f6b61666f72227d');
INSERT INTO hookbox_event VALUES(2,2,'order.paid',NULL,'k2',1796066083497,'application/json',NULL,NULL,1,NULL,32,NULL,NULL,'[]',X'7b226964223a322c22637573746f6d6572223a22416461204f6b61666f72227d');
INSERT INTO hookbox_event VALUES(3,2,'order.paid',NULL,'k3',1796066083530,'application/json',NULL,NULL,1,NULL,32,NULL,NULL,'[]',X'7b226964223a332c22637573746f6d6572223a22416461204f6b61666f72227d');
INSERT INTO hookbox_event VALUES(4,NULL,'push',NULL,NULL,1796066083564,'application/json',NULL,NULL,1,NULL,142,NULL,NULL,'[]',X'7b22726566223a22726566732f68656164732f6d61696e222c22636f6d6d697473223a5b7b226964223a2234663163222c226d657373616765223a22466978207468652067617465227d5d2c227265706f7369746f7279223a7b2266756c6c5f6e616d65223a226164612f67617465227d2c22707573686572223a7b22757365726e616d65223a22616461227d7d');
INSERT INTO hookbox_event VALUES(5,NULL,'hookbox.alert',NULL,NULL,1796066102229,'application/json','4 deliveries were given up: ci did not take them',NULL,1,NULL,256,'zstd',NULL,'[]',X'28b52ffd64000045040082091f1f5049ac03849ba5e41869a7d2cbbe84f644cc98e12055d932049fc8cccc70020d48fdbe409fc350b3c7371079f4390c35a3dc19c0b8ecc2d7c7ca93cd23accd852f5963d990d42521df9b76908f5748e62dbe69ee2c03acfe6b8ead273e2e28943a28a402498b448000889488018594d5bb7cacacafd51bef96190202000b21f279fd54677ad41d8e');
INSERT INTO hookbox_event VALUES(6,2,'order.paid',NULL,'k5',1796066103433,'application/json',NULL,NULL,1,NULL,8,NULL,NULL,'[]',X'7b226964223a357d');
INSERT INTO hookbox_event VALUES(7,2,'order.paid',NULL,'k6',1796066103475,'application/json',NULL,NULL,1,NULL,8,NULL,NULL,'[]',X'7b226964223a367d');
CREATE TABLE hookbox_recent_key (
    event_id integer primary key,
    hash     integer not null
) strict;
INSERT INTO hookbox_recent_key VALUES(1,-3872132406387177208);
INSERT INTO hookbox_recent_key VALUES(2,-6452473394382460921);
INSERT INTO hookbox_recent_key VALUES(3,-3400689484179764394);
INSERT INTO hookbox_recent_key VALUES(6,9206693984312515415);
INSERT INTO hookbox_recent_key VALUES(7,-7452374412126131172);
CREATE TABLE hookbox_key (
    hash     integer not null,
    event_id integer not null,
    primary key (hash, event_id)
) strict, without rowid;
CREATE TABLE hookbox_key_move (
    id            integer primary key check (id = 1),
    up_to_event   integer not null,
    done_hash     integer not null
) strict;
CREATE TABLE hookbox_outbox_row (
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
CREATE TABLE hookbox_replay (
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
INSERT INTO hookbox_replay VALUES(1,'replay','done','command line',1796066089422,1796066089521,'{"state":"dead","endpoint":"ci"}',NULL,0,NULL,4,8,8,4);
CREATE TABLE hookbox_delivery (
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
INSERT INTO hookbox_delivery VALUES(1,1,1,'dead',1796066083460,NULL,1796066085605,3,3,'500 Internal Server Error; given up after 3 tries',NULL,NULL,NULL,0,9);
INSERT INTO hookbox_delivery VALUES(2,1,2,'pending',1796066083460,1796066083460,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(3,2,1,'dead',1796066083497,NULL,1796066085661,3,3,'500 Internal Server Error; given up after 3 tries',NULL,NULL,NULL,0,10);
INSERT INTO hookbox_delivery VALUES(4,2,2,'pending',1796066083497,1796066083497,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(5,3,1,'dead',1796066083530,NULL,1796066085665,3,3,'500 Internal Server Error; given up after 3 tries',NULL,NULL,NULL,0,11);
INSERT INTO hookbox_delivery VALUES(6,3,2,'pending',1796066083530,1796066083530,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(7,4,1,'dead',1796066083564,NULL,1796066085372,3,3,'500 Internal Server Error; given up after 3 tries',NULL,NULL,NULL,0,12);
INSERT INTO hookbox_delivery VALUES(8,4,2,'pending',1796066083564,1796066083564,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(9,1,1,'delivered',1796066089457,NULL,1796066089464,1,1,NULL,1,NULL,1,0,NULL);
INSERT INTO hookbox_delivery VALUES(10,2,1,'delivered',1796066089457,NULL,1796066089466,1,1,NULL,3,NULL,1,0,NULL);
INSERT INTO hookbox_delivery VALUES(11,3,1,'delivered',1796066089457,NULL,1796066089469,1,1,NULL,5,NULL,1,0,NULL);
INSERT INTO hookbox_delivery VALUES(12,4,1,'delivered',1796066089457,NULL,1796066089477,1,1,NULL,7,NULL,1,0,NULL);
INSERT INTO hookbox_delivery VALUES(13,5,2,'pending',1796066102229,1796065502229,NULL,0,1,'cannot connect: Connection refused',NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(14,6,1,'pending',1796066103433,1796066103433,NULL,0,1,'cannot connect: Connection refused',NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(15,6,2,'pending',1796066103433,1796066103433,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(16,6,3,'pending',1796066103433,1796066103433,NULL,0,1,'cannot connect: Connection refused',NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(17,6,4,'pending',1796066103433,1796066103433,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(18,7,1,'pending',1796066103475,1796066103475,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(19,7,2,'pending',1796066103475,1796066103475,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(20,7,3,'pending',1796066103475,1796066103475,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(21,7,4,'pending',1796066103475,1796066103475,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE hookbox_attempt (
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
INSERT INTO hookbox_attempt VALUES(1025,1,1,1796066083505,0,115,4888,103,5108,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k1"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k1"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_1_jskmc"],["webhook-timestamp","1796066083"],["X-Gogs-Signature","3abc665ebdd41862d1455e0f2a444a74f565935167eccf3d1da5e23dba2f83dc"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:43 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(1026,1,2,1796066084495,0,132,1501,146,1780,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k1"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k1"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_1_jskmc"],["webhook-timestamp","1796066084"],["X-Gogs-Signature","3abc665ebdd41862d1455e0f2a444a74f565935167eccf3d1da5e23dba2f83dc"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:44 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(1027,1,3,1796066085604,0,275,932,72,1280,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k1"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k1"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_1_jskmc"],["webhook-timestamp","1796066085"],["X-Gogs-Signature","3abc665ebdd41862d1455e0f2a444a74f565935167eccf3d1da5e23dba2f83dc"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:45 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(3073,3,1,1796066083517,0,85,1081,66,1233,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k2"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k2"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_2_jskmc"],["webhook-timestamp","1796066083"],["X-Gogs-Signature","f759b53408612336d456702f47bf29e09d7870e59a7375cb3ae5b0c17fc7e16e"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:43 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(3074,3,2,1796066084457,0,127,6922,115,7165,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k2"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k2"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_2_jskmc"],["webhook-timestamp","1796066084"],["X-Gogs-Signature","f759b53408612336d456702f47bf29e09d7870e59a7375cb3ae5b0c17fc7e16e"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:44 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(3075,3,3,1796066085658,0,1258,998,74,2331,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k2"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k2"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_2_jskmc"],["webhook-timestamp","1796066085"],["X-Gogs-Signature","f759b53408612336d456702f47bf29e09d7870e59a7375cb3ae5b0c17fc7e16e"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:45 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(5121,5,1,1796066083552,0,95,1140,76,1312,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k3"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k3"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_3_jskmc"],["webhook-timestamp","1796066083"],["X-Gogs-Signature","db745a52a008b79de3e9e8e11d5cd5f1283c3ea3799d3bd08e460de104f5cb43"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:43 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(5122,5,2,1796066084665,0,126,1458,5025,6610,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k3"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k3"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_3_jskmc"],["webhook-timestamp","1796066084"],["X-Gogs-Signature","db745a52a008b79de3e9e8e11d5cd5f1283c3ea3799d3bd08e460de104f5cb43"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:44 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(5123,5,3,1796066085661,0,2190,806,61,3058,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k3"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k3"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_3_jskmc"],["webhook-timestamp","1796066085"],["X-Gogs-Signature","db745a52a008b79de3e9e8e11d5cd5f1283c3ea3799d3bd08e460de104f5cb43"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:45 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(7169,7,1,1796066083585,0,273,1028,69,1371,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","push"],["X-Gogs-Event","push"],["X-Gogs-Delivery","evt_c966b50b75_4_jskmc"],["X-GitHub-Event","push"],["X-GitHub-Delivery","evt_c966b50b75_4_jskmc"],["Hookbox-Path","c966b50b75/-"],["webhook-id","evt_c966b50b75_4_jskmc"],["webhook-timestamp","1796066083"],["X-Gogs-Signature","6663ff27edfd6a4ca2089503b5e88413082240d885e4d3d1aef9240c55d296a0"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:43 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(7170,7,2,1796066084414,0,2936,2768,136,5841,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","push"],["X-Gogs-Event","push"],["X-Gogs-Delivery","evt_c966b50b75_4_jskmc"],["X-GitHub-Event","push"],["X-GitHub-Delivery","evt_c966b50b75_4_jskmc"],["Hookbox-Path","c966b50b75/-"],["webhook-id","evt_c966b50b75_4_jskmc"],["webhook-timestamp","1796066084"],["X-Gogs-Signature","6663ff27edfd6a4ca2089503b5e88413082240d885e4d3d1aef9240c55d296a0"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:44 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(7171,7,3,1796066085370,0,102,1050,70,1223,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","push"],["X-Gogs-Event","push"],["X-Gogs-Delivery","evt_c966b50b75_4_jskmc"],["X-GitHub-Event","push"],["X-GitHub-Delivery","evt_c966b50b75_4_jskmc"],["Hookbox-Path","c966b50b75/-"],["webhook-id","evt_c966b50b75_4_jskmc"],["webhook-timestamp","1796066085"],["X-Gogs-Signature","6663ff27edfd6a4ca2089503b5e88413082240d885e4d3d1aef9240c55d296a0"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:45 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(9217,9,1,1796066089459,0,182,4843,83,5110,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k1"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k1"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_1_jskmc"],["webhook-timestamp","1796066089"],["X-Gogs-Signature","3abc665ebdd41862d1455e0f2a444a74f565935167eccf3d1da5e23dba2f83dc"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:49 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(10241,10,1,1796066089465,0,188,936,57,1183,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k2"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k2"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_2_jskmc"],["webhook-timestamp","1796066089"],["X-Gogs-Signature","f759b53408612336d456702f47bf29e09d7870e59a7375cb3ae5b0c17fc7e16e"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:49 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(11265,11,1,1796066089468,0,166,786,57,1009,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k3"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k3"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_3_jskmc"],["webhook-timestamp","1796066089"],["X-Gogs-Signature","db745a52a008b79de3e9e8e11d5cd5f1283c3ea3799d3bd08e460de104f5cb43"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:49 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(12289,12,1,1796066089470,0,5512,862,59,6435,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","push"],["X-Gogs-Event","push"],["X-Gogs-Delivery","evt_c966b50b75_4_jskmc"],["X-GitHub-Event","push"],["X-GitHub-Delivery","evt_c966b50b75_4_jskmc"],["Hookbox-Path","c966b50b75/-"],["webhook-id","evt_c966b50b75_4_jskmc"],["webhook-timestamp","1796066089"],["X-Gogs-Signature","6663ff27edfd6a4ca2089503b5e88413082240d885e4d3d1aef9240c55d296a0"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Mon, 30 Nov 2026 19:14:49 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(13313,13,1,1796066102236,0,83,161,14,259,'unreachable',NULL,'cannot connect: Connection refused','[["Content-Type","application/json; charset=utf-8"],["User-Agent","hookbox/0.1.0"],["Hookbox-Path","c966b50b75/-"]]','[]',X'',0);
INSERT INTO hookbox_attempt VALUES(14337,14,1,1796066103480,0,91,175,16,282,'unreachable',NULL,'cannot connect: Connection refused','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.paid"],["X-Gogs-Event","order.paid"],["X-Gogs-Delivery","k5"],["X-GitHub-Event","order.paid"],["X-GitHub-Delivery","k5"],["Hookbox-Path","c966b50b75/app"],["webhook-id","evt_c966b50b75_6_tw6k3"],["webhook-timestamp","1796066103"],["X-Gogs-Signature","0f8576a72c66ec6908fccebdcd17ea62474cd4bcc73369aa1c8e58da9e70397a"]]','[]',X'',0);
INSERT INTO hookbox_attempt VALUES(16385,16,1,1796066103478,0,50,1238,9,1298,'unreachable',NULL,'cannot connect: Connection refused','[["Content-Type","application/vnd.hookbox.events+jsonl"],["User-Agent","hookbox/0.1.0"],["Content-Encoding","zstd"],["webhook-id","dlv_c966b50b75_16_tw6k3"],["webhook-timestamp","1796066103"],["webhook-signature","v1,08t+mPRkr9c5UZF3AqOrEaVctX/z3QueIPUPK2ITy+w="]]','[]',X'',0);
CREATE TABLE hookbox_recent_attempt (
    id         integer primary key,
    attempt_id integer not null
) strict;
INSERT INTO hookbox_recent_attempt VALUES(1,1025);
INSERT INTO hookbox_recent_attempt VALUES(2,3073);
INSERT INTO hookbox_recent_attempt VALUES(3,5121);
INSERT INTO hookbox_recent_attempt VALUES(4,7169);
INSERT INTO hookbox_recent_attempt VALUES(5,7170);
INSERT INTO hookbox_recent_attempt VALUES(6,3074);
INSERT INTO hookbox_recent_attempt VALUES(7,1026);
INSERT INTO hookbox_recent_attempt VALUES(8,5122);
INSERT INTO hookbox_recent_attempt VALUES(9,7171);
INSERT INTO hookbox_recent_attempt VALUES(10,1027);
INSERT INTO hookbox_recent_attempt VALUES(11,3075);
INSERT INTO hookbox_recent_attempt VALUES(12,5123);
INSERT INTO hookbox_recent_attempt VALUES(13,9217);
INSERT INTO hookbox_recent_attempt VALUES(14,10241);
INSERT INTO hookbox_recent_attempt VALUES(15,11265);
INSERT INTO hookbox_recent_attempt VALUES(16,12289);
INSERT INTO hookbox_recent_attempt VALUES(17,13313);
INSERT INTO hookbox_recent_attempt VALUES(18,14337);
INSERT INTO hookbox_recent_attempt VALUES(19,16385);
CREATE TABLE hookbox_outage (
    id            integer primary key,
    endpoint_id   integer not null references hookbox_endpoint (id),
    since_ms      integer not null,
    last_probe_ms integer not null,
    probes        integer not null check (probes > 0),
    error         text    not null,
    ended_ms      integer
) strict;
INSERT INTO hookbox_outage VALUES(1,2,1796066102238,1796066104985,3,'cannot connect: Connection refused',NULL);
INSERT INTO hookbox_outage VALUES(2,1,1796066103481,1796066104380,2,'cannot connect: Connection refused',NULL);
INSERT INTO hookbox_outage VALUES(3,3,1796066103481,1796066104284,2,'cannot connect: Connection refused',NULL);
CREATE TABLE hookbox_answer (
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
CREATE INDEX hookbox_old_secret_owner
    on hookbox_old_secret (of, owner_id);
CREATE UNIQUE INDEX hookbox_source_name
    on hookbox_source (name);
CREATE UNIQUE INDEX hookbox_endpoint_name
    on hookbox_endpoint (name);
CREATE UNIQUE INDEX hookbox_alert_name
    on hookbox_alert (name);
CREATE TRIGGER hookbox_source_insert after insert on hookbox_source
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
CREATE TRIGGER hookbox_source_update after update on hookbox_source
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
CREATE TRIGGER hookbox_old_secret_insert after insert on hookbox_old_secret
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
CREATE TRIGGER hookbox_old_secret_delete after delete on hookbox_old_secret
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
CREATE TRIGGER hookbox_endpoint_insert after insert on hookbox_endpoint
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
CREATE TRIGGER hookbox_endpoint_update after update on hookbox_endpoint
begin update hookbox_meta set config_version = config_version + 1 where id = 1; end;
CREATE TRIGGER hookbox_event_newest before delete on hookbox_event
when old.id = (select max(id) from hookbox_event)
begin select raise(abort, 'the newest event stays: its id must not be used again'); end;
CREATE VIEW hookbox_outbox as
    select id, type, body, key, source, content_type, headers, inserted_ms, problem
    from hookbox_outbox_row;
CREATE TRIGGER hookbox_outbox_insert instead of insert on hookbox_outbox
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
CREATE TRIGGER hookbox_outbox_delete instead of delete on hookbox_outbox
begin
    delete from hookbox_outbox_row where id = old.id;
end;
CREATE INDEX hookbox_replay_open
    on hookbox_replay (state) where ended_ms is null;
CREATE TRIGGER hookbox_delivery_newest before delete on hookbox_delivery
when old.id = (select max(id) from hookbox_delivery)
begin select raise(abort, 'the newest delivery stays: its id must not be used again'); end;
CREATE INDEX hookbox_delivery_due
    on hookbox_delivery (endpoint_id, due_ms) where state = 'pending';
CREATE INDEX hookbox_delivery_event
    on hookbox_delivery (event_id);
CREATE INDEX hookbox_delivery_endpoint
    on hookbox_delivery (endpoint_id);
CREATE INDEX hookbox_delivery_failed
    on hookbox_delivery (state) where state in ('dead', 'cancelled') and superseded_by is null;
CREATE INDEX hookbox_delivery_superseded
    on hookbox_delivery (id) where superseded_by is not null;
CREATE INDEX hookbox_delivery_superseded_by
    on hookbox_delivery (superseded_by) where superseded_by is not null;
CREATE INDEX hookbox_delivery_replay_of
    on hookbox_delivery (replay_of) where replay_of is not null;
CREATE INDEX hookbox_event_copy
    on hookbox_event (replay_of_event) where replay_of_event is not null;
CREATE INDEX hookbox_delivery_replay
    on hookbox_delivery (replay_id, state) where replay_id is not null;
CREATE INDEX hookbox_delivery_of_replay
    on hookbox_delivery (replay_id) where replay_id is not null;
CREATE INDEX hookbox_outage_ended
    on hookbox_outage (endpoint_id, ended_ms);
CREATE UNIQUE INDEX hookbox_outage_open
    on hookbox_outage (endpoint_id) where ended_ms is null;
CREATE INDEX hookbox_answer_made
    on hookbox_answer (made_ms);
COMMIT;
