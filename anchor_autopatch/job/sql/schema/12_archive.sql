-- What left the warehouse for files of its own, and what retention took away. Instants are UTC TIMESTAMP, days are
-- UTC days of the request, half open.

CREATE TABLE IF NOT EXISTS archive_file (
    relation VARCHAR NOT NULL,
    day DATE NOT NULL,
    part INTEGER NOT NULL,
    path VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    file_sha256 VARCHAR NOT NULL,
    archived_at TIMESTAMP NOT NULL,
    removed_at TIMESTAMP
);
COMMENT ON TABLE archive_file IS 'One Parquet file of the archive, as it was written; never written to again';
COMMENT ON COLUMN archive_file.relation IS 'receipts | exception_events | receipt_details: receipts as they were shipped, and as they were last known, with their costs';
COMMENT ON COLUMN archive_file.day IS 'UTC day of the requests in it';
COMMENT ON COLUMN archive_file.part IS 'From 1 in each relation and day; rows that came late have a further part';
COMMENT ON COLUMN archive_file.path IS 'Relative to ANCHOR_HOME';
COMMENT ON COLUMN archive_file.row_count IS 'Rows in it';
COMMENT ON COLUMN archive_file.byte_count IS 'Size in bytes';
COMMENT ON COLUMN archive_file.file_sha256 IS 'SHA-256 (hex) of the whole file';
COMMENT ON COLUMN archive_file.archived_at IS 'UTC';
COMMENT ON COLUMN archive_file.removed_at IS 'When retention removed it, UTC; NULL = it is there';

CREATE TABLE IF NOT EXISTS purged_row (
    relation VARCHAR NOT NULL,
    row_id VARCHAR NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    outbox_id VARCHAR NOT NULL,
    writer_seq BIGINT NOT NULL,
    purged_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE purged_row IS 'A row that retention took out of the warehouse: just enough to know a copy of it again, and to count it';
COMMENT ON COLUMN purged_row.relation IS 'receipts | exception_events';
COMMENT ON COLUMN purged_row.row_id IS 'Its receipt_id or event_id';
COMMENT ON COLUMN purged_row.occurred_at IS 'Start of the request, UTC; a copy has the same, which keeps the search for it short';
COMMENT ON COLUMN purged_row.outbox_id IS 'Outbox file that it came from';
COMMENT ON COLUMN purged_row.writer_seq IS 'Its number in that outbox';
COMMENT ON COLUMN purged_row.purged_at IS 'UTC';
