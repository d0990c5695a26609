-- Statements of `anchor archive` and `anchor purge`. Relations are called as in the archive: receipts, exception_events,
-- receipt_details. $before and $since are days; a day is [its midnight, the next midnight) UTC.

-- name: days
-- Days with rows that no file of the archive holds yet, oldest first, and the number of their next file.
WITH held AS (
    SELECT
        'receipts' AS relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM receipt
    GROUP BY ALL
    UNION ALL
    SELECT
        'exception_events' AS relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM exception_event
    GROUP BY ALL
),
purged AS (
    SELECT
        relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM purged_row
    GROUP BY ALL
),
archived AS (
    SELECT
        relation,
        day,
        sum(row_count) AS row_count,
        max(part) AS last_part
    FROM archive_file
    GROUP BY ALL
)
SELECT
    relation,
    day,
    coalesce(archived.last_part, 0) + 1 AS next_part
FROM held
LEFT JOIN purged USING (relation, day)
LEFT JOIN archived USING (relation, day)
WHERE day < $before
    AND day >= $since
    AND held.row_count + coalesce(purged.row_count, 0) > coalesce(archived.row_count, 0)
ORDER BY day, relation;

-- name: files
-- Files of the archive that are there, in order.
SELECT
    relation,
    day,
    part,
    path,
    row_count,
    byte_count,
    file_sha256
FROM archive_file
WHERE removed_at IS NULL
ORDER BY relation, day, part;

-- name: create_archived_ids
-- Ids that the files of a day hold already; empty for a day's first file.
CREATE OR REPLACE TEMP TABLE archived_id (row_id VARCHAR);

-- name: read_archived_receipts
-- Fills them from files of receipts, or of their details.
INSERT INTO archived_id
SELECT receipt_id
FROM read_parquet($paths, hive_partitioning = false);

-- name: read_archived_exception_events
-- Fills them from files of exception events.
INSERT INTO archived_id
SELECT event_id
FROM read_parquet($paths, hive_partitioning = false);

-- name: copy_receipts
-- Writes a day's receipts, as they were shipped, that no file of the archive holds; whatever columns they have.
COPY (
    SELECT receipt.*
    FROM receipt
    ANTI JOIN archived_id ON archived_id.row_id = receipt.receipt_id
    WHERE receipt.occurred_at >= $first
        AND receipt.occurred_at < $end
    ORDER BY receipt.occurred_at, receipt.receipt_id
) TO $path (FORMAT parquet, COMPRESSION zstd);

-- name: copy_exception_events
-- Writes a day's exception events that no file of the archive holds.
COPY (
    SELECT exception_event.*
    FROM exception_event
    ANTI JOIN archived_id ON archived_id.row_id = exception_event.event_id
    WHERE exception_event.occurred_at >= $first
        AND exception_event.occurred_at < $end
    ORDER BY exception_event.occurred_at, exception_event.event_id
) TO $path (FORMAT parquet, COMPRESSION zstd);

-- name: collect_lines
-- The usage lines of a day's receipts, before their prices go; of the day alone, since the history is long.
CREATE OR REPLACE TEMP TABLE day_price AS
SELECT receipt_price.*
FROM receipt_price
SEMI JOIN (
    SELECT receipt_id
    FROM receipt
    WHERE occurred_at >= $first
        AND occurred_at < $end
) AS of_day USING (receipt_id);

-- name: copy_receipt_details
-- Writes what is known of a day's receipts in the end, before they leave the warehouse; needs collect_lines.
COPY (
    SELECT
        receipt_detail.*,
        coalesce(lines.usage_lines, []) AS usage_lines
    FROM receipt_detail
    LEFT JOIN (
        SELECT
            receipt_id,
            list(
                {
                    'meter': meter,
                    'quantity': quantity,
                    'unit': unit,
                    'unit_price_usd': unit_price_usd,
                    'cost_usd': cost_usd,
                    'rate_card_id': rate_card_id,
                    'is_estimated': is_estimated
                }
                ORDER BY meter
            ) AS usage_lines
        FROM usage_details_of('day_price')
        GROUP BY receipt_id
    ) AS lines USING (receipt_id)
    ANTI JOIN archived_id ON archived_id.row_id = receipt_detail.receipt_id
    WHERE receipt_detail.occurred_at >= $first
        AND receipt_detail.occurred_at < $end
    ORDER BY receipt_detail.occurred_at, receipt_detail.receipt_id
) TO $path (FORMAT parquet, COMPRESSION zstd);

