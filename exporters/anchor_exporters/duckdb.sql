-- Statements of the DuckDB destination; the tables are those of the warehouse schema.
-- Batches pass through temporary tables, so that rows of many outboxes are treated as one set.

-- name: create_batch_stage
-- The batches that are written together, one row each; first_ and end_ are places in the two stages below.
CREATE OR REPLACE TEMP TABLE batch_stage (
    batch_no INTEGER,
    outbox_id VARCHAR,
    path VARCHAR,
    home VARCHAR,
    host VARCHAR,
    pid BIGINT,
    process_started_us BIGINT,
    created_at_us BIGINT,
    python_version VARCHAR,
    anchor_version VARCHAR,
    program VARCHAR,
    rows_dropped BIGINT,
    opened_after VARCHAR,
    after_seq BIGINT,
    last_seq BIGINT,
    last_crc BIGINT,
    row_count BIGINT,
    corrupt_count BIGINT,
    missing_count BIGINT,
    checksum VARCHAR,
    first_receipt BIGINT,
    end_receipt BIGINT,
    first_event BIGINT,
    end_event BIGINT
);

-- name: create_loss_stage
-- The losses of those batches.
CREATE OR REPLACE TEMP TABLE loss_stage (
    batch_no INTEGER,
    first_seq BIGINT,
    last_seq BIGINT,
    reason VARCHAR
);

-- name: create_receipt_stage
-- Receipts as they lie in their outbox.
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
    span_id VARCHAR,
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
-- Exception events as they lie in their outbox.
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
    retried BIGINT,
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
    occurrences BIGINT,
    crc BIGINT
);

-- name: place_batches
-- Turns places counted from 0 into row ids: those of rows that are not committed yet begin elsewhere.
UPDATE batch_stage
SET
    first_receipt = first_receipt + coalesce((SELECT min(rowid) FROM receipt_stage), 0),
    end_receipt = end_receipt + coalesce((SELECT min(rowid) FROM receipt_stage), 0),
    first_event = first_event + coalesce((SELECT min(rowid) FROM event_stage), 0),
    end_event = end_event + coalesce((SELECT min(rowid) FROM event_stage), 0);

-- name: drop_known_receipts
-- Takes out what the warehouse has or had; a copy has the same instant, so $first_us to $last_us is enough.
DELETE FROM receipt_stage
WHERE receipt_id IN (
    SELECT receipt_id
    FROM receipt
    WHERE occurred_at BETWEEN make_timestamp($first_us) AND make_timestamp($last_us)
    UNION ALL
    SELECT row_id
    FROM purged_row
    WHERE occurred_at BETWEEN make_timestamp($first_us) AND make_timestamp($last_us)
        AND relation = 'receipts'
);

-- name: drop_known_events
-- Takes out what the warehouse has or had; window as for receipts.
DELETE FROM event_stage
WHERE event_id IN (
    SELECT event_id
    FROM exception_event
    WHERE occurred_at BETWEEN make_timestamp($first_us) AND make_timestamp($last_us)
    UNION ALL
    SELECT row_id
    FROM purged_row
    WHERE occurred_at BETWEEN make_timestamp($first_us) AND make_timestamp($last_us)
        AND relation = 'exception_events'
);

-- name: insert_receipts
-- Adds the staged receipts.
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
    stage.span_id,
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
    batch_stage.outbox_id,
    stage.seq AS writer_seq,
    make_timestamp($now_us) AS shipped_at
FROM receipt_stage AS stage
JOIN batch_stage
    ON stage.rowid >= batch_stage.first_receipt
    AND stage.rowid < batch_stage.end_receipt
LEFT JOIN key_account USING (api_key_id);

-- name: insert_events
-- Adds the staged exception events.
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
    stage.retried <> 0 AS retried,
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
    stage.span_id,
    stage.call_site,
    stage.labels,
    stage.attribution_source,
    stage.occurrences,
    batch_stage.outbox_id,
    stage.seq AS writer_seq,
    make_timestamp($now_us) AS shipped_at
FROM event_stage AS stage
JOIN batch_stage
    ON stage.rowid >= batch_stage.first_event
    AND stage.rowid < batch_stage.end_event;

-- name: written
-- What is left of each batch: the rows that the warehouse did not have.
WITH receipts AS (
    SELECT
        batch_stage.batch_no,
        count(stage.rowid) AS row_count
    FROM batch_stage
    LEFT JOIN receipt_stage AS stage
        ON stage.rowid >= batch_stage.first_receipt
        AND stage.rowid < batch_stage.end_receipt
    GROUP BY batch_stage.batch_no
),
events AS (
    SELECT
        batch_stage.batch_no,
        count(stage.rowid) AS row_count
    FROM batch_stage
    LEFT JOIN event_stage AS stage
        ON stage.rowid >= batch_stage.first_event
        AND stage.rowid < batch_stage.end_event
    GROUP BY batch_stage.batch_no
)
SELECT
    receipts.row_count,
    events.row_count
