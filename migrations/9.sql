-- From schema 8 to 9. Runs in one transaction, with foreign keys off, as every step does; the program sets
-- the version behind it. A step is never changed once a file may have gone through it: what a table is now
-- stands in schema.sql.

-- Tables and columns get the words that JSON and the command line have.
alter table hookbox_refusal rename to hookbox_rejected_request;
alter table hookbox_refusing rename to hookbox_failing_endpoint;
alter table hookbox_endpoint rename column nudges to manual_retry_seq;
alter table hookbox_delivery rename column mended_by to superseded_by;

drop index hookbox_delivery_mended;
create index hookbox_delivery_superseded
    on hookbox_delivery (id) where superseded_by is not null;
drop index hookbox_delivery_mended_by;
create index hookbox_delivery_superseded_by
    on hookbox_delivery (superseded_by) where superseded_by is not null;

update hookbox_tally set what = 'superseded' where what = 'mended';
