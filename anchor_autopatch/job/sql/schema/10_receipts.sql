-- What was shipped: receipts, exception events, and the evidence about the outboxes they came from.
-- Instants are UTC TIMESTAMP. No PRIMARY KEY on the two large tables: it doubles the file and needs
-- the whole index in memory; uniqueness comes from the watermark and a windowed anti-join.

CREATE TABLE IF NOT EXISTS receipt (
    receipt_id VARCHAR NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    duration_us BIGINT,
    team VARCHAR,
    service VARCHAR,
    feature VARCHAR,
    environment VARCHAR,
    region VARCHAR,
    cost_center VARCHAR,
    user_id VARCHAR,
    request_id VARCHAR,
    trace_id VARCHAR,
    span_id VARCHAR,
    call_site VARCHAR,
    labels VARCHAR,
    attribution_source VARCHAR,
    provider VARCHAR NOT NULL,
    provider_host VARCHAR,
    api_key_id VARCHAR,
    sdk VARCHAR,
    operation VARCHAR,
    request_model VARCHAR,
    response_model VARCHAR,
    response_id VARCHAR,
    provider_request_id VARCHAR,
    outcome VARCHAR,
    http_status INTEGER,
    stream BOOLEAN,
    attempts INTEGER,
    usage_source VARCHAR,
    usage_shape VARCHAR,
    raw_usage VARCHAR,
    price_facts VARCHAR,
    billable BOOLEAN NOT NULL,
    parent_receipt_id VARCHAR,
    provider_account VARCHAR NOT NULL,
    outbox_id VARCHAR NOT NULL,
    writer_seq BIGINT NOT NULL,
    shipped_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE receipt IS 'One billable or possibly billable provider call, as its process recorded it; never changed after shipping';
COMMENT ON COLUMN receipt.receipt_id IS 'Made in the calling process; unique';
COMMENT ON COLUMN receipt.occurred_at IS 'Start of the request, UTC';
COMMENT ON COLUMN receipt.duration_us IS 'Microseconds, to the end of the stream where there is one';
COMMENT ON COLUMN receipt.labels IS 'JSON object of free labels';
COMMENT ON COLUMN receipt.attribution_source IS 'JSON object: field name -> where it came from';
COMMENT ON COLUMN receipt.provider IS 'Who invoices, in the names of LiteLLM; unmapped = a host that nobody explained';
COMMENT ON COLUMN receipt.attempts IS 'HTTP requests sent for this call; NULL = not observed';
COMMENT ON COLUMN receipt.raw_usage IS 'Usage object of the provider, JSON text as on the wire; NULL = none was seen';
COMMENT ON COLUMN receipt.price_facts IS 'JSON object of what the price depends on beside usage';
COMMENT ON COLUMN receipt.billable IS 'false for a retrieval or poll of an object billed elsewhere';
COMMENT ON COLUMN receipt.provider_account IS 'Account that pays, from the key map in anchor.toml; empty = not mapped';
COMMENT ON COLUMN receipt.outbox_id IS 'Outbox file that it came from';
COMMENT ON COLUMN receipt.writer_seq IS 'Gapless counter of that outbox';
COMMENT ON COLUMN receipt.shipped_at IS 'When it entered the warehouse, UTC';

CREATE TABLE IF NOT EXISTS exception_event (
    event_id VARCHAR NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    event_class VARCHAR NOT NULL,
    provider VARCHAR,
    dependency VARCHAR,
    http_status INTEGER,
    code VARCHAR,
    exception_type VARCHAR,
    message VARCHAR,
    sdk VARCHAR,
    operation VARCHAR,
    request_model VARCHAR,
    attempts INTEGER,
    retried BOOLEAN NOT NULL DEFAULT false,
    receipt_id VARCHAR,
    team VARCHAR,
    service VARCHAR,
    feature VARCHAR,
    environment VARCHAR,
    region VARCHAR,
    cost_center VARCHAR,
    user_id VARCHAR,
    request_id VARCHAR,
    trace_id VARCHAR,
    span_id VARCHAR,
    call_site VARCHAR,
    labels VARCHAR,
    attribution_source VARCHAR,
    occurrences BIGINT NOT NULL DEFAULT 1,
    outbox_id VARCHAR NOT NULL,
    writer_seq BIGINT NOT NULL,
    shipped_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE exception_event IS 'One failure of a provider, of another dependency, or of the capture itself';
COMMENT ON COLUMN exception_event.occurred_at IS 'UTC';
COMMENT ON COLUMN exception_event.event_class IS 'Class of the failure; internal = a fault of the capture itself';
COMMENT ON COLUMN exception_event.dependency IS 'host[:port] of what failed';
COMMENT ON COLUMN exception_event.message IS 'Scrubbed of secrets, at most 512 characters';
COMMENT ON COLUMN exception_event.attempts IS 'Number of the HTTP request that failed, from 1 in each call; NULL = not observed';
COMMENT ON COLUMN exception_event.retried IS 'true: the SDK sent the request again by itself; false: the call ended so';
COMMENT ON COLUMN exception_event.receipt_id IS 'Receipt of the same call, where this very request may have been billed';
COMMENT ON COLUMN exception_event.occurrences IS 'Failures that the row stands for: 1, and more of those that followed alike in a storm';
COMMENT ON COLUMN exception_event.outbox_id IS 'Outbox file that it came from';
COMMENT ON COLUMN exception_event.writer_seq IS 'Gapless counter of that outbox, shared with receipts';
COMMENT ON COLUMN exception_event.shipped_at IS 'When it entered the warehouse, UTC';

CREATE TABLE IF NOT EXISTS outbox (
    outbox_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    home VARCHAR,
    host VARCHAR,
    pid BIGINT,
    process_started_at TIMESTAMP,
    created_at TIMESTAMP,
    python_version VARCHAR,
    anchor_version VARCHAR,
    program VARCHAR,
    rows_dropped BIGINT NOT NULL,
    opened_after VARCHAR,
    watermark BIGINT NOT NULL,
    watermark_crc BIGINT,
    state VARCHAR NOT NULL,
    first_shipped_at TIMESTAMP NOT NULL,
    last_shipped_at TIMESTAMP NOT NULL,
    PRIMARY KEY (outbox_id, path)
);
COMMENT ON TABLE outbox IS 'One outbox file of one process, and how far it was shipped';
COMMENT ON COLUMN outbox.path IS 'Part of the key: two clones of a file may go on with different rows';
COMMENT ON COLUMN outbox.home IS 'ANCHOR_HOME of the process; elsewhere than path when it could not write there';
COMMENT ON COLUMN outbox.process_started_at IS 'UTC';
COMMENT ON COLUMN outbox.created_at IS 'UTC, clock of the writer';
COMMENT ON COLUMN outbox.program IS 'argv[0] of the process';
COMMENT ON COLUMN outbox.rows_dropped IS 'Rows that the process lost from memory before it could open this file';
COMMENT ON COLUMN outbox.opened_after IS 'Write error that made the process open this file; NULL = none';
COMMENT ON COLUMN outbox.watermark_crc IS 'Checksum of the row at the watermark; another row there = restored or cloned file';
COMMENT ON COLUMN outbox.watermark IS 'Highest writer_seq that is in the warehouse or known to be lost';
COMMENT ON COLUMN outbox.state IS 'open (its process lives) | finished (all shipped, file removed) | quarantined (file set aside)';
COMMENT ON COLUMN outbox.first_shipped_at IS 'UTC';
COMMENT ON COLUMN outbox.last_shipped_at IS 'UTC';

CREATE TABLE IF NOT EXISTS shipment (
    outbox_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    after_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    receipt_count BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    duplicate_count BIGINT NOT NULL,
    corrupt_count BIGINT NOT NULL,
    missing_count BIGINT NOT NULL,
    checksum VARCHAR NOT NULL,
    row_format VARCHAR NOT NULL DEFAULT '',
    shipped_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE shipment IS 'One batch moved from an outbox into the warehouse, committed with its rows';
COMMENT ON COLUMN shipment.path IS 'Outbox file; with outbox_id the key of outbox';
COMMENT ON COLUMN shipment.after_seq IS 'Watermark before; the batch is (after_seq, last_seq]';
COMMENT ON COLUMN shipment.last_seq IS 'Watermark after';
COMMENT ON COLUMN shipment.receipt_count IS 'Receipts inserted';
COMMENT ON COLUMN shipment.event_count IS 'Exception events inserted';
COMMENT ON COLUMN shipment.duplicate_count IS 'Rows that the warehouse had already, from a clone or a restored file; not inserted';
COMMENT ON COLUMN shipment.corrupt_count IS 'Rows whose checksum does not match or that are no valid record; not inserted';
COMMENT ON COLUMN shipment.missing_count IS 'Numbers of the writer that no row carries';
COMMENT ON COLUMN shipment.checksum IS 'SHA-256 (hex) over the row checksums of the batch in writer order';
COMMENT ON COLUMN shipment.row_format IS 'Which columns the checksums cover: CRC-32 (hex) over their names; empty = not noted';
COMMENT ON COLUMN shipment.shipped_at IS 'UTC';

CREATE TABLE IF NOT EXISTS outbox_loss (
    outbox_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    found_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE outbox_loss IS 'Rows that a writer numbered and the warehouse could not take';
COMMENT ON COLUMN outbox_loss.path IS 'Outbox file; with outbox_id the key of outbox';
COMMENT ON COLUMN outbox_loss.first_seq IS 'First lost number, inclusive';
COMMENT ON COLUMN outbox_loss.last_seq IS 'Last lost number, inclusive';
COMMENT ON COLUMN outbox_loss.reason IS 'missing (no row) | corrupt (checksum does not match) | refused (no valid record)';
COMMENT ON COLUMN outbox_loss.found_at IS 'UTC';

CREATE TABLE IF NOT EXISTS quarantined_file (
    path VARCHAR NOT NULL,
    moved_to VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    outbox_id VARCHAR,
    salvaged_count BIGINT NOT NULL,
    found_at TIMESTAMP NOT NULL,
    removed_at TIMESTAMP
);
COMMENT ON TABLE quarantined_file IS 'A file of the outbox folder that is damaged or foreign and was set aside';
COMMENT ON COLUMN quarantined_file.moved_to IS 'Where the file is now';
COMMENT ON COLUMN quarantined_file.outbox_id IS 'NULL = the file could not even say which outbox it is';
COMMENT ON COLUMN quarantined_file.salvaged_count IS 'Rows that were read from it all the same';
COMMENT ON COLUMN quarantined_file.found_at IS 'UTC';
COMMENT ON COLUMN quarantined_file.removed_at IS 'When retention removed it, UTC; NULL = it is there';

CREATE TABLE IF NOT EXISTS key_account (
    api_key_id VARCHAR NOT NULL,
    provider_account VARCHAR NOT NULL,
    PRIMARY KEY (api_key_id)
);
COMMENT ON TABLE key_account IS 'Key map of anchor.toml as of the last run: which account pays for a key';
COMMENT ON COLUMN key_account.api_key_id IS 'Salted fingerprint of the key, never the key';
COMMENT ON COLUMN key_account.provider_account IS 'Name of the account on the invoices';