-- name: note_file
-- Keeps what was written, once it is in its place; its rows are counted in the file itself.
INSERT INTO archive_file (relation, day, part, path, row_count, byte_count, file_sha256, archived_at)
SELECT
    $relation,
    $day,
    $part,
    $path,
    (SELECT count(*) FROM read_parquet($full_path, hive_partitioning = false)),
    $byte_count,
    $file_sha256,
    make_timestamp($now_us)
RETURNING row_count;

-- name: row_candidates
-- Days of receipts and exception events that are past their term, and what forbids to purge them; NULL = nothing.
WITH held AS (
    SELECT
        'receipts' AS relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM receipt
    WHERE CAST(occurred_at AS DATE) < $receipts_before
    GROUP BY ALL
    UNION ALL
    SELECT
        'exception_events' AS relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM exception_event
    WHERE CAST(occurred_at AS DATE) < $events_before
    GROUP BY ALL
),
purged AS (
    SELECT
        relation,
        CAST(occurred_at AS DATE) AS day,
        count(*) AS row_count
    FROM purged_row
    GROUP BY ALL
),
archived AS (
    SELECT
        relation,
        day,
        sum(row_count) AS row_count,
        bool_or(removed_at IS NOT NULL) AS is_partly_gone
    FROM archive_file
    GROUP BY ALL
),
open_period AS (
    SELECT DISTINCT period
    FROM reconciliation
    WHERE status NOT IN ('signed_off', 'frozen')
),
-- A day at the end of a month may hold receipts of two: not all sources bill UTC months.
unclosed AS (
    SELECT
        'receipts' AS relation,
        day,
        min(period) AS period
    FROM (
        SELECT DISTINCT
            CAST(receipt.occurred_at AS DATE) AS day,
            billed_month(edge_receipt.period, receipt.occurred_at) AS period
        FROM receipt
        LEFT JOIN edge_receipt USING (receipt_id)
        WHERE CAST(receipt.occurred_at AS DATE) < $receipts_before
    ) AS period_of_day
    WHERE period NOT IN (SELECT period FROM frozen_period)
        OR period IN (SELECT period FROM open_period)
    GROUP BY day
)
SELECT
    relation,
    day,
    held.row_count,
    CASE
        WHEN coalesce(archived.row_count, 0) < held.row_count + coalesce(purged.row_count, 0)
            THEN 'not archived yet; run: anchor archive'
        WHEN archived.is_partly_gone
            THEN 'its archive is removed'
        WHEN unclosed.period IS NOT NULL
            THEN 'period ' || unclosed.period || ' is not closed'
    END AS kept_because
FROM held
LEFT JOIN purged USING (relation, day)
LEFT JOIN archived USING (relation, day)
LEFT JOIN unclosed USING (relation, day)
ORDER BY relation, day;

-- name: file_candidates
-- Files of the archive that are past their term, and what forbids to remove them; NULL = nothing.
WITH held AS (
    SELECT
        'receipts' AS relation,
        CAST(occurred_at AS DATE) AS day
    FROM receipt
    UNION
    SELECT
        'exception_events' AS relation,
        CAST(occurred_at AS DATE) AS day
    FROM exception_event
)
SELECT
    archive_file.path,
    archive_file.day,
    archive_file.row_count,
    archive_file.byte_count,
    archive_file.file_sha256,
    -- Else the rows would be archived anew at the next run.
    CASE WHEN held.day IS NOT NULL THEN 'its rows are still in the warehouse' END AS kept_because
FROM archive_file
LEFT JOIN held
    ON held.day = archive_file.day
    AND held.relation = archive_file.relation
WHERE archive_file.removed_at IS NULL
    AND archive_file.day < $archive_before
