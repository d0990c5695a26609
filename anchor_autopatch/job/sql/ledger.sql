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
