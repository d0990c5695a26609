-- Row detail as people query it: published from the warehouse, and written to the archive before it is purged, so that
-- both say the same. Instants are UTC TIMESTAMP, money is DECIMAL(38, 18).

CREATE OR REPLACE VIEW receipt_detail AS
SELECT
    receipt.receipt_id,
    strftime(receipt.occurred_at, '%Y-%m') AS period,
    receipt.occurred_at,
    receipt.duration_us // 1000 AS duration_ms,
    receipt.team,
    receipt.service,
    receipt.feature,
    receipt.environment,
    receipt.region,
    receipt.cost_center,
    receipt.user_id,
    receipt.request_id,
    receipt.trace_id,
    receipt.span_id,
    receipt.call_site,
    TRY_CAST(receipt.labels AS JSON) AS labels,
    TRY_CAST(receipt.attribution_source AS JSON) AS attribution_source,
    receipt.provider,
    receipt.provider_host,
    receipt.provider_account,
    receipt.api_key_id,
    receipt.sdk,
    receipt.operation,
    receipt.request_model,
    receipt.response_model,
    receipt.response_id,
    receipt.provider_request_id,
    receipt.outcome,
    receipt.http_status,
    receipt.stream,
    receipt.attempts,
    receipt.usage_source,
    TRY_CAST(receipt.raw_usage AS JSON) AS raw_usage,
    receipt_meters.prompt_tokens AS input_tokens,
    list_sum([
        receipt_meters.output_tokens,
        receipt_meters.output_reasoning_tokens,
        receipt_meters.output_audio_tokens,
        receipt_meters.output_image_tokens,
        receipt_meters.output_video_tokens
    ])::BIGINT AS output_tokens,
    list_sum([
        receipt_meters.cache_read_tokens,
        receipt_meters.cache_read_audio_tokens
    ])::BIGINT AS cache_read_tokens,
    list_sum([
        receipt_meters.cache_write_tokens,
        receipt_meters.cache_write_5m_tokens,
        receipt_meters.cache_write_30m_tokens,
        receipt_meters.cache_write_1h_tokens,
        receipt_meters.cache_write_12h_tokens
    ])::BIGINT AS cache_write_tokens,
    receipt_meters.output_reasoning_tokens AS reasoning_tokens,
    receipt_meters.total_tokens,
    receipt_meters.usage_mismatch,
    receipt_meters.estimated_meters,
    receipt.billable,
    receipt.parent_receipt_id,
    receipt_price.model_key,
    receipt_price.estimated_cost_usd,
    receipt_price.price_status,
    receipt_price.unpriced_meters,
    receipt_price.rate_card_id,
    receipt_meters.provider_cost_usd,
    receipt_anchor.anchored_cost,
    receipt_anchor.anchored_currency,
    receipt_anchor.invoice_id,
    receipt_anchor.invoice_line_id,
    receipt_anchor.match_level,
    CASE
        WHEN finding.receipt_id IS NULL THEN 'ok'
        WHEN receipt.held THEN 'held'
        WHEN finding.is_strict THEN 'released'
        ELSE 'reported'
    END AS policy_status,
    receipt.shipped_at
FROM attributed_receipt AS receipt
LEFT JOIN receipt_meters USING (receipt_id)
LEFT JOIN receipt_price USING (receipt_id)
LEFT JOIN receipt_anchor USING (receipt_id)
LEFT JOIN (
    SELECT
        receipt_id,
        bool_or(mode <> 'report') AS is_strict
    FROM policy_finding
    GROUP BY receipt_id
) AS finding USING (receipt_id);
COMMENT ON VIEW receipt_detail IS 'Receipts with what was found out about them, in the columns of report.receipts';

CREATE OR REPLACE MACRO usage_details_of(prices) AS TABLE
SELECT
    usage_line.receipt_id,
    usage_line.meter,
    usage_line.quantity::DECIMAL(38, 9) AS quantity,
    usage_line.unit,
    usage_line.unit_price_usd::DECIMAL(38, 18) AS unit_price_usd,
    usage_line.cost_usd::DECIMAL(38, 18) AS cost_usd,
    usage_line.rate_card_id,
    coalesce(list_contains(string_split(guessed.estimated_meters, ', '), usage_line.meter), false) AS is_estimated
FROM usage_lines_of(prices) AS usage_line
LEFT JOIN (
    SELECT
        receipt_id,
        estimated_meters
    FROM receipt_meters
    WHERE estimated_meters IS NOT NULL
) AS guessed USING (receipt_id);

CREATE OR REPLACE VIEW purged_file AS
WITH part AS (
    SELECT
        CASE relation WHEN 'receipt_details' THEN 'receipts' ELSE relation END AS relation,
        day,
        part,
        path,
        row_count,
        removed_at,
        sum(row_count) OVER (PARTITION BY relation, day ORDER BY part) AS rows_so_far
    FROM archive_file
    WHERE relation IN ('receipt_details', 'exception_events')
),
purged AS (
    SELECT
        relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM purged_row
    GROUP BY ALL
)
SELECT
    part.relation,
    part.day,
    part.part,
    part.path,
    part.row_count
FROM part
JOIN purged USING (relation, day)
-- A day is purged as a whole. A file beyond that has rows that came late, or was written by a run that was killed before
-- it purged them: they are in the warehouse.
WHERE part.rows_so_far <= purged.row_count
    AND part.removed_at IS NULL;
COMMENT ON VIEW purged_file IS 'Files of the archive whose rows are nowhere else: what the published views read';
COMMENT ON COLUMN purged_file.relation IS 'receipts | exception_events';
COMMENT ON COLUMN purged_file.path IS 'Relative to ANCHOR_HOME';
