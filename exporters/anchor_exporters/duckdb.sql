-- Statements of the DuckDB destination; the tables are those of the warehouse schema.
-- Every batch passes through two temporary tables, so that the anti-join sees it as a set.

-- name: create_receipt_stage
-- One batch of receipts as they lie in the outbox.
CREATE OR REPLACE TEMP TABLE receipt_stage (
    seq BIGINT,
    receipt_id VARCHAR,
    occurred_at_us BIGINT,
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
    call_site VARCHAR,
    labels VARCHAR,
    attribution_source VARCHAR,
    provider VARCHAR,
    provider_host VARCHAR,
    api_key_id VARCHAR,
    sdk VARCHAR,
    operation VARCHAR,
    request_model VARCHAR,
    response_model VARCHAR,
    response_id VARCHAR,
    provider_request_id VARCHAR,
    outcome VARCHAR,
    http_status BIGINT,
    stream BIGINT,
    attempts BIGINT,
    usage_source VARCHAR,
    usage_shape VARCHAR,
    raw_usage VARCHAR,
    price_facts VARCHAR,
    billable BIGINT,
    parent_receipt_id VARCHAR,
    crc BIGINT
);

-- name: create_event_stage
-- One batch of exception events as they lie in the outbox.
CREATE OR REPLACE TEMP TABLE event_stage (
    seq BIGINT,
    event_id VARCHAR,
    occurred_at_us BIGINT,
    event_class VARCHAR,
    provider VARCHAR,
    dependency VARCHAR,
    http_status BIGINT,
    code VARCHAR,
    exception_type VARCHAR,
    message VARCHAR,
    sdk VARCHAR,
    operation VARCHAR,
    request_model VARCHAR,
    attempts BIGINT,
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
    call_site VARCHAR,
    labels VARCHAR,
    attribution_source VARCHAR,
    crc BIGINT
);

-- name: insert_receipts
-- Adds the staged receipts that the warehouse has not; a copy has the same instant, so $first_us to $last_us is enough.
INSERT INTO receipt BY NAME
SELECT
    stage.receipt_id,
    make_timestamp(stage.occurred_at_us) AS occurred_at,
    stage.duration_us,
    stage.team,
    stage.service,
    stage.feature,
    stage.environment,
    stage.region,
    stage.cost_center,
    stage.user_id,
    stage.request_id,
    stage.trace_id,
    stage.call_site,
    stage.labels,
    stage.attribution_source,
    stage.provider,
    stage.provider_host,
    stage.api_key_id,
    stage.sdk,
    stage.operation,
    stage.request_model,
    stage.response_model,
    stage.response_id,
    stage.provider_request_id,
    stage.outcome,
    TRY_CAST(stage.http_status AS INTEGER) AS http_status,
    stage.stream <> 0 AS stream,
    TRY_CAST(stage.attempts AS INTEGER) AS attempts,
    stage.usage_source,
    stage.usage_shape,
    stage.raw_usage,
    stage.price_facts,
    stage.billable <> 0 AS billable,
    stage.parent_receipt_id,
    coalesce(key_account.provider_account, '') AS provider_account,
    $outbox_id AS outbox_id,
    stage.seq AS writer_seq,
    make_timestamp($now_us) AS shipped_at
FROM receipt_stage AS stage
LEFT JOIN key_account USING (api_key_id)
WHERE NOT EXISTS (
    SELECT 1
    FROM receipt AS present
    WHERE present.occurred_at BETWEEN make_timestamp($first_us) AND make_timestamp($last_us)
        AND present.receipt_id = stage.receipt_id
);

-- name: insert_events
-- Adds the staged exception events that the warehouse has not; window as for receipts.
INSERT INTO exception_event BY NAME
SELECT
    stage.event_id,
    make_timestamp(stage.occurred_at_us) AS occurred_at,
    stage.event_class,
    stage.provider,
    stage.dependency,
    TRY_CAST(stage.http_status AS INTEGER) AS http_status,
    stage.code,
    stage.exception_type,
    stage.message,
    stage.sdk,
    stage.operation,
    stage.request_model,
    TRY_CAST(stage.attempts AS INTEGER) AS attempts,
    stage.receipt_id,
    stage.team,
    stage.service,
    stage.feature,
    stage.environment,
    stage.region,
    stage.cost_center,
    stage.user_id,
    stage.request_id,
    stage.trace_id,
    stage.call_site,
    stage.labels,
    stage.attribution_source,
    $outbox_id AS outbox_id,
    stage.seq AS writer_seq,
    make_timestamp($now_us) AS shipped_at
FROM event_stage AS stage
WHERE NOT EXISTS (
    SELECT 1
    FROM exception_event AS present
    WHERE present.occurred_at BETWEEN make_timestamp($first_us) AND make_timestamp($last_us)
        AND present.event_id = stage.event_id
);

-- name: watermark
-- How far this outbox was shipped.
SELECT
    watermark,
    watermark_crc
FROM outbox
WHERE outbox_id = $outbox_id AND path = $path;

-- name: upsert_outbox
-- Notes the outbox and moves its watermark.
INSERT INTO outbox (
    outbox_id, path, host, pid, process_started_at, created_at, python_version, anchor_version, program,
    rows_dropped, opened_after, watermark, watermark_crc, state, first_shipped_at, last_shipped_at
)
VALUES (
    $outbox_id, $path, $host, $pid, make_timestamp($process_started_us), make_timestamp($created_at_us),
    $python_version, $anchor_version, $program, $rows_dropped, $opened_after, $watermark, $watermark_crc,
    'open', make_timestamp($now_us), make_timestamp($now_us)
)
ON CONFLICT (outbox_id, path) DO UPDATE SET
    watermark = excluded.watermark,
    watermark_crc = excluded.watermark_crc,
    state = 'open',
    last_shipped_at = excluded.last_shipped_at;

-- name: insert_shipment
-- The batch as one line of evidence.
INSERT INTO shipment (
    outbox_id, path, after_seq, last_seq, receipt_count, event_count, duplicate_count, corrupt_count,
    missing_count, checksum, shipped_at
)
VALUES (
    $outbox_id, $path, $after_seq, $last_seq, $receipt_count, $event_count, $duplicate_count, $corrupt_count,
    $missing_count, $checksum, make_timestamp($now_us)
);

-- name: insert_loss
-- Numbers of the writer whose rows cannot be had; the same loss is noted once.
INSERT INTO outbox_loss (outbox_id, path, first_seq, last_seq, reason, found_at)
SELECT
    $outbox_id,
    $path,
    $first_seq,
    $last_seq,
    $reason,
    make_timestamp($now_us)
WHERE NOT EXISTS (
    SELECT 1
    FROM outbox_loss
    WHERE outbox_id = $outbox_id
        AND path = $path
        AND first_seq = $first_seq
        AND last_seq = $last_seq
        AND reason = $reason
);

-- name: finish_outbox
-- Notes that the file is gone: finished or quarantined.
UPDATE outbox
SET state = $state, last_shipped_at = make_timestamp($now_us)
WHERE outbox_id = $outbox_id AND path = $path;

-- name: insert_quarantined_file
-- A file that was set aside, and why.
INSERT INTO quarantined_file (path, moved_to, reason, outbox_id, salvaged_count, found_at)
VALUES ($path, $moved_to, $reason, $outbox_id, $salvaged, make_timestamp($now_us));
