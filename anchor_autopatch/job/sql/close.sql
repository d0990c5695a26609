-- Statements of the month-end close: states, sign-offs, statements, what is sealed.

-- name: period_state
-- State and version of the period $period; no row while nobody has begun to close it.
SELECT
    state,
    version
FROM period_state
WHERE period = $period;

-- name: known_periods
-- Periods of which anything was reconciled.
SELECT DISTINCT period
FROM reconciliation
ORDER BY period;

-- name: periods
-- Every reconciled period with its state, and what stands in its way.
SELECT
    reconciliation.period,
    COALESCE(ANY_VALUE(period_state.state), 'open') AS state,
    COALESCE(ANY_VALUE(period_state.version), 1) AS version,
    ANY_VALUE(reconciliation.mode) AS mode,
    COUNT(reconciliation.invoice_id) AS invoices,
    COUNT(*) FILTER (WHERE reconciliation.invoice_id IS NULL) AS not_invoiced,
    COUNT(*) FILTER (WHERE reconciliation.flagged) AS flagged
FROM reconciliation
LEFT JOIN period_state USING (period)
GROUP BY reconciliation.period
ORDER BY reconciliation.period;

-- name: open_periods
-- Reconciled periods that may still move.
SELECT DISTINCT period
FROM reconciliation
WHERE period NOT IN (
    SELECT period
    FROM frozen_period
)
ORDER BY period;

-- name: mark_mode
-- Says what an open period is for.
UPDATE reconciliation
SET mode = $mode
WHERE period = $period
    AND mode <> $mode;

-- name: uninvoiced
-- Providers and accounts of the period whose receipts no invoice pays for.
SELECT
    provider,
    account
FROM reconciliation
WHERE period = $period
    AND invoice_id IS NULL
    AND estimated_total_usd > 0
ORDER BY ALL;

-- name: untied
-- Invoices of the period that the split by application does not sum to; must be none.
SELECT reconciliation.invoice_id
FROM reconciliation
LEFT JOIN app_cost USING (invoice_id)
WHERE reconciliation.period = $period
    AND reconciliation.invoice_id IS NOT NULL
GROUP BY reconciliation.invoice_id, reconciliation.invoice_total
HAVING COALESCE(SUM(app_cost.anchored_cost), 0) <> reconciliation.invoice_total
ORDER BY ALL;

-- name: stale_invoices
-- Control totals of the period that the last reconcile did not see, or saw with another amount.
SELECT control_total.invoice_id
FROM control_total
LEFT JOIN reconciliation USING (invoice_id)
WHERE control_total.period = $period
    AND control_total.total IS DISTINCT FROM reconciliation.invoice_total
ORDER BY ALL;

