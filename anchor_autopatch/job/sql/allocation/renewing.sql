-- Which open periods have to be divided again. Signatures are sums of hashes, so that order does not matter; a DuckDB that
-- hashes otherwise only makes a run divide what it need not.

-- name: last_division
-- When invoices were divided last, and from what.
SELECT
    divided_at,
    signature,
    is_classified
FROM division_run;

-- name: booked_rates
-- Exchange rates that variances depend on.
SELECT
    currency,
    effective_from,
    usd_per_unit
FROM exchange_rate_in_force
ORDER BY ALL;

-- name: stamped_rows
-- Rows that say what receipts weigh and bear the instant $at: a run that began in that very instant may add some.
SELECT
    'meters' AS kind,
    COUNT(*) AS rows,
    CAST(SUM(HASH(receipt_id, tier, total_tokens, input_tokens, output_tokens)) AS VARCHAR) AS hashes
FROM receipt_meters
WHERE measured_at = $at
UNION ALL
SELECT
    'prices' AS kind,
    COUNT(*) AS rows,
    CAST(SUM(HASH(receipt_id, price_status, rate_id, estimated_cost_usd)) AS VARCHAR) AS hashes
FROM receipt_price
WHERE priced_at = $at
UNION ALL
SELECT
    'settlements' AS kind,
    COUNT(*) AS rows,
    CAST(SUM(HASH(receipt_id, is_billed, team, service, environment, feature, user_id, request_id)) AS VARCHAR) AS hashes
FROM settlement
WHERE settled_at = $at
UNION ALL
SELECT
    'corrections' AS kind,
    COUNT(*) AS rows,
    CAST(SUM(HASH(receipt_id, field, new_value)) AS VARCHAR) AS hashes
FROM correction
WHERE recorded_at = $at
ORDER BY kind;

-- name: later_periods
-- Periods with receipts that were measured, priced, settled or corrected after $at.
SELECT DISTINCT scope_key.period
FROM receipt
INNER JOIN billing_month AS month
    ON month.provider = receipt.provider
    AND month.account = receipt.provider_account
    AND receipt.occurred_at >= month.from_at
    AND receipt.occurred_at < month.to_at
INNER JOIN scope_key USING (scope_no)
WHERE receipt.receipt_id IN (
    SELECT receipt_id
    FROM receipt_meters
    WHERE measured_at > $at
    UNION ALL
    SELECT receipt_id
    FROM receipt_price
    WHERE priced_at > $at
    UNION ALL
    SELECT receipt_id
    FROM settlement
    WHERE settled_at > $at
    UNION ALL
    SELECT receipt_id
    FROM correction
    WHERE recorded_at > $at
)
ORDER BY scope_key.period;

-- name: period_signatures
-- What each open period is divided from, but for what receipts weigh.
WITH receipt_signature AS (
    SELECT
        scope_key.period,
        'receipts ' || COUNT(*) || ' ' || SUM(HASH(receipt.receipt_id, receipt.provider_account)) AS signature
    FROM receipt
    INNER JOIN billing_month AS month
        ON month.provider = receipt.provider
        AND month.account = receipt.provider_account
        AND receipt.occurred_at >= month.from_at
        AND receipt.occurred_at < month.to_at
    INNER JOIN scope_key USING (scope_no)
    GROUP BY scope_key.period
),
scope_signature AS (
    SELECT
        period,
        'scopes ' || SUM(HASH(provider, account, invoice_id, zone)) AS signature
    FROM scope_key
    GROUP BY period
),
total_signature AS (
    SELECT
        period,
        'totals ' || SUM(HASH(provider, account, invoice_id, currency, minor_units, total)) AS signature
    FROM control_total
    GROUP BY period
),
line_signature AS (
    SELECT
        period,
        'lines ' || SUM(
            HASH(
                invoice_id, invoice_line_id, period_start, period_end, charge_category, model_raw, meter,
                tier, project, api_key, quantity, quantity_unit, list_amount, amount
            )
        ) AS signature
    FROM control_line
    GROUP BY period
),
usage_signature AS (
    SELECT
        period,
        'usage ' || SUM(HASH(provider, account, model_raw, meter, quantity)) AS signature
    FROM usage_evidence
    GROUP BY period
),
finding_signature AS (
    SELECT
        scope_period.period,
        'findings ' || SUM(HASH(finding.receipt_id, finding.field, finding.mode)) AS signature
    FROM (
        SELECT DISTINCT period
        FROM scope_key
    ) AS scope_period
    INNER JOIN policy_finding AS finding
        -- A day more on either side, for calendars other than UTC.
        ON finding.occurred_at >= CAST(scope_period.period || '-01' AS TIMESTAMP) - INTERVAL 1 DAY
        AND finding.occurred_at < CAST(scope_period.period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH + INTERVAL 1 DAY
    GROUP BY scope_period.period
),
outbox_signature AS (
    -- Whether receipts of the period may still be on their way, which variances tell from missing ones.
    SELECT
        scope_period.period,
        'outboxes ' || COUNT(*) AS signature
    FROM (
        SELECT DISTINCT
            period,
            CAST(period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH AS end_at
        FROM scope_key
    ) AS scope_period
    INNER JOIN outbox
        ON outbox.state = 'open'
        AND outbox.created_at < scope_period.end_at
        AND outbox.last_shipped_at < scope_period.end_at
    GROUP BY scope_period.period
)
SELECT
    scope_signature.period,
    CONCAT_WS(
        ', ',
        scope_signature.signature,
        receipt_signature.signature,
        total_signature.signature,
        line_signature.signature,
        usage_signature.signature,
        finding_signature.signature,
        outbox_signature.signature
    ) AS signature
FROM scope_signature
LEFT JOIN receipt_signature USING (period)
LEFT JOIN total_signature USING (period)
LEFT JOIN line_signature USING (period)
LEFT JOIN usage_signature USING (period)
LEFT JOIN finding_signature USING (period)
LEFT JOIN outbox_signature USING (period)
ORDER BY scope_signature.period;

-- name: adjusting_periods
-- Periods whose invoices adjust an earlier one, and those earlier ones: what one carries depends on the other.
SELECT DISTINCT
    period,
    STRFTIME(period_start, '%Y-%m') AS past_period
FROM control_line
WHERE charge_category IN ('adjustment', 'refund')
    AND STRFTIME(period_start, '%Y-%m') < period
ORDER BY ALL;

-- name: marks
-- What the open periods were divided from last.
SELECT
    period,
    signature
FROM division_mark
WHERE period NOT IN (
    SELECT period
    FROM frozen_period
);

-- name: keep_unchanged
-- Periods that this run leaves alone beside the frozen ones, given as a list.
INSERT INTO kept_period (period)
SELECT UNNEST($periods::VARCHAR[]);

-- name: forget_marks
-- A period that is frozen needs no mark, and one that is opened again has to be divided.
DELETE FROM division_mark;

-- name: keep_marks
-- Notes what every open period is divided from now; from two lists.
INSERT INTO division_mark (period, signature)
SELECT
    UNNEST($period::VARCHAR[]) AS period,
    UNNEST($signature::VARCHAR[]) AS signature;

-- name: forget_division
-- Makes room for this run.
DELETE FROM division_run;

-- name: keep_division
-- Notes when this run divided, and what else it depended on.
INSERT INTO division_run (divided_at, signature, is_classified)
VALUES ($at, $signature, $is_classified);
