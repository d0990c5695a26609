-- What `anchor verify` asks of corrections, entries that are only ever added: each statement returns what is off.

-- name: total
-- How many entries there are.
SELECT count(*)
FROM correction;

-- name: numbers
-- Numbers of entries that are missing or given twice; they count from 1.
SELECT
    expected.correction_no,
    count(correction.correction_no) AS row_count
FROM (
    SELECT unnest(range(1, coalesce((SELECT max(correction_no) FROM correction), 0) + 1)) AS correction_no
) AS expected
LEFT JOIN correction USING (correction_no)
GROUP BY expected.correction_no
HAVING count(correction.correction_no) <> 1
ORDER BY ALL;

-- name: digests
-- Of the decision $correction_id, or of each when it is NULL: its first and last number, SHA-256 over its entries.
SELECT
    correction_id,
    min(correction_no) AS first_no,
    max(correction_no) AS last_no,
    sha256(string_agg(
        to_json([
            correction_no::VARCHAR,
            receipt_id,
            field,
            old_value,
            new_value,
            actor,
            reason,
            recorded_at::VARCHAR
        ])::VARCHAR,
        chr(10) ORDER BY correction_no
    )) AS entries_sha256
FROM correction
WHERE correction_id = coalesce($correction_id, correction_id)
GROUP BY correction_id
ORDER BY first_no;

-- name: decisions
-- What the chain of decisions says of each, in its order.
SELECT
    correction_id,
    first_no,
    last_no,
    entries_sha256
FROM correction_decision
ORDER BY decision_no;

-- name: receipts
-- Entries about receipts that were never there; those that retention took away were.
SELECT
    correction_no,
    receipt_id
FROM correction
ANTI JOIN receipt USING (receipt_id)
ANTI JOIN purged_row
    ON purged_row.row_id = correction.receipt_id
    AND purged_row.relation = 'receipts'
ORDER BY ALL;

-- name: values
-- Entries that replace another value than the entry before them, about the same field, had put in force.
SELECT
    correction_no,
    receipt_id,
    field,
    coalesce(old_value, 'nothing') AS old_value,
    coalesce(value_before, 'nothing') AS value_before
FROM (
    SELECT
        correction_no,
        receipt_id,
        field,
        old_value,
        lag(new_value) OVER entries AS value_before,
        row_number() OVER entries AS place
    FROM correction
    WHERE field <> 'released'
    WINDOW entries AS (PARTITION BY receipt_id, field ORDER BY correction_no)
)
WHERE place > 1
    AND old_value IS DISTINCT FROM value_before
ORDER BY ALL;
