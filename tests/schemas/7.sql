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
    pruned_to      integer not null default 0,
    -- Events, deliveries and replays get no ids below this one. A backup has a million more than
    -- there were: the file that it was made of may have given those out since, and receivers know
    -- them.
    ids_from       integer not null default 0
) strict;
INSERT INTO hookbox_meta VALUES(1,7,'514e1d9203',13,X'2572ea041e2b9eab8380c377332f4e73',0,0);
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
    -- For kind generic: where signature, type and key are, where not as usual; a JSON object.
    generic      text,
    created_ms   integer not null,
    removed_ms   integer
) strict;
INSERT INTO hookbox_source VALUES(1,'gogs','gogs',X'6e3377',NULL,NULL,'replay',NULL,1795933083663,NULL);
INSERT INTO hookbox_source VALUES(2,'open','generic',NULL,NULL,NULL,'replay',NULL,1795933083680,NULL);
CREATE TABLE hookbox_old_secret (
    id       integer primary key,
    of       text    not null check (of in ('source', 'endpoint')),
    owner_id integer not null,
    secret   blob    not null check (length(secret) > 0),
    ends_ms  integer not null
) strict;
INSERT INTO hookbox_old_secret VALUES(1,'source',1,X'733363726574',1796019487744);
CREATE TABLE hookbox_refusal (
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
INSERT INTO hookbox_refusal VALUES(1,1,1795933084572,1,'127.0.0.1',401,'not signed: X-Gogs-Signature is absent or empty; let the sender sign as this source is set, with its secret','[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Length","2"],["Content-Type","application/x-www-form-urlencoded"]]');
CREATE TABLE hookbox_endpoint (
    id          integer primary key,
    name        text    not null check (length(name) between 1 and 64),
    url         text    not null,
    format      text    not null check (
                    format in ('raw', 'slack', 'discord', 'dingtalk', 'wecom', 'feishu', 'template')
                ),
    -- Of format template: the file's name, its text and the content type of what it makes; JSON.
    template    text    check ((format = 'template') = (template is not null)),
    sign        text    not null,
    secret      blob    check (length(secret) > 0),
    -- For scheme generic: where the signature goes and how it is made, where not as usual; a JSON
    -- object.
    signature   text,
    -- Method, headers, credentials, certificates, proxy, where not as usual; a JSON object.
    connection  text,
    -- Which events it wants, all where nothing is set: lists of patterns, separated by commas, and
    -- a Jinja expression.
    types       text,
    sources     text,
    branches    text,
    when_true   text,
    timeout_ms  integer not null check (timeout_ms > 0),
    -- Requests at the same time, and how many in how much time (20/m, or 5/s,100/m); null for the
    -- usual.
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
    nudges      integer not null default 0,
    check ((held_ms is null) = (held_reason is null))
) strict;
INSERT INTO hookbox_endpoint VALUES(1,'ci','http://127.0.0.1:9480/ok','raw',NULL,'standard',X'77687365635f4d664b51397238474b59717254776a55504438494c505a496f324c614c775377',NULL,NULL,NULL,NULL,NULL,NULL,15000,NULL,NULL,'5s,5m,30m,2h,5h,10h,14h,20h,1d',NULL,NULL,0,60000,NULL,0,0,1795933083699,NULL,1795933087783,'until monday',0);
INSERT INTO hookbox_endpoint VALUES(2,'bad','http://127.0.0.1:9480/ok','raw',NULL,'none',NULL,NULL,NULL,'order.*',NULL,NULL,NULL,15000,NULL,NULL,'1ms,1ms',NULL,NULL,0,60000,NULL,0,0,1795933083722,NULL,NULL,NULL,0);
INSERT INTO hookbox_endpoint VALUES(3,'away','http://127.0.0.1:9/','raw',NULL,'none',NULL,NULL,NULL,NULL,NULL,NULL,NULL,15000,NULL,'20/m','5s,5m,30m,2h,5h,10h,14h,20h,1d',NULL,NULL,0,60000,NULL,1,0,1795933083746,NULL,NULL,NULL,0);
INSERT INTO hookbox_endpoint VALUES(4,'gone','http://127.0.0.1:9480/flaky','raw',NULL,'none',NULL,NULL,NULL,NULL,NULL,NULL,NULL,15000,NULL,NULL,'1ms,1ms,1ms',NULL,NULL,0,60000,NULL,0,0,1795933083764,1795933087766,NULL,NULL,0);
CREATE TABLE hookbox_refusing (
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
CREATE TABLE hookbox_tally (
    of    text    not null check (of in ('source', 'endpoint')),
    -- Its row; source 0 stands for the events that came without one.
    id    integer not null,
    what  text    not null,
    value integer not null,
    primary key (of, id, what)
) strict, without rowid;
INSERT INTO hookbox_tally VALUES('endpoint',1,'delivered',10);
INSERT INTO hookbox_tally VALUES('endpoint',1,'last_attempt_ms',1795933087778);
INSERT INTO hookbox_tally VALUES('endpoint',1,'pending',0);
INSERT INTO hookbox_tally VALUES('endpoint',2,'dead',0);
INSERT INTO hookbox_tally VALUES('endpoint',2,'delivered',2);
INSERT INTO hookbox_tally VALUES('endpoint',2,'last_attempt_ms',1795933086782);
INSERT INTO hookbox_tally VALUES('endpoint',2,'mended',2);
INSERT INTO hookbox_tally VALUES('endpoint',2,'pending',0);
INSERT INTO hookbox_tally VALUES('endpoint',3,'last_attempt_ms',1795933084500);
INSERT INTO hookbox_tally VALUES('endpoint',3,'pending',9);
INSERT INTO hookbox_tally VALUES('endpoint',4,'delivered',9);
INSERT INTO hookbox_tally VALUES('endpoint',4,'last_attempt_ms',1795933084788);
INSERT INTO hookbox_tally VALUES('endpoint',4,'pending',0);
INSERT INTO hookbox_tally VALUES('source',0,'events',3);
INSERT INTO hookbox_tally VALUES('source',0,'last_event_ms',1795933084634);
INSERT INTO hookbox_tally VALUES('source',1,'refusals',1);
INSERT INTO hookbox_tally VALUES('source',2,'events',7);
INSERT INTO hookbox_tally VALUES('source',2,'last_event_ms',1795933087732);
CREATE TABLE hookbox_hour (
    endpoint_id integer not null references hookbox_endpoint (id),
    hour        integer not null,
    outcome     text    not null check (outcome in ('delivered', 'refused')),
    count       integer not null,
    primary key (endpoint_id, hour, outcome)
) strict, without rowid;
INSERT INTO hookbox_hour VALUES(1,498870,'delivered',10);
INSERT INTO hookbox_hour VALUES(2,498870,'delivered',2);
INSERT INTO hookbox_hour VALUES(2,498870,'refused',6);
INSERT INTO hookbox_hour VALUES(4,498870,'delivered',9);
INSERT INTO hookbox_hour VALUES(4,498870,'refused',8);
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
    -- The producer's headers in received order: a JSON array of [name, value].
    headers       text    not null,
    -- The body: as it came, or packed (zstd) where that is smaller; `hookbox event body` prints it.
    body          blob    not null,
    encoding      text    check (encoding = 'zstd'),
    -- Size of the body as it came.
    bytes         integer not null,
    -- The event that this one is an edited copy of.
    replay_of_event integer references hookbox_event (id),
    check (encoding is not null or bytes = length(body))
) strict;
INSERT INTO hookbox_event VALUES(1,2,'unknown',NULL,NULL,1795933084488,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k1"],["Content-Length","306"]]',X'28b52ffd643200a508002613442310a77a9c21ca12035a95ab8c3b4dfaeee7e25ac1643681f7c56c5b788150555555753339003a003a0078ea95420b807cec9dded4ce04dccfb429e5c3b0b0239464fbebec142951ba868bb21ebd85c670fb780bb78fe007307d37c96bb8fe57d08b109493c15959223ab5756b406d72663bd2726d206c56bd8e6b0e5d6435b2b57caa829e155fba3181f93b5b4fc9a945d7cdab473a498303c5cfdc1695e8ac083633dccb5ddf050e3fb9fa02f2189330ce5c079099b0c4ce7f981e05c24a9b4a1c3292b3473f3404eac76826fa426a9b60c9bd31c3390977e0c127eb474960c4f5a47c5159c29da1ec97545447d162bfa39a8b26495fa4bc0e1d03f3838ad4bd722d36b1aa3ebf6e9f6e6b37acd202000bb6c7ea','zstd',306,NULL);
INSERT INTO hookbox_event VALUES(2,2,'unknown',NULL,NULL,1795933084506,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k2"],["Content-Length","306"]]',X'28b52ffd6432009d080026d3432300e5f804c22487166d0897180a5294f699c98f78f0f57c648a2a09525d97feffff1202390039003a0061a4a3880a95b559a514662149ee5334c9ac430aa9d47b9fc7d2b85993f1a886fa4ff1d701c150fb5807b58fbc04f062f7956aa86289fe4a10165263dc206ee697927c8b48006a2afed85cb7e2056b3a236d8f659dc5e7af2139ac3b618dfcd26fd17360012938699beb3432983874aeb72f178b861987ee3b69108c979093ab76a1631c7412c93c67daa0eed9e3d5c0149663919733ba6f4e1038136de06e2c369ae91577f713e3d34dde13053500f495c2fe9eece00a67a784bd632f32257fcca5255a02e29e43c7070b8182d1574875da9e17a88950496e5d0a2fccfa88f5a38cd1780100f8a67041','zstd',306,NULL);
INSERT INTO hookbox_event VALUES(3,2,'unknown',NULL,NULL,1795933084519,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k3"],["Content-Length","306"]]',X'28b52ffd643200a508002613442300a7f8c099e7b8e97abed474984510578db465342cf1644f2e5b99283e75e9ffff5f213a003a003900d5463c1c8315b5382c62a93e54bc6bd7994d10d3814e73b94406f36b3442a7555854fd505b7014d60b6dc17a612f01cccf3349abb05ff9518b108c857b195bd706fc59e218f55e1c9dd41d75b1071f2a323349d44892446e0da8dc0c9aa64e83d811387e4ee0c4e659837b039685b7ab5429fd015ac263d0d4dacaa6ca22eb8d1015079e8ff4b5f817dca955111b2fd91c748cecfd2879786a698858660f5203e90375288233ee3475baa6dcb90936803b50ae88aa5548064f54cf1b95dca5afb8dfccf5b6c61f8c990b58e9265041f3fc4820ec93d5bf6d338b5b417c3053964b95d98374020062023dbe','zstd',306,NULL);
INSERT INTO hookbox_event VALUES(4,2,'unknown',NULL,NULL,1795933084531,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k4"],["Content-Length","306"]]',X'28b52ffd643200ad080026534423f0c6f8d8b5551a996671f5fc08bed2259e0de0125e402148bc4f1ebd9c382c0e8b0b0d3a003a00390013897370bf7615abe1f2426260a0bc6297a29b5c0ff368ebfa5d65eb4470913dd8d432a696f01cac585a82154bd004404711fdf66047734dad41dda24caf7ef1eed6109d875b54ecc91a1e7e2e13e9b844051982ddef4e1feb14f95c5d1915fc478149d1440dc9c1810ee5ef5a253469ce98fd1ebcc23cf5414452517e8ad4a154006209bf377d3707b5a7af7765327ccbc391aa8284eb63aa518c3fc8e9bcda37cf35b9e031e44e972172a4300736a0a218cb6f30637014edd356c4c4d4ceae9d08993d7037fc6c50a8e611825882e1c8177c7aa8a40b3cad43c41ff3c58c2828b66450050903005682cdd3','zstd',306,NULL);
INSERT INTO hookbox_event VALUES(5,2,'unknown',NULL,NULL,1795933084547,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k5"],["Content-Length","306"]]',X'28b52ffd643200b5080026934423f0c6f8f8779493f121bcb8e4d4850cf28244b5dbe5dd43c8c9d2cb781967e019783e1a3a003b003a00faab28cefc2dd89ad2f3133899a668a48569da2896ee1092ed3438964c8d2bdb83fd69f82dc170b05cb404cb45c909e043ee4d7bb0e1a97e6b10a0243e89c942ca65bf3404b2c9ff640e138d962c4b9419a9700ec3d75d326fa39e163eead8551b3b2fa64b25b780b08dc27ea52f863119495df101ce834360f491c58ef703ed6b647139cd3ab1cced73905abcf6da5c02d0c94cc952d22e347b8e5b3218873faa4ab580326fa580a0022fbfdab71d0776c0d91e08f164bab4ea948cb282065faf41d7ebfc6a7d377ee420496158360fbb501202df9729ac112404210f7a77ed2c15534d3a395231004fb759f3','zstd',306,NULL);
INSERT INTO hookbox_event VALUES(6,2,'unknown',NULL,NULL,1795933084559,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k6"],["Content-Length","306"]]',X'28b52ffd643200a5080026134423f0c6f8f897daa878bae910cdf734e50925c2d57df3d26d3d02dd0d2fe30c3c03cf47033a003b003900bce2587cb85eee841113bac453ea205ad229824641346e18c2532bca8121936e13f64cc1d3129e84fdbc25d8cff31f50825f49da8405bf7a5a83869b1db28b2a72476339cfe3242d2e93599d16078b025a74bf51f90b8f4c01fcaa3ee2edc4950ecd19cd160319acc5dafb980a4879931083b955012375f8da5a31456765a4608a95e7275cd69c5abbfc7234dc349fe36e439194b3527c5d92a174a1a3492af0460f5fafcea98f070bb70d406e310776a07127ada0701e3d365433998131a68c995d45d4bedf0de6f0522a74d6ce19c9843eda942e3cff4b29b72d694f0db3c8f47cb9510d1100566286a1','zstd',306,NULL);
INSERT INTO hookbox_event VALUES(7,NULL,'order.made',NULL,'once',1795933084597,'application/json',NULL,NULL,1,NULL,'[]',X'7b226e223a377d',NULL,7,NULL);
INSERT INTO hookbox_event VALUES(8,NULL,'raw.bytes',NULL,NULL,1795933084615,'application/octet-stream',NULL,NULL,0,NULL,'[]',X'780079',NULL,3,NULL);
INSERT INTO hookbox_event VALUES(9,NULL,'order.big',NULL,NULL,1795933084634,'application/json',NULL,NULL,0,NULL,'[]',X'28b52ffd64204d4d000010616101001bce0eb0cc5294e4','zstd',20000,NULL);
INSERT INTO hookbox_event VALUES(10,2,'unknown',NULL,NULL,1795933087732,'application/json',NULL,NULL,1,NULL,'[["Host","127.0.0.1:9420"],["User-Agent","curl/7.88.1"],["Accept","*/*"],["Content-Type","application/json"],["Idempotency-Key","k1"],["Content-Length","306"]]',X'7b22656469746564223a317d0a',NULL,13,1);
CREATE TABLE hookbox_recent_key (
    event_id integer primary key,
    hash     integer not null
) strict;
INSERT INTO hookbox_recent_key VALUES(7,-2638136474855376973);
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
    -- Why no event could be made of it: it waits until that is mended.
    problem      text,
    -- Tells it from another row that has its id since it was deleted.
    mark         blob    not null default (randomblob(8))
) strict;
INSERT INTO hookbox_outbox_row VALUES(1,'app.waits','{"w":1}',NULL,NULL,NULL,NULL,1795933089797,NULL,X'31efa99c232c44fd');
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
INSERT INTO hookbox_replay VALUES(1,'replay','done','command line',1795933086715,1795933086859,'{"state":"dead","endpoint":"bad"}',NULL,0,NULL,2,29,29,2);
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
    mended_by   integer references hookbox_delivery (id),
    check (mended_by is null or state in ('dead', 'cancelled')),
    check ((state = 'pending') = (due_ms is not null)),
    check ((state = 'pending') = (settled_ms is null)),
    check (state not in ('dead', 'cancelled') or reason is not null)
) strict;
INSERT INTO hookbox_delivery VALUES(1,1,1,'delivered',1795933084488,NULL,1795933084501,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(2,1,3,'pending',1795933084488,1795933084488,NULL,0,1,'cannot connect: Connection refused',NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(3,1,4,'delivered',1795933084488,NULL,1795933084503,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(4,2,1,'delivered',1795933084506,NULL,1795933084554,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(5,2,3,'pending',1795933084506,1795933084506,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(6,2,4,'delivered',1795933084506,NULL,1795933084554,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(7,3,1,'delivered',1795933084519,NULL,1795933084525,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(8,3,3,'pending',1795933084519,1795933084519,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(9,3,4,'delivered',1795933084519,NULL,1795933084525,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(10,4,1,'delivered',1795933084531,NULL,1795933084582,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(11,4,3,'pending',1795933084531,1795933084531,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(12,4,4,'delivered',1795933084531,NULL,1795933084654,2,2,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(13,5,1,'delivered',1795933084547,NULL,1795933084552,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(14,5,3,'pending',1795933084547,1795933084547,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(15,5,4,'delivered',1795933084547,NULL,1795933084656,3,3,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(16,6,1,'delivered',1795933084559,NULL,1795933084606,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(17,6,3,'pending',1795933084559,1795933084559,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(18,6,4,'delivered',1795933084559,NULL,1795933084786,3,3,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(19,7,1,'delivered',1795933084597,NULL,1795933085714,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(20,7,2,'dead',1795933084597,NULL,1795933084762,3,3,'gave up after 3 tries; the last: 500 Internal Server Error',NULL,NULL,NULL,0,30);
INSERT INTO hookbox_delivery VALUES(21,7,3,'pending',1795933084597,1795933084597,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(22,7,4,'delivered',1795933084597,NULL,1795933084788,3,3,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(23,8,1,'delivered',1795933084615,NULL,1795933085715,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(24,8,3,'pending',1795933084615,1795933084615,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(25,8,4,'delivered',1795933084615,NULL,1795933084744,2,2,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(26,9,1,'delivered',1795933084634,NULL,1795933085715,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(27,9,2,'dead',1795933084634,NULL,1795933084858,3,3,'gave up after 3 tries; the last: 500 Internal Server Error',NULL,NULL,NULL,0,31);
INSERT INTO hookbox_delivery VALUES(28,9,3,'pending',1795933084634,1795933084634,NULL,0,0,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(29,9,4,'delivered',1795933084634,NULL,1795933084742,1,1,NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO hookbox_delivery VALUES(30,7,2,'delivered',1795933086732,NULL,1795933086738,1,1,NULL,20,NULL,1,0,NULL);
INSERT INTO hookbox_delivery VALUES(31,9,2,'delivered',1795933086732,NULL,1795933086782,1,1,NULL,27,NULL,1,0,NULL);
INSERT INTO hookbox_delivery VALUES(32,10,1,'delivered',1795933087732,NULL,1795933087774,1,1,NULL,1,NULL,NULL,0,NULL);
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
INSERT INTO hookbox_attempt VALUES(1025,1,1,1795933084496,0,122,2123,2148,4394,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_1"],["webhook-timestamp","1795933084"],["webhook-signature","v1,BbGWRqN6OmDItXzTbT26XzDTgX0hXFhsBC1JEFB23zU="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(2049,2,1,1795933084499,0,103,182,20,306,'unreachable',NULL,'cannot connect: Connection refused','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_1"],["webhook-timestamp","1795933084"]]','[]',X'',0);
INSERT INTO hookbox_attempt VALUES(3073,3,1,1795933084500,0,840,1646,52,2539,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_1"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(4097,4,1,1795933084509,0,0,1298,43483,44781,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_2"],["webhook-timestamp","1795933084"],["webhook-signature","v1,WB80fOmDLfCxmtdSn29WYSA7yQ39HgnryMd089kc2cU="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(6145,6,1,1795933084510,0,0,1855,42016,43872,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_2"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(7169,7,1,1795933084522,0,1209,1332,43,2585,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_3"],["webhook-timestamp","1795933084"],["webhook-signature","v1,fEKRvSrX4c6dZBgqE+Mi+qFQbOE/VgFKlg7RjyOY2dw="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(9217,9,1,1795933084524,0,82,780,52,915,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_3"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(10241,10,1,1795933084537,0,0,1817,42871,44689,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_4"],["webhook-timestamp","1795933084"],["webhook-signature","v1,jzMnM1vhl6A7D/txVY0wbp9JnZD2e/OpcQoUXZBU4Oo="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(12289,12,1,1795933084538,0,0,2157,41841,43998,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_4"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(12290,12,2,1795933084610,0,0,889,42600,43490,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_4"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(13313,13,1,1795933084549,0,80,3132,16,3228,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_5"],["webhook-timestamp","1795933084"],["webhook-signature","v1,Scpdi5ygwxghSfRGFslU6B5SFXn3HCplGwO2Qt9VAA4="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(15361,15,1,1795933084549,0,70,3145,49,3265,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_5"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(15362,15,2,1795933084562,0,0,1708,45921,47630,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_5"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(15363,15,3,1795933084655,0,0,1236,113,1350,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_5"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(16385,16,1,1795933084563,0,0,741,41968,42710,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_6"],["webhook-timestamp","1795933084"],["webhook-signature","v1,sU0WVQqobsZzV2TNleqniBoDGVgCGFCm8umgglZr5gA="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(18433,18,1,1795933084584,0,0,841,40521,41362,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_6"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(18434,18,2,1795933084699,0,0,862,45,907,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_6"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(18435,18,3,1795933084745,0,0,731,40652,41383,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_6"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(19457,19,1,1795933085710,0,0,3298,83,3381,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933085"],["webhook-signature","v1,Dn38XBM4cm5BaaM8IpmlkI89DCq3YX7dbsuec+r2WBg="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:05 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(20481,20,1,1795933084617,0,114,2354,62,2531,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(20482,20,2,1795933084630,0,0,3387,40016,43403,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(20483,20,3,1795933084719,0,0,780,42419,43199,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(22529,22,1,1795933084655,0,0,1207,41603,42810,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(22530,22,2,1795933084744,0,0,651,324,976,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(22531,22,3,1795933084787,0,0,924,41,965,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(23553,23,1,1795933085710,0,0,3180,122,3303,'delivered',200,NULL,'[["Content-Type","application/octet-stream"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","raw.bytes"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_8"],["webhook-timestamp","1795933085"],["webhook-signature","v1,3DnO5huLsNvrsMOv8/06XM/OldmCm0ibCBqHRMQShi8="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:05 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(25601,25,1,1795933084657,0,0,518,40452,40971,'refused',500,'500 Internal Server Error','[["Content-Type","application/octet-stream"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","raw.bytes"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_8"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(25602,25,2,1795933084743,0,0,840,42,883,'delivered',200,NULL,'[["Content-Type","application/octet-stream"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","raw.bytes"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_8"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(26625,26,1,1795933085711,0,0,1873,113,1987,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.big"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_9"],["webhook-timestamp","1795933085"],["webhook-signature","v1,ctyPhFO0wNu0khWPckyUwLMMtAN/y934gSSphMCfzs0="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:05 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(27649,27,1,1795933084675,0,0,863,42315,43179,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.big"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_9"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(27650,27,2,1795933084763,0,0,969,41970,42940,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.big"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_9"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(27651,27,3,1795933084813,0,0,1048,43767,44816,'refused',500,'500 Internal Server Error','[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.big"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_9"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","13"]]',X'62726f6b656e20696e73696465',0);
INSERT INTO hookbox_attempt VALUES(29697,29,1,1795933084700,0,0,637,41003,41640,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.big"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_9"],["webhook-timestamp","1795933084"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:04 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(30721,30,1,1795933086737,0,0,937,42,980,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.made"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_7"],["webhook-timestamp","1795933086"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:06 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(31745,31,1,1795933086739,0,0,628,42362,42990,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","order.big"],["Hookbox-Path","514e1d9203/-"],["webhook-id","evt_514e1d9203_9"],["webhook-timestamp","1795933086"]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:06 GMT"],["content-length","2"]]',X'6f6b',0);
INSERT INTO hookbox_attempt VALUES(32769,32,1,1795933087772,0,0,935,197,1133,'delivered',200,NULL,'[["Content-Type","application/json"],["User-Agent","hookbox/0.1.0"],["X-Hookbox-Type","unknown"],["Hookbox-Path","514e1d9203/open"],["webhook-id","evt_514e1d9203_10"],["webhook-timestamp","1795933087"],["webhook-signature","v1,2lUF7SyFAsVJYMkyHp+ozix1NoIrE+O/esZ+gMWFUlc="]]','[["server","BaseHTTP/0.6 Python/3.11.7"],["date","Sun, 29 Nov 2026 06:18:07 GMT"],["content-length","2"]]',X'6f6b',0);
CREATE TABLE hookbox_recent_attempt (
    id         integer primary key,
    attempt_id integer not null
) strict;
INSERT INTO hookbox_recent_attempt VALUES(1,2049);
INSERT INTO hookbox_recent_attempt VALUES(2,1025);
INSERT INTO hookbox_recent_attempt VALUES(3,3073);
INSERT INTO hookbox_recent_attempt VALUES(4,7169);
INSERT INTO hookbox_recent_attempt VALUES(5,9217);
INSERT INTO hookbox_recent_attempt VALUES(6,15361);
INSERT INTO hookbox_recent_attempt VALUES(7,13313);
INSERT INTO hookbox_recent_attempt VALUES(8,6145);
INSERT INTO hookbox_recent_attempt VALUES(9,4097);
INSERT INTO hookbox_recent_attempt VALUES(10,12289);
INSERT INTO hookbox_recent_attempt VALUES(11,10241);
INSERT INTO hookbox_recent_attempt VALUES(12,16385);
INSERT INTO hookbox_recent_attempt VALUES(13,15362);
INSERT INTO hookbox_recent_attempt VALUES(14,20481);
INSERT INTO hookbox_recent_attempt VALUES(15,18433);
INSERT INTO hookbox_recent_attempt VALUES(16,12290);
INSERT INTO hookbox_recent_attempt VALUES(17,15363);
INSERT INTO hookbox_recent_attempt VALUES(18,20482);
INSERT INTO hookbox_recent_attempt VALUES(19,25601);
INSERT INTO hookbox_recent_attempt VALUES(20,22529);
INSERT INTO hookbox_recent_attempt VALUES(21,18434);
INSERT INTO hookbox_recent_attempt VALUES(22,27649);
INSERT INTO hookbox_recent_attempt VALUES(23,29697);
INSERT INTO hookbox_recent_attempt VALUES(24,25602);
INSERT INTO hookbox_recent_attempt VALUES(25,22530);
INSERT INTO hookbox_recent_attempt VALUES(26,20483);
INSERT INTO hookbox_recent_attempt VALUES(27,18435);
INSERT INTO hookbox_recent_attempt VALUES(28,22531);
INSERT INTO hookbox_recent_attempt VALUES(29,27650);
INSERT INTO hookbox_recent_attempt VALUES(30,27651);
INSERT INTO hookbox_recent_attempt VALUES(31,19457);
INSERT INTO hookbox_recent_attempt VALUES(32,23553);
INSERT INTO hookbox_recent_attempt VALUES(33,26625);
INSERT INTO hookbox_recent_attempt VALUES(34,30721);
INSERT INTO hookbox_recent_attempt VALUES(35,31745);
INSERT INTO hookbox_recent_attempt VALUES(36,32769);
CREATE TABLE hookbox_outage (
    id            integer primary key,
    endpoint_id   integer not null references hookbox_endpoint (id),
    since_ms      integer not null,
    last_probe_ms integer not null,
    probes        integer not null check (probes > 0),
    error         text    not null,
    ended_ms      integer
) strict;
INSERT INTO hookbox_outage VALUES(1,3,1795933084500,1795933087161,3,'cannot connect: Connection refused',NULL);
CREATE TABLE hookbox_answer (
    id      integer primary key,
    key     text    not null unique,
    -- A hash of the request, to tell another one with the same key.
    request text    not null,
    status  integer not null,
    body    blob    not null,
    made_ms integer not null
) strict;
INSERT INTO hookbox_answer VALUES(1,'a1','a244b7f1ae6a77efd9cca9a1831997600b64a64eb3ddf82efeeaa41510787d21',200,X'7b226e616d65223a226369222c2275726c223a22687474703a2f2f3132372e302e302e313a393438302f6f6b222c22666f726d6174223a22726177222c22636f6e74656e745f74797065223a6e756c6c2c227369676e223a227374616e64617264222c226861735f736563726574223a747275652c227369676e6174757265223a6e756c6c2c226f6c645f736563726574735f656e645f6174223a5b5d2c22636f6e6e656374696f6e223a7b226d6574686f64223a22504f5354222c2268656164657273223a5b5d2c2261757468223a6e756c6c2c22636f6e6e6563745f74696d656f7574223a6e756c6c2c226361223a6e756c6c2c22636c69656e745f63657274223a66616c73652c2270726f7879223a6e756c6c2c22657870656374223a6e756c6c2c22666f72776172645f68656164657273223a6e756c6c7d2c227479706573223a6e756c6c2c22736f7572636573223a6e756c6c2c226272616e63686573223a6e756c6c2c227768656e223a6e756c6c2c227768656e5f6572726f7273223a302c2272617465223a6e756c6c2c22636f6e63757272656e6379223a382c226f726465726564223a66616c73652c226f6e6c795f7265706c617973223a66616c73652c227265747279223a2235732c356d2c33306d2c32682c35682c3130682c3134682c3230682c3164222c2274726965735f6d6178223a31302c2270726f62655f6d6178223a22316d222c2274696d656f7574223a22313573222c2277696e646f77223a6e756c6c2c22657870697265223a6e756c6c2c226578706972655f6f66666c696e65223a66616c73652c2268656c64223a747275652c2268656c645f73696e6365223a22323032362d31312d32395430363a31383a30342e3538305a222c2268656c645f726561736f6e223a2268656c642062792068616e64222c2263697263756974223a22636c6f736564222c226f7574616765223a6e756c6c2c22686f757273223a5b7b22686f7572223a22323032362d31312d32395430363a30303a30302e3030305a222c2264656c697665726564223a342c2272656675736564223a307d5d2c227265667573696e675f666f72223a6e756c6c2c2270616365645f756e74696c223a6e756c6c2c22646f75627473223a5b5d2c2270656e64696e67223a322c2264656c697665726564223a342c2264656164223a302c226d656e646564223a302c2263616e63656c6c6564223a302c226f6c646573745f6475655f6174223a22323032362d31312d32395430363a31383a30342e3533315a227d0a',1795933084579);
CREATE INDEX hookbox_old_secret_owner
    on hookbox_old_secret (of, owner_id);
CREATE UNIQUE INDEX hookbox_source_name
    on hookbox_source (name);
CREATE UNIQUE INDEX hookbox_endpoint_name
    on hookbox_endpoint (name);
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
    on hookbox_delivery (state) where state in ('dead', 'cancelled') and mended_by is null;
CREATE INDEX hookbox_delivery_mended
    on hookbox_delivery (id) where mended_by is not null;
CREATE INDEX hookbox_delivery_mended_by
    on hookbox_delivery (mended_by) where mended_by is not null;
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
