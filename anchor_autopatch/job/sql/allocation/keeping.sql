-- What a run keeps.

-- name: forget_open
-- Clears the lines' matches of all periods that are allocated.
DELETE FROM line_match
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: forget_anchors
-- Clears the receipts' shares of all periods that are allocated.
DELETE FROM receipt_anchor
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: forget_splits
-- Clears the cost rows of all periods that are allocated.
DELETE FROM cost_split
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: keep_matches
-- Records how each line found its receipts.
INSERT INTO line_match (
    invoice_id, invoice_line_id, period, match_level, weight_basis, amount, currency
)
SELECT
    line.invoice_id,
    line.invoice_line_id,
    scope.period,
    line.match_level,
    line.weight_basis,
    CAST(atto_decimal(line.amount_nano * 1000000000) AS DECIMAL(38, 12)),
    scope.currency
FROM resolved_line AS line
INNER JOIN scope USING (invoice_id)
ORDER BY line.invoice_id, line.invoice_line_id;

-- name: keep_anchors
-- Records what each receipt carries, unrounded.
INSERT INTO receipt_anchor (
    receipt_id, period, invoice_id, invoice_line_id, match_level, anchored_cost, anchored_currency
)
SELECT
    receipt.receipt_id,
    scope.period,
    scope.invoice_id,
    paid_pool.invoice_line_id,
    paid_pool.match_level,
    atto_decimal(share.atto),
    scope.currency
FROM receipt_share AS share
INNER JOIN receipt ON receipt.rowid = share.receipt_no
INNER JOIN paid_pool USING (pool_no)
INNER JOIN scope USING (scope_no);

-- name: keep_splits
-- Records the four splits; money without receipts that rounds to nothing needs no row.
INSERT INTO cost_split (
    split, period, provider, account, invoice_id, team, service, environment, response_model,
    feature, user_id, request_id, bucket, calls, estimated_cost_usd, anchored_cost, currency, status
)
SELECT
    part.split,
    scope_key.period,
    scope_key.provider,
    scope_key.account,
    scope_key.invoice_id,
    part.team,
    part.service,
    part.environment,
    part.response_model,
    part.feature,
    part.user_id,
    part.request_id,
    part.bucket,
    part.calls,
    part.estimated_cost_usd,
    atto_decimal(rounded.atto),
    COALESCE(scope.currency, 'USD'),
    CASE WHEN scope_key.invoice_id IS NULL THEN 'estimated' ELSE 'anchored' END
FROM cost_part AS part
INNER JOIN scope_key USING (scope_no)
LEFT JOIN scope USING (scope_no)
LEFT JOIN rounded_part AS rounded USING (part_no)
WHERE part.calls > 0
    OR rounded.atto <> 0;

-- name: loose_splits
-- Splits whose rows do not sum to their invoice exactly; must be none.
SELECT
    splits.split,
    scope.invoice_id,
    scope.total AS expected,
    COALESCE(SUM(cost.anchored_cost), 0) AS found
FROM scope
CROSS JOIN (VALUES ('app'), ('feature'), ('user'), ('request')) AS splits (split)
LEFT JOIN cost_split AS cost
    ON cost.invoice_id = scope.invoice_id
    AND cost.split = splits.split
GROUP BY splits.split, scope.invoice_id, scope.total
HAVING COALESCE(SUM(cost.anchored_cost), 0) <> scope.total
ORDER BY scope.invoice_id, splits.split;

