-- Statements that turn raw usage into meters; the reading itself is Python.

-- name: measured_since
-- The instant before which all receipts of open periods have meters of version $meter_version; NULL = not known.
-- The pricing run notes the version in its knowledge, after measuring, and how many shipments there were.
SELECT LEAST(
    priced_at - TO_MICROSECONDS($look_back_us),
    (
        SELECT MIN(shipment.shipped_at)
        FROM shipment
        WHERE shipment.rowid >= COALESCE(pricing_run.shipment_count, 0)
    )
)
FROM pricing_run
WHERE SPLIT_PART(knowledge, '|', 2) = CAST($meter_version AS VARCHAR)
    AND priced_at = (SELECT MAX(priced_at) FROM pricing_run);

-- name: collect_unmeasured
-- Numbers the receipts without meters of version $meter_version that were shipped at $since or later, so that batches
-- are cheap ranges. Receipts of frozen periods keep the meters that they were frozen with.
CREATE OR REPLACE TEMP TABLE unmeasured AS
SELECT
    row_number() OVER () - 1 AS n,
    receipt.receipt_id,
    receipt.usage_shape,
    receipt.raw_usage,
    receipt.price_facts,
    receipt.submission_facts
FROM settled_receipt AS receipt
ANTI JOIN (
    SELECT receipt_id
    FROM receipt_meters
    WHERE meter_version = $meter_version
) AS measured USING (receipt_id)
ANTI JOIN (
    SELECT receipt_id
    FROM receipt
    SEMI JOIN receipt_meters USING (receipt_id)
    WHERE shipped_at >= $since
        AND in_frozen_month(receipt_id, occurred_at)
) AS frozen USING (receipt_id)
WHERE receipt.shipped_at >= $since;

-- name: count_unmeasured
-- How many receipts wait.
SELECT COUNT(*) FROM unmeasured;

-- name: read_unmeasured
-- One batch, [$first, $end).
SELECT
    receipt_id,
    usage_shape,
    raw_usage,
    price_facts,
    submission_facts
FROM unmeasured
WHERE n >= $first AND n < $end
ORDER BY n;

-- name: forget_measured
-- Removes what an older version measured of one batch, [$first, $end).
DELETE FROM receipt_meters
WHERE receipt_id IN (
    SELECT receipt_id
    FROM unmeasured
    WHERE n >= $first AND n < $end
);

-- name: drop_unmeasured
-- Ends the run.
DROP TABLE unmeasured;
