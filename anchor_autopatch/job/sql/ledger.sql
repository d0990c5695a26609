-- The ledger: what is booked when a period is frozen, and what corrections find there.

-- name: bookings
-- What an allocation books: each application's share of each invoice of the period, in a total order.
SELECT
    reconciliation.provider,
    reconciliation.account,
    reconciliation.invoice_id,
    reconciliation.currency,
    app_cost.team,
    app_cost.service,
    app_cost.environment,
    SUM(app_cost.anchored_cost) AS amount
FROM reconciliation
INNER JOIN app_cost USING (period, invoice_id)
WHERE period = $period
GROUP BY ALL
HAVING SUM(app_cost.anchored_cost) <> 0
ORDER BY ALL;

-- name: standing
-- What the ledger holds for the period, by invoice and application.
SELECT
    provider,
    provider_account,
    invoice_id,
    currency,
    team,
    service,
    environment,
    SUM(amount) AS amount
FROM ledger_entry
WHERE period = $period
    AND account LIKE 'Expense:%'
GROUP BY ALL
HAVING SUM(amount) <> 0
ORDER BY ALL;

-- name: origin
-- The transaction that allocated an invoice of the period last.
SELECT MAX_BY(txn_id, entry_no)
FROM ledger_entry
WHERE period = $period
    AND invoice_id = $invoice_id
    AND kind IN ('allocation', 'correction');

-- name: transaction_count
-- Transactions so far.
SELECT COUNT(DISTINCT txn_id)
FROM ledger_entry;

-- name: unbalanced
-- Transactions that do not sum to zero in each currency; must be none.
SELECT
    txn_id,
    currency,
    SUM(amount) AS amount
FROM ledger_entry
GROUP BY txn_id, currency
HAVING SUM(amount) <> 0
ORDER BY ALL;

-- name: journal
-- Entries booked in a period, or in all, in the order of the ledger.
SELECT
    entry_no,
    txn_id,
    kind,
    posted_period,
    period,
    account,
    provider,
    provider_account,
    invoice_id,
    COALESCE(team, '') AS team,
    COALESCE(service, '') AS service,
    COALESCE(environment, '') AS environment,
    amount,
    currency,
    COALESCE(ref_txn_id, '') AS ref_txn_id,
    actor,
    reason,
    created_at,
    hash
FROM ledger_entry
WHERE ($period IS NULL OR posted_period = $period)
    AND (mode = 'chargeback' OR $with_showback)
ORDER BY entry_no;

-- name: late_receipts
-- Frozen periods with billable receipts that came after their last reconcile.
SELECT
    period_state.period,
    COUNT(*) AS receipts
FROM period_state
INNER JOIN (
    SELECT
        period,
        MAX(reconciled_at) AS reconciled_at
    FROM reconciliation
    GROUP BY period
) AS last_run USING (period)
INNER JOIN settled_receipt AS receipt
    -- A day more on either side, for calendars other than UTC: receipts of another month change nothing.
    ON receipt.occurred_at >= CAST(period_state.period || '-01' AS TIMESTAMP) - INTERVAL 1 DAY
    AND receipt.occurred_at < CAST(period_state.period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH + INTERVAL 1 DAY
    AND receipt.shipped_at > last_run.reconciled_at
WHERE period_state.state = 'frozen'
    AND receipt.billable
GROUP BY period_state.period
ORDER BY period_state.period;

-- name: keep_correction
-- Keeps one line of a proposal.
INSERT INTO period_correction (
    correction_id, period, kind, provider, provider_account, invoice_id, team, service, environment,
    booked_amount, right_amount, currency
)
VALUES (
    $correction_id, $period, $kind, $provider, $provider_account, $invoice_id, $team, $service,
    $environment, $booked_amount, $right_amount, $currency
);

-- name: proposals
-- Proposals about one period, or about all, oldest first, with the money that would move.
SELECT
    correction_state.correction_id,
    ANY_VALUE(line.period) AS period,
    ANY_VALUE(line.kind) AS kind,
    correction_state.state,
    SUM(GREATEST(line.right_amount - line.booked_amount, 0)) AS moved,
    STRING_AGG(DISTINCT line.currency, ', ' ORDER BY line.currency) AS currency,
    correction_state.proposed_by,
    correction_state.proposed_at,
    COALESCE(correction_state.decided_by, '') AS decided_by,
    correction_state.reason,
    correction_state.digest
FROM correction_state
INNER JOIN period_correction AS line USING (correction_id)
WHERE $period IS NULL
    OR line.period = $period
GROUP BY ALL
ORDER BY MIN(correction_state.event_no);

-- name: correction_lines
-- The lines of one proposal, in the order of an application of the ledger.
SELECT
    provider,
    provider_account,
    invoice_id,
    currency,
    team,
    service,
    environment,
    booked_amount,
    right_amount
FROM period_correction
WHERE correction_id = $correction_id
ORDER BY ALL;

-- name: locked_periods
-- Periods that nothing may be booked in any more.
SELECT period
FROM frozen_period
ORDER BY period;

-- name: mode_of_ledger
-- What the bookings of a period are for.
SELECT MAX_BY(mode, entry_no)
FROM ledger_entry
WHERE period = $period;