FROM receipts
JOIN events USING (batch_no)
ORDER BY batch_no;

-- name: upsert_outboxes
-- Notes the outboxes and moves their watermarks; of several batches of one outbox the last counts.
INSERT INTO outbox (
    outbox_id, path, home, host, pid, process_started_at, created_at, python_version, anchor_version, program,
    rows_dropped, opened_after, watermark, watermark_crc, state, first_shipped_at, last_shipped_at
)
SELECT
    outbox_id,
    path,
    home,
    host,
    pid,
    make_timestamp(process_started_us),
    make_timestamp(created_at_us),
    python_version,
    anchor_version,
    program,
    rows_dropped,
    opened_after,
    last_seq,
    last_crc,
    'open',
    make_timestamp($now_us),
    make_timestamp($now_us)
FROM batch_stage
QUALIFY row_number() OVER (PARTITION BY outbox_id, path ORDER BY batch_no DESC) = 1
ON CONFLICT (outbox_id, path) DO UPDATE SET
    watermark = excluded.watermark,
    watermark_crc = excluded.watermark_crc,
    state = 'open',
    last_shipped_at = excluded.last_shipped_at;

-- name: insert_shipments
-- The batches as lines of evidence; counts as `written` has them.
INSERT INTO shipment (
    outbox_id, path, after_seq, last_seq, receipt_count, event_count, duplicate_count, corrupt_count,
    missing_count, checksum, row_format, shipped_at
)
SELECT
    batch_stage.outbox_id,
    batch_stage.path,
    batch_stage.after_seq,
    batch_stage.last_seq,
    counted.receipts,
    counted.events,
    batch_stage.row_count - counted.receipts - counted.events,
    batch_stage.corrupt_count,
    batch_stage.missing_count,
    batch_stage.checksum,
    $row_format,
    make_timestamp($now_us)
FROM batch_stage
JOIN (
    SELECT
        unnest($batch_nos) AS batch_no,
        unnest($receipts) AS receipts,
        unnest($events) AS events
) AS counted USING (batch_no)
ORDER BY batch_stage.batch_no;

-- name: insert_losses
-- Numbers of a writer whose rows cannot be had; the same loss is noted once.
INSERT INTO outbox_loss (outbox_id, path, first_seq, last_seq, reason, found_at)
SELECT
    batch_stage.outbox_id,
    batch_stage.path,
    loss_stage.first_seq,
    loss_stage.last_seq,
    loss_stage.reason,
    make_timestamp($now_us)
FROM loss_stage
JOIN batch_stage USING (batch_no)
ANTI JOIN outbox_loss
    ON outbox_loss.outbox_id = batch_stage.outbox_id
    AND outbox_loss.path = batch_stage.path
    AND outbox_loss.first_seq = loss_stage.first_seq
    AND outbox_loss.last_seq = loss_stage.last_seq
    AND outbox_loss.reason = loss_stage.reason;

-- name: watermarks
-- How far these outboxes were shipped; none for those never seen.
SELECT
    asked.place,
    outbox.watermark,
    outbox.watermark_crc,
    EXISTS (
        FROM outbox_loss
        WHERE outbox_loss.outbox_id = outbox.outbox_id
            AND outbox_loss.path = outbox.path
            AND outbox_loss.reason <> 'missing'
    ) AS rotten
FROM (
    SELECT
        unnest(range(len($outbox_ids))) AS place,
        unnest($outbox_ids) AS outbox_id,
        unnest($paths) AS path
) AS asked
JOIN outbox USING (outbox_id, path);

-- name: finish_outboxes
-- Notes that the files are gone: finished or quarantined.
UPDATE outbox
SET state = $state, last_shipped_at = make_timestamp($now_us)
FROM (
    SELECT
        unnest($outbox_ids) AS outbox_id,
        unnest($paths) AS path
) AS gone
WHERE outbox.outbox_id = gone.outbox_id
    AND outbox.path = gone.path;

-- name: forget_quarantined_file
-- Drops the record of a file that did not get to its place.
DELETE FROM quarantined_file
WHERE moved_to = $moved_to;

-- name: insert_quarantined_file
-- A file that was set aside, and why.
INSERT INTO quarantined_file (path, moved_to, reason, outbox_id, salvaged_count, found_at)
VALUES ($path, $moved_to, $reason, $outbox_id, $salvaged, make_timestamp($now_us));
