-- Receipts and invoice lines made up for benchmarks: 1,000 applications, 20 models, 8 keys in 4 projects, one month.
INSERT INTO rate BY NAME
SELECT
    CAST(n AS UBIGINT) AS rate_id,
    CAST('00000000-0000-0000-0000-000000000000' AS UUID) AS rate_sheet_id,
    'standard' AS tier,
    '' AS modifier,
    false AS off_peak,
    -1 AS above_tokens,
    1000000000 AS upto_tokens,
    true AS units_with_tokens,
    false AS search_per_prompt,
    CAST((n + 1) * 0.00000025 AS DECIMAL(20, 18)) AS input_tokens_usd,
    CAST((n + 1) * 0.000001 AS DECIMAL(20, 18)) AS output_tokens_usd
FROM RANGE(20) AS made (n);
CREATE OR REPLACE TEMP TABLE made_receipt AS
SELECT
    CAST(UUID() AS VARCHAR) AS receipt_id,
    made.n,
    HASH(made.n) AS dice,
    TIMESTAMP '2026-10-01' + TO_SECONDS(made.n * 1.0 / $count * 31 * 86400) AS occurred_at
FROM RANGE($count) AS made (n);
INSERT INTO receipt BY NAME
SELECT
    receipt_id,
    occurred_at,
    'openai' AS provider,
    'key-' || dice % 8 AS api_key_id,
    'model-' || dice % 20 AS request_model,
    'model-' || dice % 20 AS response_model,
    'team-' || (dice // 1000) % 50 AS team,
    'service-' || (dice // 1000) % 1000 AS service,
    'production' AS environment,
    'feature-' || (dice // 1000) % 3000 AS feature,
    'user-' || (dice // 7000) % 20000 AS user_id,
    'request-' || n // 4 AS request_id,
    'provider' AS usage_source,
    'openai.chat' AS usage_shape,
    true AS billable,
    '' AS provider_account,
    'outbox-1' AS outbox_id,
    n AS writer_seq,
    TIMESTAMP '2026-11-01' AS shipped_at
FROM made_receipt;
INSERT INTO receipt_meters BY NAME
SELECT
    receipt_id,
    1 AS meter_version,
    TIMESTAMP '2026-11-01' AS measured_at,
    dice % 3000 + 1 AS input_tokens,
    dice % 900 AS output_tokens,
    dice % 3000 + 1 + dice % 900 AS total_tokens,
    false AS usage_mismatch,
    'standard' AS tier,
    '' AS image_variant
FROM made_receipt;
INSERT INTO receipt_price BY NAME
SELECT
    receipt_id,
    'model-' || dice % 20 AS model_key,
    'made up' AS resolution_rule,
    'priced' AS price_status,
    CAST(dice % 20 AS UBIGINT) AS rate_id,
    (dice % 3000 + 1) * CAST((dice % 20 + 1) * 0.00000025 AS DECIMAL(20, 18))
        + (dice % 900) * CAST((dice % 20 + 1) * 0.000001 AS DECIMAL(20, 18)) AS estimated_cost_usd,
    TIMESTAMP '2026-11-01' AS priced_at
FROM made_receipt;
DROP TABLE made_receipt;
INSERT INTO invoice_line BY NAME
SELECT
    'I-1:' || model || '-' || meter || '-' || day || '-' || project AS invoice_line_id,
    'I-1' AS invoice_id,
    'csv' AS source,
    '' AS source_account,
    TIMESTAMP '2026-11-01' AS fetched_at,
    'openai' AS provider,
    TIMESTAMP '2026-10-01' + TO_DAYS(CAST(day AS INTEGER)) AS period_start,
    TIMESTAMP '2026-10-02' + TO_DAYS(CAST(day AS INTEGER)) AS period_end,
    '2026-10' AS billing_month,
    model || '-' || meter || '-' || day || '-' || project AS line_id,
    'usage' AS charge_category,
    'model-' || model AS model_raw,
    meter,
    'project-' || project AS project,
    CAST(12.345678 + model + day * 0.01 AS DECIMAL(38, 12)) AS amount,
    '' AS amount_text,
    'USD' AS currency,
    true AS is_final
FROM RANGE(20) AS models (model)
CROSS JOIN (VALUES ('input'), ('output')) AS meters (meter)
CROSS JOIN RANGE(31) AS days (day)
CROSS JOIN RANGE(4) AS projects (project);
INSERT INTO invoice_line BY NAME
SELECT
    'I-1:tax-' || n AS invoice_line_id,
    'I-1' AS invoice_id,
    'csv' AS source,
    '' AS source_account,
    TIMESTAMP '2026-11-01' AS fetched_at,
    'openai' AS provider,
    TIMESTAMP '2026-10-01' AS period_start,
    TIMESTAMP '2026-11-01' AS period_end,
    '2026-10' AS billing_month,
    'tax-' || n AS line_id,
    CASE WHEN n < 20 THEN 'tax' ELSE 'credit' END AS charge_category,
    CASE WHEN n < 20 THEN 100.5 ELSE -50.25 END AS amount,
    '' AS amount_text,
    'USD' AS currency,
    true AS is_final
FROM RANGE(40) AS made (n);
INSERT INTO invoice BY NAME
SELECT
    'I-1' AS invoice_id,
    'csv' AS source,
    2 AS authority,
    'openai' AS provider,
    '' AS account,
    '2026-10' AS period,
    'USD' AS currency,
    2 AS minor_units,
    CAST(ROUND(SUM(amount), 2) AS DECIMAL(38, 12)) AS total,
    true AS is_detailed,
    TIMESTAMP '2026-11-01' AS imported_at
FROM invoice_line;