ORDER BY archive_file.path;

-- name: quarantine_candidates
-- Files in quarantine that are past their term; what was sound in them is shipped.
SELECT
    moved_to,
    max(found_at) AS found_at,
    max(salvaged_count) AS salvaged_count
FROM quarantined_file
WHERE removed_at IS NULL
GROUP BY moved_to
HAVING max(found_at) < $quarantine_before
ORDER BY moved_to;

-- name: lacks_details
-- Whether the archive lacks details of a day's receipts; not so when a run was killed after writing them.
SELECT count(*) > (
    SELECT coalesce(sum(row_count), 0)
    FROM archive_file
    WHERE relation = 'receipt_details'
        AND day = $day
) - (
    SELECT count(*)
    FROM purged_row
    WHERE relation = 'receipts'
        AND occurred_at >= $first
        AND occurred_at < $end
)
FROM receipt
WHERE occurred_at >= $first
    AND occurred_at < $end;

-- name: remember_receipts
-- Keeps the keys of a day's receipts: a clone or a backup of their outbox may still come back.
INSERT INTO purged_row (relation, row_id, occurred_at, outbox_id, writer_seq, purged_at)
SELECT
    'receipts',
    receipt_id,
    occurred_at,
    outbox_id,
    writer_seq,
    make_timestamp($now_us)
FROM receipt
WHERE occurred_at >= $first
    AND occurred_at < $end
ORDER BY receipt_id;

-- name: remember_exception_events
-- The same for a day's exception events.
INSERT INTO purged_row (relation, row_id, occurred_at, outbox_id, writer_seq, purged_at)
SELECT
    'exception_events',
    event_id,
    occurred_at,
    outbox_id,
    writer_seq,
    make_timestamp($now_us)
FROM exception_event
WHERE occurred_at >= $first
    AND occurred_at < $end
ORDER BY event_id;

-- name: forget_meters
-- What was derived from a day's receipts goes with them.
DELETE FROM receipt_meters
WHERE receipt_id IN (SELECT receipt_id FROM receipt WHERE occurred_at >= $first AND occurred_at < $end);

-- name: forget_prices
-- Their prices; the archive holds them in receipt_details.
DELETE FROM receipt_price
WHERE receipt_id IN (SELECT receipt_id FROM receipt WHERE occurred_at >= $first AND occurred_at < $end);

-- name: forget_anchors
-- Their shares of invoices; as before. The split of the bill by application stays.
DELETE FROM receipt_anchor
WHERE receipt_id IN (SELECT receipt_id FROM receipt WHERE occurred_at >= $first AND occurred_at < $end);

-- name: forget_settlements
-- Which of them billed an object.
DELETE FROM settlement
WHERE receipt_id IN (SELECT receipt_id FROM receipt WHERE occurred_at >= $first AND occurred_at < $end);

-- name: forget_findings
-- What the policy found about them.
DELETE FROM policy_finding
WHERE receipt_id IN (SELECT receipt_id FROM receipt WHERE occurred_at >= $first AND occurred_at < $end);

-- name: forget_receipts
-- The receipts of a day.
DELETE FROM receipt
WHERE occurred_at >= $first
    AND occurred_at < $end;

-- name: forget_exception_events
-- The exception events of a day.
DELETE FROM exception_event
WHERE occurred_at >= $first
    AND occurred_at < $end;

-- name: note_removed_file
-- Notes that retention removes a file of the archive.
UPDATE archive_file
SET removed_at = make_timestamp($now_us)
WHERE path = $path;

-- name: note_removed_quarantine
-- Notes that retention removes a file from quarantine.
UPDATE quarantined_file
SET removed_at = make_timestamp($now_us)
WHERE moved_to = $moved_to;

-- name: removed_files
-- Files that retention has noted as removed; one may still lie there when a run was killed in between.
SELECT path
FROM archive_file
WHERE removed_at IS NOT NULL
ORDER BY path;

-- name: removed_quarantine
-- The same of the quarantine.
SELECT DISTINCT moved_to
FROM quarantined_file
WHERE removed_at IS NOT NULL
ORDER BY moved_to;
