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
