-- Rows of report.duckdb, opened read-only, on their way into a FOCUS file.

-- name: select_charges
-- The rows to export: one month or all, billed ones only where asked for.
CREATE OR REPLACE TEMP TABLE charge AS
SELECT *
FROM focus_cost_and_usage
WHERE ($period IS NULL OR strftime(BillingPeriodStart, '%Y-%m') = $period)
    AND (NOT $billed_only OR InvoiceId IS NOT NULL);

-- name: totals
-- Rows and sums by currency.
SELECT
    BillingCurrency,
    count(*) AS row_count,
    sum(BilledCost) AS billed_cost
FROM charge
GROUP BY BillingCurrency
ORDER BY BillingCurrency;

-- name: write_csv
-- FOCUS DateTimeFormat: ISO 8601 in UTC with Z.
COPY charge TO $path (FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ');

-- name: write_parquet
-- The same with native types; instants are UTC.
COPY charge TO $path (FORMAT parquet);
