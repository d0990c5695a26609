-- name: forget_fetch
-- Of payloads that are booked together, grouped and ungrouped, the last one says what was told.
DELETE FROM invoice_fetch
WHERE invoice_id = $invoice_id
    AND fetched_at = $now;

-- name: keep_fetch
-- Notes that a cost API told days of an invoice, and what all its lines came to then.
INSERT INTO invoice_fetch (invoice_id, fetched_at, covered_to, lines_sha256)
SELECT
    $invoice_id,
    $now,
    $covered_to,
    SHA256(COALESCE(STRING_AGG(line_id || ' ' || amount, ',' ORDER BY line_id, amount), ''))
FROM invoice_line
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL;

-- name: keep_document
-- Stores a payload once; returns its hash when it was new.
INSERT INTO invoice_document (
    document_sha256, file_name, format, byte_count, payload, imported_at
)
VALUES ($sha256, $file_name, $format, $byte_count, $payload, $now)
ON CONFLICT DO NOTHING
RETURNING document_sha256;

-- name: seen_providers
-- Providers that receipts name, beside those that the host table knows.
SELECT DISTINCT provider
FROM receipt
ORDER BY provider;

-- name: frozen_periods
-- Periods that take no invoice any more.
SELECT period
FROM frozen_period
ORDER BY period;

-- name: rivals
-- Invoices in force that share the id or the scope of a new one.
SELECT
    invoice_id,
    source,
    authority,
    provider,
    account,
    period,
    currency,
    total,
    lines_sha256
FROM invoice
WHERE superseded_at IS NULL
    AND (
        invoice_id = $invoice_id
        OR (provider = $provider AND account = $account AND period = $period)
    )
ORDER BY invoice_id;

-- name: insert_invoice
-- Puts one invoice in force.
INSERT INTO invoice (
    invoice_id, source, authority, provider, account, period, currency, minor_units, total,
    is_detailed, lines_sha256, document_sha256, imported_at
)
VALUES (
    $invoice_id, $source, $authority, $provider, $account, $period, $currency, $minor_units, $total,
    $is_detailed, $lines_sha256, $document_sha256, $now
);

-- name: insert_lines
-- Puts lines in force; one list for each column, all of one length.
INSERT INTO invoice_line (
    invoice_line_id, invoice_id, source, source_account, payload_sha256, fetched_at, provider,
    period_start, period_end, billing_month, line_id, charge_category, description, service,
    model_raw, meter, tier, region, project, api_key, user_id, tags, quantity, quantity_unit,
    amount, amount_text, currency, list_amount, is_final
)
SELECT
    $invoice_id || ':' || UNNEST($line_id::VARCHAR[]),
    $invoice_id,
    $source,
    $account,
    UNNEST($document_sha256::VARCHAR[]),
    $now,
    $provider,
    UNNEST($period_start::TIMESTAMP[]),
    UNNEST($period_end::TIMESTAMP[]),
    $period,
    UNNEST($line_id::VARCHAR[]),
    UNNEST($charge_category::VARCHAR[]),
    UNNEST($description::VARCHAR[]),
    UNNEST($service::VARCHAR[]),
    UNNEST($model_raw::VARCHAR[]),
    UNNEST($meter::VARCHAR[]),
    UNNEST($tier::VARCHAR[]),
    UNNEST($region::VARCHAR[]),
    UNNEST($project::VARCHAR[]),
    UNNEST($api_key::VARCHAR[]),
    UNNEST($user_id::VARCHAR[]),
    UNNEST($tags::VARCHAR[]),
    UNNEST($quantity::DECIMAL(38, 9)[]),
    UNNEST($quantity_unit::VARCHAR[]),
    UNNEST($amount::DECIMAL(38, 12)[]),
    UNNEST($amount_text::VARCHAR[]),
    UNNEST($currency::VARCHAR[]),
    UNNEST($list_amount::DECIMAL(38, 12)[]),
    UNNEST($is_final::BOOLEAN[]);