-- name: forget_reconciliation
-- Clears the reconciliation of all periods that are allocated.
DELETE FROM reconciliation
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: keep_reconciliation
-- Estimated against invoiced, for invoices and for what has none yet.
INSERT INTO reconciliation (
    period, provider, account, invoice_id, invoice_total, currency, estimated_total_usd, untracked,
    unallocated, idle, adjustment, unexplained, rounding, variance, variance_percent, threshold, flagged, status, mode,
    reconciled_at, exchange_rate, variance_usd
)
WITH app_total AS (
    SELECT
        period,
        provider,
        account,
        invoice_id,
        COALESCE(SUM(estimated_cost_usd), 0) AS estimated_total_usd,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__untracked'), 0) AS untracked,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__unallocated'), 0) AS unallocated,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__idle'), 0) AS idle,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__adjustment'), 0) AS adjustment,
        COALESCE(SUM(anchored_cost) FILTER (bucket = '__rounding'), 0) AS rounding
    FROM app_cost
    WHERE period NOT IN (
        SELECT period
        FROM kept_period
    )
    GROUP BY period, provider, account, invoice_id
),
compared AS (
    SELECT
        app_total.period,
        app_total.provider,
        app_total.account,
        app_total.invoice_id,
        CAST(scope.total AS DECIMAL(38, 18)) AS invoice_total,
        COALESCE(scope.currency, 'USD') AS currency,
        app_total.estimated_total_usd,
        app_total.untracked,
        app_total.unallocated,
        app_total.idle,
        app_total.adjustment,
        bucket_total.unexplained,
        app_total.rounding,
        scope.usd_per_unit AS exchange_rate,
        CASE
            WHEN scope.currency = 'USD' THEN app_total.estimated_total_usd - scope.total
            ELSE CAST(from_usd(app_total.estimated_total_usd, scope.rate_pico) AS DECIMAL(38, 18)) - scope.total
        END AS variance,
        CAST(
            app_total.estimated_total_usd - CAST(scope.total AS DECIMAL(20, 4)) * scope.usd_per_unit
            AS DECIMAL(38, 18)
        ) AS variance_usd,
        GREATEST(
            CAST(scope.total * CAST($ratio AS DECIMAL(9, 6)) AS DECIMAL(38, 18)),
            -- The floor is USD; without a rate there is nothing that it could be held against.
            CAST(
                CASE
                    WHEN scope.currency = 'USD' THEN CAST($floor AS DECIMAL(38, 9))
                    ELSE from_usd($floor, scope.rate_pico)
                END AS DECIMAL(38, 18)
            )
        ) AS threshold
    FROM (
        SELECT
            period,
            provider,
            account,
            invoice_id,
            estimated_total_usd,
            untracked,
            unallocated,
            idle,
            adjustment,
            rounding
        FROM app_total
        UNION ALL
        SELECT
            period,
            provider,
            account,
            invoice_id,
            0 AS estimated_total_usd,
            0 AS untracked,
            0 AS unallocated,
            0 AS idle,
            0 AS adjustment,
            0 AS rounding
        FROM scope
        WHERE invoice_id NOT IN (
            SELECT invoice_id
            FROM app_total
            WHERE invoice_id IS NOT NULL
        )
    ) AS app_total
    LEFT JOIN scope ON scope.invoice_id = app_total.invoice_id
    LEFT JOIN (
        SELECT
            scope.invoice_id,
            atto_decimal(SUM(atto)) AS unexplained
        FROM cost_part
        INNER JOIN scope USING (scope_no)
        WHERE split = 'app'
            AND bucket IS NOT NULL
        GROUP BY scope.invoice_id
    ) AS bucket_total ON bucket_total.invoice_id = app_total.invoice_id
)
SELECT
    period,
    provider,
    account,
    invoice_id,
    invoice_total,
    currency,
    estimated_total_usd,
    CASE WHEN invoice_id IS NOT NULL THEN untracked END,
    CASE WHEN invoice_id IS NOT NULL THEN unallocated END,
    CASE WHEN invoice_id IS NOT NULL THEN idle END,
    CASE WHEN invoice_id IS NOT NULL THEN adjustment END,
    CASE WHEN invoice_id IS NOT NULL THEN COALESCE(unexplained, 0) END,
    CASE WHEN invoice_id IS NOT NULL THEN rounding END,
    variance,
    -- Integers: a quotient of decimals would be a binary fraction.
    CAST(
        CAST(variance * 1000000 AS HUGEINT) * 100000000
        // NULLIF(CAST(invoice_total * 1000000 AS HUGEINT), 0) AS DECIMAL(38, 0)
    ) * 0.000001,
    CASE WHEN invoice_id IS NOT NULL THEN threshold END,
    COALESCE(ABS(variance) > threshold, FALSE),
    CASE WHEN invoice_id IS NULL THEN 'open' ELSE 'reconciled' END,
    'showback',
    $now,
    exchange_rate,
    CASE WHEN invoice_id IS NOT NULL THEN variance_usd END
FROM compared
ORDER BY period, provider, account, invoice_id;

-- name: reconciled
-- The reconciliation of all open periods.
SELECT
    period,
    provider,
    account,
    invoice_id,
    invoice_total,
    currency,
    estimated_total_usd,
    untracked,
    unallocated,
    rounding,
    variance,
    threshold,
    flagged
FROM reconciliation
WHERE period NOT IN (
    SELECT period
    FROM frozen_period
)
ORDER BY period, provider, account, invoice_id;

-- name: forget_rules
-- Clears the rules of all periods that are allocated.
DELETE FROM division_rule
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: keep_rules
-- Notes by what the periods of this run are divided.
INSERT INTO division_rule (period, document)
SELECT DISTINCT
    period,
    $document
FROM scope_key;

-- name: rules
-- By what a period was divided last.
SELECT document
FROM division_rule
WHERE period = $period;

-- name: drop_work
-- Frees the working tables that hold a row a receipt or a part.
DROP TABLE IF EXISTS covered_usage;
DROP TABLE IF EXISTS unfolded_price;
DROP TABLE IF EXISTS weighed_usage;
DROP TABLE IF EXISTS covered_receipt;
DROP TABLE IF EXISTS usage_share;
DROP TABLE IF EXISTS receipt_share;
DROP TABLE IF EXISTS floored_part;
DROP TABLE IF EXISTS rounded_part;
DROP TABLE IF EXISTS cost_part;
