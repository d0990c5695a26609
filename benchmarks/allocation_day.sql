-- One day more: receipts of 1 November 2026 and the lines that its cost API has for them.
CREATE OR REPLACE TEMP TABLE made_receipt AS
SELECT
    CAST(UUID() AS VARCHAR) AS receipt_id,
    made.n,
    HASH(made.n + 1000000007) AS dice,
    TIMESTAMP '2026-11-01' + TO_SECONDS(made.n * 1.0 / $count * 86400) AS occurred_at
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
    'november-' || n // 4 AS request_id,
    'provider' AS usage_source,
    'openai.chat' AS usage_shape,
    true AS billable,
    '' AS provider_account,
    'outbox-2' AS outbox_id,
    n AS writer_seq,
    TIMESTAMP '2026-11-22 12:00:00' AS shipped_at
FROM made_receipt;
INSERT INTO receipt_meters BY NAME
SELECT
    receipt_id,
    1 AS meter_version,
    TIMESTAMP '2026-11-22 12:00:00' AS measured_at,
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
    TIMESTAMP '2026-11-22 12:00:00' AS priced_at
FROM made_receipt;
DROP TABLE made_receipt;
INSERT INTO invoice_line BY NAME
SELECT
    'I-2:' || model || '-' || meter || '-' || day || '-' || project AS invoice_line_id,
    'I-2' AS invoice_id,
    'csv' AS source,
    '' AS source_account,
    TIMESTAMP '2026-11-22 12:00:00' AS fetched_at,
    'openai' AS provider,
    TIMESTAMP '2026-11-01' + TO_DAYS(CAST(day AS INTEGER)) AS period_start,
    TIMESTAMP '2026-11-02' + TO_DAYS(CAST(day AS INTEGER)) AS period_end,
    '2026-11' AS billing_month,
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
CROSS JOIN RANGE(1) AS days (day)
CROSS JOIN RANGE(4) AS projects (project);
INSERT INTO invoice_line BY NAME
SELECT
    'I-2:tax-' || n AS invoice_line_id,
    'I-2' AS invoice_id,
    'csv' AS source,
    '' AS source_account,
    TIMESTAMP '2026-11-22 12:00:00' AS fetched_at,
    'openai' AS provider,
    TIMESTAMP '2026-11-01' AS period_start,
    TIMESTAMP '2026-12-01' AS period_end,
    '2026-11' AS billing_month,
    'tax-' || n AS line_id,
    CASE WHEN n < 20 THEN 'tax' ELSE 'credit' END AS charge_category,
    CASE WHEN n < 20 THEN 100.5 ELSE -50.25 END AS amount,
    '' AS amount_text,
    'USD' AS currency,
    true AS is_final
FROM RANGE(40) AS made (n);
INSERT INTO invoice BY NAME
SELECT
    'I-2' AS invoice_id,
    'csv' AS source,
    2 AS authority,
    'openai' AS provider,
    '' AS account,
    '2026-11' AS period,
    'USD' AS currency,
    2 AS minor_units,
    CAST(ROUND(SUM(amount), 2) AS DECIMAL(38, 12)) AS total,
    true AS is_detailed,
    TIMESTAMP '2026-11-22 12:00:00' AS imported_at
FROM invoice_line
WHERE invoice_id = 'I-2';
