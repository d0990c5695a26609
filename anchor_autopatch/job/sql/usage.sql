-- Usage reports of providers: landed by bucket, summed by period.

-- name: buckets_in_force
-- What a report in force says about some days, given as two lists of bounds.
SELECT
    period_start,
    period_end,
    model_raw,
    meter,
    quantity,
    project,
    api_key,
    tier
FROM usage_bucket
WHERE source = $source
    AND operation = $operation
    AND provider = $provider
    AND account = $account
    AND superseded_at IS NULL
    AND EXISTS (
        SELECT 1
        FROM (
            SELECT
                UNNEST($starts::TIMESTAMP[]) AS day_start,
                UNNEST($ends::TIMESTAMP[]) AS day_end
        ) AS restated
        WHERE usage_bucket.period_start < restated.day_end
            AND usage_bucket.period_end > restated.day_start
    )
ORDER BY ALL;

-- name: supersede_buckets
-- Takes the buckets of restated days out of force; their rows stay as evidence.
UPDATE usage_bucket
SET superseded_at = $now
WHERE source = $source
    AND operation = $operation
    AND provider = $provider
    AND account = $account
    AND superseded_at IS NULL
    AND EXISTS (
        SELECT 1
        FROM (
            SELECT
                UNNEST($starts::TIMESTAMP[]) AS day_start,
                UNNEST($ends::TIMESTAMP[]) AS day_end
        ) AS restated
        WHERE usage_bucket.period_start < restated.day_end
            AND usage_bucket.period_end > restated.day_start
    );

-- name: insert_buckets
-- Puts buckets in force; one list for each column, all of one length.
INSERT INTO usage_bucket (
    source, operation, provider, account, period, period_start, period_end, model_raw, meter,
    project, api_key, tier, quantity, document_sha256, fetched_at
)
SELECT
    $source,
    $operation,
    $provider,
    $account,
    $period,
    UNNEST($period_start::TIMESTAMP[]),
    UNNEST($period_end::TIMESTAMP[]),
    UNNEST($model_raw::VARCHAR[]),
    UNNEST($meter::VARCHAR[]),
    UNNEST($project::VARCHAR[]),
    UNNEST($api_key::VARCHAR[]),
    UNNEST($tier::VARCHAR[]),
    UNNEST($quantity::DECIMAL(38, 9)[]),
    $document_sha256,
    $now;

-- name: forget_evidence
-- Makes room for the sums of one scope.
DELETE FROM usage_evidence
WHERE provider = $provider
    AND account = $account
    AND period = $period;

-- name: sum_evidence
-- Sums the buckets in force of one scope; the document is the newest of those summed.
INSERT INTO usage_evidence (
    provider, account, period, model_raw, meter, quantity, document_sha256
)
SELECT
    provider,
    account,
    period,
    model_raw,
    meter,
    SUM(quantity) AS quantity,
    ARG_MAX(document_sha256, (fetched_at, document_sha256)) AS document_sha256
FROM usage_bucket
WHERE provider = $provider
    AND account = $account
    AND period = $period
    AND superseded_at IS NULL
GROUP BY provider, account, period, model_raw, meter;

-- name: known_receipts
-- Which of these receipts, given as two lists, the warehouse has: by their id, or by the response that they paid for.
WITH told AS (
    SELECT
        UNNEST($receipt_ids::VARCHAR[]) AS receipt_id,
        UNNEST($response_ids::VARCHAR[]) AS response_id
)
SELECT receipt_id
FROM told
SEMI JOIN receipt USING (receipt_id)
UNION
SELECT told.receipt_id
FROM told
SEMI JOIN (
    SELECT response_id
    FROM receipt
    WHERE response_id IS NOT NULL
        AND billable
) AS paid USING (response_id);
