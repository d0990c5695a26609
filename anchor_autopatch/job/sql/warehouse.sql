-- Statements about the warehouse file itself.

-- name: create_file
-- Makes a new file that every DuckDB from 1.5 on can read.
ATTACH $path AS made (STORAGE_VERSION 'v1.5.0');

-- name: session_time_zone
-- Every instant is UTC; a session elsewhere once moved all groups while the total looked right.
SET TimeZone = 'UTC';

-- name: attach_report
-- Makes the file that the report is built in.
ATTACH $path AS report (STORAGE_VERSION 'v1.5.0');

-- name: detach_report
-- Ends the report file, checkpointed.
DETACH report;

-- name: last_booked
-- The latest instant, UTC, that a run of the job dated rows with which later runs begin; NULL = there was none.
SELECT greatest(
    (SELECT max(last_shipped_at) FROM outbox),
    (SELECT max(priced_at) FROM pricing_run)
);

-- name: limit_memory
-- Work that needs more goes through files beside the warehouse.
SET memory_limit = $limit;

-- name: lift_memory_limit
-- Back to DuckDB's own limit, four fifths of the machine's memory.
RESET memory_limit;

-- name: create_schema_state
-- One row once the schema was applied: which one it was.
CREATE TABLE IF NOT EXISTS schema_state (schema_sha256 VARCHAR NOT NULL);

-- name: schema_state
-- Digest of the schema that the file has.
SELECT schema_sha256 FROM schema_state;

-- name: forget_schema_state
-- Makes room for the digest of the new schema.
DELETE FROM schema_state;

-- name: note_schema_state
-- Notes which schema the file has.
INSERT INTO schema_state (schema_sha256) VALUES ($digest);

-- name: table_columns
-- Every column of the file's own tables, in order.
SELECT
    columns.table_name,
    columns.column_name,
    columns.data_type
FROM duckdb_columns() AS columns
JOIN duckdb_tables() AS tables USING (database_oid, table_oid)
WHERE NOT tables.temporary
    AND tables.database_name = current_database()
ORDER BY columns.table_name, columns.column_index;

-- name: rename_table
-- Puts an outdated table aside.
ALTER TABLE {table} RENAME TO {before};

-- name: copy_rows
-- Moves the rows over, column by column of the same name.
INSERT INTO {table} BY NAME
SELECT {columns}
FROM {before};

-- name: drop_table
-- The outdated table, once its rows are moved.
DROP TABLE {table};
