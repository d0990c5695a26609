-- Statements that run in an outbox file (SQLite), beside the two of core/outbox_format.

-- name: begin_snapshot
-- Both tables must be seen at one instant, or a row committed in between looks like a gap.
BEGIN;

-- name: check_cells
-- A damaged page is reported as damage instead of being read as far as it goes.
PRAGMA cell_size_check = ON;

-- name: distrust_schema
-- A file made by somebody else must not run functions of this process.
PRAGMA trusted_schema = OFF;

-- name: schema_size
-- Tables and indexes of the file; 0 when nothing was ever committed to it.
SELECT count(*) FROM sqlite_schema;

-- name: meta
-- What the writer said about itself.
SELECT
    key,
    value
FROM meta;

-- name: columns
-- Columns of a table, in order; none when there is no such table.
SELECT name
FROM pragma_table_info($table)
ORDER BY cid;

-- name: last_seq
-- Highest number of the writer; 0 when it wrote nothing yet.
SELECT max(
    coalesce((SELECT max(seq) FROM receipt), 0),
    coalesce((SELECT max(seq) FROM exception_event), 0)
);

-- name: crc_at
-- Checksum of the row with this number, from whichever table has it.
SELECT crc FROM receipt WHERE seq = $seq
UNION ALL
SELECT crc FROM exception_event WHERE seq = $seq;