-- name: fetches
-- Control totals of the period that are what a cost API says, with the fetches of all days since the month ended.
WITH fetched AS (
    SELECT
        told.invoice_id,
        told.fetched_at,
        told.lines_sha256,
        LAST_VALUE(told.lines_sha256) OVER (
            PARTITION BY told.invoice_id
            ORDER BY told.fetched_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS last_sha256
    FROM invoice_fetch AS told
    INNER JOIN control_total USING (invoice_id)
    WHERE control_total.period = $period
        AND told.covered_to >= CAST($period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH
        AND told.fetched_at >= CAST($period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH
),
summed AS (
    SELECT
        invoice_id,
        COUNT(*) AS fetch_count,
        -- Different ones in between begin the wait anew.
        MAX(fetched_at) FILTER (lines_sha256 <> last_sha256) AS other_at,
        MAX(fetched_at) AS last_at
    FROM fetched
    GROUP BY invoice_id
)
SELECT
    control_total.invoice_id,
    control_total.provider,
    COALESCE(summed.fetch_count, 0) AS fetch_count,
    (
        SELECT MIN(fetched.fetched_at)
        FROM fetched
        WHERE fetched.invoice_id = control_total.invoice_id
            AND (summed.other_at IS NULL OR fetched.fetched_at > summed.other_at)
    ) AS same_since,
    summed.last_at
FROM control_total
INNER JOIN invoice
    ON invoice.invoice_id = control_total.invoice_id
    AND invoice.superseded_at IS NULL
    AND invoice.authority = 1
LEFT JOIN summed ON summed.invoice_id = control_total.invoice_id
WHERE control_total.period = $period
    -- Sources that do not tell days do not restate them.
    AND EXISTS (
        SELECT 1
        FROM invoice_fetch
        WHERE invoice_fetch.invoice_id = control_total.invoice_id
    )
ORDER BY control_total.invoice_id;

-- name: last_review
-- The review that sign-offs of this version of the period are bound to.
SELECT
    event_no,
    actor,
    digest
FROM close_event
WHERE period = $period
    AND version = $version
    AND action = 'review'
ORDER BY event_no DESC
LIMIT 1;

-- name: sign_offs
-- Who signed since the review $after_no; team '' is the whole period.
SELECT
    COALESCE(team, '') AS team,
    actor,
    digest,
    recorded_at
FROM close_event
WHERE period = $period
    AND version = $version
    AND action = 'sign_off'
    AND event_no > $after_no
ORDER BY event_no;

-- name: statement_lines
-- What each team owes of each invoice, by service, environment and model; money without receipts last.
SELECT
    COALESCE(team, '__unattributed') AS team,
    provider,
    account,
    COALESCE(invoice_id, '') AS invoice_id,
    COALESCE(service, '') AS service,
    COALESCE(environment, '') AS environment,
    COALESCE(
        response_model,
        CASE WHEN bucket <> service THEN 'share of ' || bucket END,
        ''
    ) AS model,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency
FROM app_cost
WHERE period = $period
ORDER BY ALL;

-- name: statement_corrections
-- Corrections to earlier periods that are booked in this one, netted by application.
SELECT
    COALESCE(team, '__unattributed') AS team,
    provider,
    provider_account,
    invoice_id,
    COALESCE(service, '') AS service,
    COALESCE(environment, '') AS environment,
    period,
    SUM(amount) AS amount,
    currency
FROM ledger_entry
WHERE posted_period = $period
    AND period <> posted_period
    AND account LIKE 'Expense:%'
GROUP BY ALL
HAVING SUM(amount) <> 0
ORDER BY ALL;

-- name: team_totals
-- What each team is charged in each currency.
SELECT
    COALESCE(team, '__unattributed') AS team,
    currency,
    SUM(anchored_cost) AS amount
FROM app_cost
WHERE period = $period
    AND invoice_id IS NOT NULL
GROUP BY ALL
ORDER BY ALL;

-- name: forget_statements
-- Makes room for new statements of a version that nobody has frozen.
DELETE FROM statement
WHERE period = $period
    AND version = $version;

-- name: keep_statement
-- Keeps one statement in one format.
INSERT INTO statement (period, version, team, format, body, sha256)
VALUES ($period, $version, $team, $format, $body, $sha256);

-- name: statements
-- The kept statements of a version.
SELECT
    team,
    format,
    body,
    sha256
FROM statement
WHERE period = $period
    AND version = $version
ORDER BY team, format;

-- name: mark_reconciliation
-- Gives the invoices of the period their state and mode.
UPDATE reconciliation
SET
    status = $status,
    mode = $mode
WHERE period = $period;

-- name: mark_splits
-- Gives the shares of the period their status; what no invoice pays for stays an estimate.
UPDATE cost_split
SET status = $status
WHERE period = $period
    AND invoice_id IS NOT NULL
    AND status <> $status;

-- name: unmark_reconciliation
-- Opens the period again.
UPDATE reconciliation
SET status = CASE WHEN invoice_id IS NULL THEN 'open' ELSE 'reconciled' END
WHERE period = $period;

-- name: events
-- The audit trail of one period, or of all.
SELECT
    event_no,
    recorded_at,
    period,
    version,
    action,
    COALESCE(state, '') AS state,
    actor,
    COALESCE(team, '') AS team,
    COALESCE(subject, '') AS subject,
    COALESCE(digest, '') AS digest,
    reason
FROM close_event
WHERE $period IS NULL
    OR period = $period
ORDER BY event_no;

-- name: frozen_versions
-- Every version that was frozen, with what its event vouches for; is_current = not restated since.
SELECT
    event.period,
    event.version,
    event.digest,
    event.detail,
    period_state.version = event.version AND period_state.state = 'frozen' AS is_current
FROM close_event AS event
INNER JOIN period_state USING (period)
WHERE event.action = 'freeze'
ORDER BY event.event_no;

-- name: attach_new_seal
-- Makes the file that a period is sealed in.
ATTACH $path AS seal (STORAGE_VERSION 'v1.5.0');

-- name: attach_seal
-- Opens a sealed period; the engine refuses every write to it.
ATTACH $path AS seal (READ_ONLY);

-- name: detach_seal
-- Ends the file, checkpointed.
DETACH seal;

-- name: seal_rows
-- Copies the rows of one relation of the period; relation, filter and columns are from a closed list in close/sealing.py.
CREATE TABLE seal.{relation} AS
SELECT {columns}
FROM {relation}
WHERE {filter}
ORDER BY ALL;

-- name: sealed_columns
-- Columns of one relation in the seal, in order.
SELECT column_name
FROM duckdb_columns()
WHERE database_name = 'seal'
    AND table_name = $relation
ORDER BY column_index;

-- name: changed_rows
-- Rows of one relation that are in the warehouse and not in the seal (where = warehouse), or the other way round.
SELECT
    side,
    CAST(TO_JSON(held) AS VARCHAR) AS row_text
FROM (
    SELECT
        'sealed' AS side,
        missing AS held
    FROM (
        SELECT {columns}
        FROM seal.{relation}
        WHERE {still_held}
        EXCEPT ALL
        SELECT {columns}
        FROM {relation}
        WHERE {filter}
    ) AS missing
    UNION ALL
    SELECT
        'warehouse' AS side,
        added AS held
    FROM (
        SELECT {columns}
        FROM {relation}
        WHERE {filter}
        EXCEPT ALL
        SELECT {columns}
        FROM seal.{relation}
    ) AS added
)
ORDER BY ALL
LIMIT 20;

-- name: unproven_rows
-- Rows of one relation in the warehouse, whose seal cannot be read.
SELECT
    'unproven' AS side,
    CAST(TO_JSON(held) AS VARCHAR) AS row_text
FROM (
    SELECT {columns}
    FROM {relation}
    WHERE {filter}
) AS held
ORDER BY ALL
LIMIT 20;
