-- Estimated against invoiced, part by part. Works on what the allocation of the same run left: scope, resolved_line,
-- pool, pool_cell, paid_pool, cell, cell_estimate.

-- name: invoices
-- Invoices that this run divided and that USD compare with: total, estimate of all their receipts, whether receipts are
-- still on the way, what one unit of their currency is worth.
SELECT
    scope.period,
    scope.provider,
    scope.account,
    scope.invoice_id,
    scope.currency,
    scope.minor_units,
    CAST(scope.total * 1000000000 AS HUGEINT) AS total_nano,
    COALESCE(estimate.cost_femto // 1000000, 0) AS estimated_nano,
    COALESCE(elsewhere.estimated_nano, 0) AS elsewhere_nano,
    (
        SELECT COUNT(*)
        FROM outbox
        WHERE outbox.state = 'open'
            AND outbox.created_at < scope.month + INTERVAL 1 MONTH
            AND outbox.last_shipped_at < scope.month + INTERVAL 1 MONTH
    ) AS late_outboxes,
    scope.rate_pico
FROM scope
LEFT JOIN (
    SELECT
        receipt_group.invoice_id,
        SUM(cell_estimate.cost_femto) AS cost_femto
    FROM cell_estimate
    INNER JOIN receipt_group USING (group_no)
    GROUP BY receipt_group.invoice_id
) AS estimate USING (invoice_id)
LEFT JOIN (
    -- Receipts of the same provider and month that no invoice pays for.
    SELECT
        period,
        provider,
        SUM(CAST(CAST(estimated_total_usd AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)) AS estimated_nano
    FROM reconciliation
    WHERE invoice_id IS NULL
    GROUP BY period, provider
) AS elsewhere
    ON elsewhere.period = scope.period
    AND elsewhere.provider = scope.provider
WHERE scope.rate_pico IS NOT NULL
ORDER BY scope.invoice_id;

-- name: other_lines
-- Money of each invoice that is not usage with receipts, by what kind of line it is on.
SELECT
    line.invoice_id,
    CASE
        WHEN line.past_period IS NOT NULL THEN 'adjustment'
        ELSE line.charge_category
    END AS kind,
    line.pool_no IS NULL AS without_receipts,
    SUM(line.amount_nano - line.idle_nano) AS amount_nano,
    COUNT(*) AS line_count
FROM resolved_line AS line
WHERE line.charge_category NOT IN ('usage', 'commitment')
    OR line.pool_no IS NULL
GROUP BY ALL
ORDER BY ALL;

-- name: idle
-- Paid capacity of each invoice that nobody used.
SELECT
    invoice_id,
    SUM(idle_nano) AS idle_nano
FROM resolved_line
WHERE idle_nano <> 0
GROUP BY invoice_id
ORDER BY invoice_id;

-- name: units
-- Usage lines with receipts, by model, meter and tier: what they ask for, what their receipts were estimated to cost. A
-- cell that several matches reach is counted in the finest one, once.
WITH usage_pool AS (
    SELECT
        line.pool_no,
        SUM(line.amount_nano - line.idle_nano) AS amount_nano,
        SUM(line.list_nano) AS list_nano,
        COUNT(*) FILTER (WHERE line.list_nano IS NULL) AS lines_without_list,
        SUM(line.micro_quantity) AS micro_quantity,
        COUNT(*) FILTER (WHERE line.micro_quantity IS NULL) AS lines_without_quantity
    FROM resolved_line AS line
    WHERE line.charge_category IN ('usage', 'commitment')
        AND line.pool_no IS NOT NULL
    GROUP BY line.pool_no
),
home AS (
    SELECT
        pool_cell.cell_no,
        MIN_BY(
            pool.pool_no,
            (
                (pool.model = '')::INTEGER + (pool.meter = '')::INTEGER + (pool.tier = '')::INTEGER,
                pool.last_day - pool.first_day,
                pool.pool_no
            )
        ) AS pool_no
    FROM usage_pool
    INNER JOIN pool USING (pool_no)
    INNER JOIN pool_cell USING (pool_no)
    GROUP BY pool_cell.cell_no
),
counted AS (
    SELECT
        home.pool_no,
        SUM(estimate.cost_femto) // 1000000 AS estimated_nano,
        SUM(estimate.unpriced_count) AS unpriced_count,
        SUM(cell.micro_quantity) AS micro_quantity
    FROM home
    INNER JOIN cell USING (cell_no)
    INNER JOIN cell_estimate AS estimate
        ON estimate.group_no = cell.group_no
        AND estimate.meter = cell.meter
    GROUP BY home.pool_no
)
SELECT
    pool.invoice_id,
    pool.model,
    pool.meter,
    pool.tier,
    BOOL_OR(pool.match_level = 'provider') AS is_coarse,
    SUM(usage_pool.amount_nano) AS amount_nano,
    CASE
        WHEN SUM(usage_pool.lines_without_list) = 0 THEN SUM(usage_pool.list_nano)
    END AS list_nano,
    COALESCE(SUM(paid_pool.untracked_nano), 0) AS untracked_nano,
    COALESCE(SUM(counted.estimated_nano), 0) AS estimated_nano,
    COALESCE(SUM(counted.unpriced_count), 0) AS unpriced_count,
    CASE
        WHEN pool.meter <> ''
            AND SUM(usage_pool.lines_without_quantity) = 0
            THEN SUM(usage_pool.micro_quantity)
    END AS invoiced_micro,
    COALESCE(SUM(counted.micro_quantity), 0) AS counted_micro,
    COALESCE(STRING_AGG(DISTINCT named.model, ', ' ORDER BY named.model), '') AS named_models
FROM usage_pool
INNER JOIN pool USING (pool_no)
LEFT JOIN counted USING (pool_no)
LEFT JOIN paid_pool USING (pool_no)
LEFT JOIN (
    SELECT
        pool_no,
        STRING_AGG(DISTINCT model, ', ' ORDER BY model) AS model
    FROM resolved_line
    WHERE model <> ''
    GROUP BY pool_no
) AS named USING (pool_no)
GROUP BY pool.invoice_id, pool.model, pool.meter, pool.tier
ORDER BY ALL;

-- name: forget_open
-- Clears the variances of the periods that this run divided.
DELETE FROM variance_line
WHERE period NOT IN (
    SELECT period
    FROM kept_period
);

-- name: keep_line
-- Keeps one part of a variance.
INSERT INTO variance_line (
    period, provider, account, invoice_id, category, model, meter, tier, amount, currency, invoiced,
    estimated_usd, invoiced_quantity, counted_quantity, flagged, evidence, owner
)
VALUES (
    $period, $provider, $account, $invoice_id, $category, $model, $meter, $tier, $amount, $currency,
    $invoiced, $estimated_usd, $invoiced_quantity, $counted_quantity, $flagged, $evidence, $owner
);

-- name: note_classified
-- Marks the last division as one whose variances were found.
UPDATE division_run
SET is_classified = true;

-- name: outdate_actions
-- Actions of open periods are current only when this run finds their variance again.
UPDATE variance_action
SET is_current = false
WHERE is_current
    AND period NOT IN (
        SELECT period
        FROM frozen_period
    );

-- name: found_actions
-- What has to be acted on: categories of flagged invoices that matter, and lines that are flagged by themselves.
SELECT
    line.period,
    line.provider,
    line.account,
    line.invoice_id,
    line.category,
    SUM(line.amount) AS amount,
    line.currency,
    MAX_BY(line.evidence, ABS(line.amount)) AS evidence,
    MAX_BY(line.owner, ABS(line.amount)) AS owner
FROM variance_line AS line
INNER JOIN reconciliation USING (period, invoice_id)
WHERE line.period NOT IN (
    SELECT period
    FROM frozen_period
)
GROUP BY line.period, line.provider, line.account, line.invoice_id, line.category, line.currency, reconciliation.flagged, reconciliation.threshold
HAVING BOOL_OR(line.flagged)
    OR (reconciliation.flagged AND ABS(SUM(line.amount)) * 10 > reconciliation.threshold)
ORDER BY ALL;

-- name: renew_action
-- Brings an action that is known up to date; no row = it is new.
UPDATE variance_action
SET
    amount = $amount,
    evidence = $evidence,
    owner = $owner,
    is_current = true
WHERE action_id = $action_id
RETURNING action_id;

-- name: keep_action
-- Keeps a new action.
INSERT INTO variance_action (
    action_id, period, provider, account, invoice_id, category, amount, currency, evidence, owner,
    is_current, opened_at
)
VALUES (
    $action_id, $period, $provider, $account, $invoice_id, $category, $amount, $currency, $evidence, $owner,
    true, $now
);

-- name: actions
-- Actions of a period, or of all, with state and age in days at $now.
SELECT
    action_id,
    period,
    provider,
    account,
    invoice_id,
    category,
    amount,
    currency,
    owner,
    state,
    DATE_DIFF('day', opened_at, $now) AS age_days,
    evidence,
    COALESCE(note, '') AS note
FROM variance_action_state
WHERE $period IS NULL
    OR period = $period
ORDER BY period, state, ABS(amount) DESC, action_id;
