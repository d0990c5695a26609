-- Exchange rates: booking, listing, and invoices that lack one.

-- name: book
-- Adds a rate; one of the same day is kept beside it and counts no longer.
INSERT INTO exchange_rate (currency, effective_from, usd_per_unit, source, actor, recorded_at)
VALUES ($currency, $effective_from, $usd_per_unit, $source, $actor, $now);

-- name: rates
-- The rates in force, by currency and day.
SELECT
    currency,
    effective_from,
    effective_to,
    usd_per_unit,
    source
FROM exchange_rate_in_force
WHERE currency <> 'USD'
ORDER BY currency, effective_from;

-- name: frozen_after
-- Frozen months that a rate from $effective_from would have counted for; must be none.
SELECT MAX(frozen_period.period)
FROM frozen_period
INNER JOIN reconciliation USING (period)
WHERE reconciliation.currency = $currency
    AND LAST_DAY(CAST(frozen_period.period || '-01' AS DATE)) >= $effective_from;

-- name: unconvertible
-- Invoices of open months whose currency has no rate for the last day of the month.
SELECT
    reconciliation.period,
    reconciliation.invoice_id,
    reconciliation.currency,
    LAST_DAY(CAST(reconciliation.period || '-01' AS DATE)) AS wanted_on
FROM reconciliation
LEFT JOIN exchange_rate_in_force AS rate
    ON rate.currency = reconciliation.currency
    AND rate.effective_from <= LAST_DAY(CAST(reconciliation.period || '-01' AS DATE))
WHERE reconciliation.invoice_id IS NOT NULL
    AND rate.currency IS NULL
    AND reconciliation.period NOT IN (
        SELECT period
        FROM frozen_period
    )
ORDER BY ALL;
