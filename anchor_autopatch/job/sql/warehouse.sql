-- Statements about the warehouse file itself.

-- name: create_file
-- Makes a new file that DuckDB 1.5 can read too; $path is replaced by the quoted path, ATTACH takes no parameters.
ATTACH '$path' AS made (STORAGE_VERSION 'v1.5.0');

-- name: session_time_zone
-- Every instant is UTC; a session elsewhere once moved all groups while the total looked right.
SET TimeZone = 'UTC';