-- name: supersede_invoice
-- Takes an invoice out of force; its row stays as evidence.
UPDATE invoice
SET superseded_at = $now
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL;

-- name: supersede_lines
-- Takes all lines of an invoice out of force.
UPDATE invoice_line
SET superseded_at = $now
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL;

-- name: supersede_days
-- Takes the lines of restated days, given as two lists of bounds, out of force.
UPDATE invoice_line
SET superseded_at = $now
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL
    AND EXISTS (
        SELECT 1
        FROM (
            SELECT
                UNNEST($starts::TIMESTAMP[]) AS day_start,
                UNNEST($ends::TIMESTAMP[]) AS day_end
        ) AS restated
        WHERE invoice_line.period_start < restated.day_end
            AND invoice_line.period_end > restated.day_start
    );

-- name: days_in_force
-- What the lines in force of an invoice say about some days, to see whether a restatement changes anything.
SELECT
    line_id,
    amount
FROM invoice_line
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL
    AND EXISTS (
        SELECT 1
        FROM (
            SELECT
                UNNEST($starts::TIMESTAMP[]) AS day_start,
                UNNEST($ends::TIMESTAMP[]) AS day_end
        ) AS restated
        WHERE invoice_line.period_start < restated.day_end
            AND invoice_line.period_end > restated.day_start
    )
ORDER BY line_id;

-- name: grouped_days
-- Sums of those days, given as two lists of bounds, of which lines in force say what they charge for.
SELECT
    period_start,
    period_end,
    SUM(amount) AS amount
FROM invoice_line
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL
    AND (period_start, period_end) IN (
        SELECT
            UNNEST($starts::TIMESTAMP[]),
            UNNEST($ends::TIMESTAMP[])
    )
GROUP BY period_start, period_end
HAVING BOOL_OR(COALESCE(description, model_raw, project, api_key) IS NOT NULL);

-- name: last_usage
-- End of the last usage that the lines in force of an invoice charge for.
SELECT MAX(period_end) AS last_usage
FROM invoice_line
WHERE invoice_id = $invoice_id
    AND charge_category = 'usage'
    AND superseded_at IS NULL;

-- name: outdated
-- Whether lines of a document were superseded and nothing of it was put in force since.
SELECT
    MAX(superseded_at) >= MAX(fetched_at) AS is_outdated
FROM invoice_line
WHERE invoice_id = $invoice_id
    AND payload_sha256 = $document_sha256;

-- name: sum_lines
-- Exact sum of the lines in force of an invoice, and whether any is detailed.
SELECT
    COALESCE(SUM(amount), 0) AS total,
    COALESCE(
        BOOL_OR(COALESCE(model_raw, meter, project, api_key) IS NOT NULL),
        FALSE
    ) AS is_detailed
FROM invoice_line
WHERE invoice_id = $invoice_id
    AND superseded_at IS NULL;

-- name: list_invoices
-- Invoices in force with what each is in its scope.
SELECT
    invoice.minor_units,
    invoice.invoice_id,
    invoice.source,
    invoice.provider,
    invoice.account,
    invoice.period,
    invoice.total,
    invoice.currency,
    (
        SELECT COUNT(*)
        FROM invoice_line AS line
        WHERE line.invoice_id = invoice.invoice_id
            AND line.superseded_at IS NULL
    ) AS line_count,
    control.invoice_id = invoice.invoice_id AS is_control_total,
    control.breakdown_invoice_id = invoice.invoice_id AS is_breakdown,
    COALESCE(
        (
            SELECT SUM(line.amount)
            FROM control_line AS line
            WHERE line.invoice_line_id = invoice.invoice_id || ':residual'
        ),
        0
    ) AS residual,
    invoice.document_sha256,
    invoice.imported_at
FROM invoice
INNER JOIN control_total AS control USING (provider, account, period)
WHERE invoice.superseded_at IS NULL
ORDER BY invoice.period, invoice.provider, invoice.account, invoice.authority DESC, invoice.invoice_id;
