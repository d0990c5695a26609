-- Statements of `anchor verify`: each returns what is off, one row a fault, and no row where the chain holds.
-- The columns go, in order, into the sentence that job/verify keeps beside the name. Money is compared exactly.

-- name: shipments
-- Every batch ever shipped, in the order of its rows, and whether its rows can be told from those of other batches.
SELECT
    outbox_id,
    after_seq,
    last_seq,
    receipt_count,
    event_count,
    duplicate_count,
    checksum,
    -- A clone or a restored file numbers other rows alike.
    count(*) FILTER (WHERE after_seq = 0) OVER (PARTITION BY outbox_id) = 1 AS is_only_writer,
    row_format,
    -- Retention may have removed rows, and later their archive too: of those only the counts are left.
    outbox_id NOT IN (
        SELECT purged_row.outbox_id
        FROM purged_row
        JOIN archive_file
            ON archive_file.relation = purged_row.relation
            AND archive_file.day = CAST(purged_row.occurred_at AS DATE)
        WHERE archive_file.removed_at IS NOT NULL
    ) AS is_kept,
    path
FROM shipment
ORDER BY outbox_id, after_seq, last_seq;

-- name: archived_files
-- Files of the archive that hold rows which are no longer in the warehouse.
SELECT DISTINCT archive_file.path
FROM archive_file
JOIN purged_row
    ON purged_row.relation = archive_file.relation
    AND CAST(purged_row.occurred_at AS DATE) = archive_file.day
WHERE archive_file.removed_at IS NULL
    AND archive_file.relation = $relation
ORDER BY archive_file.path;

-- name: kept_receipts
-- Every receipt that is left: while nothing was purged, the table.
CREATE OR REPLACE TEMP VIEW kept_receipt AS
SELECT *
FROM receipt;

-- name: kept_receipts_with_archive
-- Every receipt that is left: the table, and what only files of the archive hold. They may lack newer columns.
CREATE OR REPLACE TEMP VIEW kept_receipt AS
SELECT *
FROM receipt
UNION ALL BY NAME
SELECT archived.*
FROM read_parquet(getvariable('archived_receipts'), hive_partitioning = false, union_by_name = true) AS archived
SEMI JOIN purged_row
    ON purged_row.row_id = archived.receipt_id
    AND purged_row.relation = 'receipts';

-- name: name_archived_receipts
-- The files that it reads.
SET VARIABLE archived_receipts = $paths;

-- name: kept_exception_events
-- As for receipts.
CREATE OR REPLACE TEMP VIEW kept_exception_event AS
SELECT *
FROM exception_event;

-- name: kept_exception_events_with_archive
-- As for receipts.
CREATE OR REPLACE TEMP VIEW kept_exception_event AS
SELECT *
FROM exception_event
UNION ALL BY NAME
SELECT archived.*
FROM read_parquet(getvariable('archived_exception_events'), hive_partitioning = false, union_by_name = true)
    AS archived
SEMI JOIN purged_row
    ON purged_row.row_id = archived.event_id
    AND purged_row.relation = 'exception_events';

-- name: name_archived_exception_events
-- The files that it reads.
SET VARIABLE archived_exception_events = $paths;

-- name: receipt_rows
-- Every receipt, in the warehouse or in the archive alone, as its writer numbered it, in the fields and types of the outbox.
SELECT
    outbox_id,
    writer_seq,
    receipt_id,
    epoch_us(occurred_at) AS occurred_at_us,
    duration_us,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    user_id,
    request_id,
    trace_id,
    span_id,
    call_site,
    labels,
    attribution_source,
    provider,
    provider_host,
    api_key_id,
    sdk,
    operation,
    request_model,
    response_model,
    response_id,
    provider_request_id,
    outcome,
    http_status,
    stream::INTEGER AS stream,
    attempts,
    usage_source,
    usage_shape,
    raw_usage,
    price_facts,
    billable::INTEGER AS billable,
    parent_receipt_id
FROM kept_receipt
ORDER BY outbox_id, writer_seq;

-- name: event_rows
-- Every exception event, in the warehouse or in the archive alone, as its writer numbered it, in the fields and types of the outbox.
SELECT
    outbox_id,
    writer_seq,
    event_id,
    epoch_us(occurred_at) AS occurred_at_us,
    event_class,
    provider,
    dependency,
    http_status,
    code,
    exception_type,
    message,
    sdk,
    operation,
    request_model,
    attempts,
    retried::INTEGER AS retried,
    receipt_id,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    user_id,
    request_id,
    trace_id,
    span_id,
    call_site,
    labels,
    attribution_source,
    -- Files of the archive that are older than the column hold single failures.
    coalesce(occurrences, 1) AS occurrences
FROM kept_exception_event
ORDER BY outbox_id, writer_seq;

-- name: totals
-- What the chain is about: how much of each link there is.
SELECT
    (SELECT count(*) FROM shipment) AS shipments,
    (SELECT count(*) FROM receipt) AS receipts,
    (SELECT count(*) FROM exception_event) AS events,
    (SELECT count(*) FROM purged_row) AS purged,
    (SELECT count(*) FROM receipt_meters) AS measured,
    (SELECT count(*) FROM receipt_price) AS priced,
    (SELECT count(*) FROM invoice WHERE superseded_at IS NULL) AS invoices,
    (SELECT count(*) FROM invoice_document) AS documents,
    (SELECT count(*) FROM receipt_anchor) AS anchored;

-- name: watermarks
-- Outboxes whose watermark is not where their last batch ended.
SELECT
    outbox.outbox_id,
    outbox.watermark,
    coalesce(arg_max(shipment.last_seq, shipment.rowid), 0) AS last_seq
FROM outbox
LEFT JOIN shipment USING (outbox_id, path)
GROUP BY outbox.outbox_id, outbox.path, outbox.watermark
HAVING outbox.watermark <> coalesce(arg_max(shipment.last_seq, shipment.rowid), 0)
ORDER BY ALL;

-- name: unaccounted_numbers
-- Batches whose numbers are not all shipped, known already or known to be lost.
SELECT
    outbox_id,
    after_seq,
    last_seq,
    receipt_count + event_count + duplicate_count + corrupt_count + missing_count AS accounted
FROM shipment
WHERE corrupt_count = 0
    AND last_seq - after_seq <> receipt_count + event_count + duplicate_count + missing_count
ORDER BY ALL;

-- name: rows_of_outboxes
-- Outboxes of which the warehouse holds, or held until retention took them, another number of rows than was shipped.
WITH shipped AS (
    SELECT
        outbox_id,
        sum(receipt_count + event_count) AS row_count
    FROM shipment
    GROUP BY outbox_id
),
held AS (
    SELECT
        outbox_id,
        count(*) AS row_count
    FROM (
        SELECT outbox_id FROM receipt
        UNION ALL
        SELECT outbox_id FROM exception_event
        UNION ALL
        SELECT outbox_id FROM purged_row
    )
    GROUP BY outbox_id
)
SELECT
    outbox_id,
    coalesce(shipped.row_count, 0) AS shipped_count,
    coalesce(held.row_count, 0) AS held_count
FROM shipped
FULL JOIN held USING (outbox_id)
WHERE shipped_count <> held_count
ORDER BY ALL;

-- name: doubled_receipts
-- Receipts that are, or were, in the warehouse more than once.
SELECT
    receipt_id,
    count(*) AS row_count
FROM (
    SELECT receipt_id FROM receipt
    UNION ALL
    SELECT row_id FROM purged_row WHERE relation = 'receipts'
)
GROUP BY receipt_id
HAVING count(*) > 1
ORDER BY ALL;

-- name: doubled_events
-- Exception events that are, or were, in the warehouse more than once.
SELECT
    event_id,
    count(*) AS row_count
FROM (
    SELECT event_id FROM exception_event
    UNION ALL
    SELECT row_id FROM purged_row WHERE relation = 'exception_events'
)
GROUP BY event_id
HAVING count(*) > 1
ORDER BY ALL;

-- name: unmeasured_receipts
-- Receipts without exactly one row of meters.
SELECT
    receipt_id,
    count(receipt_meters.receipt_id) AS row_count
FROM receipt
LEFT JOIN receipt_meters USING (receipt_id)
GROUP BY receipt_id
HAVING count(receipt_meters.receipt_id) <> 1
ORDER BY ALL;

-- name: meters_of_nothing
-- Meters of receipts that are not there.
SELECT receipt_id
FROM receipt_meters
ANTI JOIN receipt USING (receipt_id)
ORDER BY ALL;

-- name: doubled_objects
-- Objects that a retrieval bills beside a call or another retrieval. Calls may share an id: some servers repeat theirs.
SELECT
    object_receipt.issuer,
    object_receipt.response_id,
    count(*) AS billed_count
FROM object_receipt
JOIN settled_receipt AS receipt USING (receipt_id)
WHERE receipt.billable
GROUP BY object_receipt.issuer, object_receipt.response_id
HAVING count(*) > 1
    AND bool_or(object_receipt.role = 'retrieval')
ORDER BY ALL;

-- name: unpriced_receipts
-- Billable receipts without exactly one price; `unpriced` is a price status, too.
SELECT
    receipt_id,
    count(receipt_price.receipt_id) AS row_count
FROM settled_receipt AS receipt
LEFT JOIN receipt_price USING (receipt_id)
WHERE receipt.billable
GROUP BY receipt_id
HAVING count(receipt_price.receipt_id) <> 1
ORDER BY ALL;

-- name: broken_sums
-- Receipts whose price is not the sum of their usage lines.
WITH line_sum AS (
    SELECT
        receipt_id,
        sum(cost_usd) AS cost_usd
    FROM usage_line
    GROUP BY receipt_id
)
SELECT
    receipt_price.receipt_id,
    receipt_price.estimated_cost_usd,
    line_sum.cost_usd
FROM receipt_price
LEFT JOIN line_sum USING (receipt_id)
WHERE receipt_price.estimated_cost_usd IS NOT NULL
    AND receipt_price.estimated_cost_usd <> coalesce(line_sum.cost_usd, 0)
ORDER BY ALL;

-- name: prices_without_card
-- Prices that name a rate card which is not there, or none.
SELECT
    receipt_id,
    price_status,
    coalesce(rate_card_id, 'none') AS rate_card_id
FROM receipt_price
ANTI JOIN rate_card USING (rate_card_id)
WHERE price_status IN ('priced', 'priced_by_alias', 'zero_rated')
ORDER BY ALL;

-- name: rate_sheets
-- Every unit price beside the published fields that it was worked out from, by the rules of $card_version.
SELECT
    rate_sheet.rate_sheet_id,
    rate_sheet.fields,
    rate.* EXCLUDE (rate_id, rate_sheet_id)
FROM rate_sheet
LEFT JOIN rate USING (rate_sheet_id)
WHERE rate_sheet.card_version = $card_version
ORDER BY rate_sheet.rate_sheet_id;

-- name: documents
-- Every document that an invoice came in, as it was kept.
SELECT
    file_name,
    document_sha256,
    byte_count,
    payload
FROM invoice_document
ORDER BY document_sha256;

-- name: broken_controls
-- Control totals that their lines, the residual line included, do not sum to.
SELECT
    control_total.invoice_id,
    control_total.total,
    coalesce(sum(control_line.amount), 0) AS line_sum,
    control_total.currency
FROM control_total
LEFT JOIN control_line USING (invoice_id)
GROUP BY control_total.invoice_id, control_total.total, control_total.currency
HAVING control_total.total <> coalesce(sum(control_line.amount), 0)
ORDER BY ALL;

-- name: broken_splits
-- Invoices that one of the splits does not sum to, to the minor unit.
WITH split_sum AS (
    SELECT
        split,
        invoice_id,
        sum(anchored_cost) AS amount
    FROM cost_split
    WHERE invoice_id IS NOT NULL
    GROUP BY split, invoice_id
),
key AS (
    SELECT unnest(['app', 'feature', 'user', 'request']) AS split
)
SELECT
    reconciliation.invoice_id,
    key.split,
    reconciliation.invoice_total,
    coalesce(split_sum.amount, 0) AS split_sum,
    reconciliation.currency
FROM reconciliation
CROSS JOIN key
LEFT JOIN split_sum
    ON split_sum.split = key.split
    AND split_sum.invoice_id = reconciliation.invoice_id
WHERE reconciliation.invoice_id IS NOT NULL
    AND reconciliation.invoice_total <> coalesce(split_sum.amount, 0)
ORDER BY ALL;

-- name: unreconciled_invoices
-- Control totals that the last run of reconcile did not see, or saw with another amount.
SELECT
    control_total.invoice_id,
    control_total.total,
    coalesce(CAST(reconciliation.invoice_total AS VARCHAR), 'nothing') AS reconciled_total,
    control_total.currency
FROM control_total
LEFT JOIN reconciliation USING (invoice_id)
WHERE control_total.total IS DISTINCT FROM reconciliation.invoice_total
ORDER BY ALL;

-- name: broken_anchors
-- Invoices whose receipts, with what no receipt explains, do not carry the whole total. A receipt's share is cut off
-- after 18 decimals, so each may lack less than 1e-18.
WITH carried AS (
    SELECT
        invoice_id,
        sum(anchored_cost) AS amount,
        count(*) AS row_count
    FROM receipt_anchor
    GROUP BY invoice_id
)
SELECT
    reconciliation.invoice_id,
    reconciliation.invoice_total,
    coalesce(carried.amount, 0) + reconciliation.unexplained AS found,
    reconciliation.currency
FROM reconciliation
LEFT JOIN carried USING (invoice_id)
WHERE reconciliation.invoice_id IS NOT NULL
    -- The shares of purged receipts are in the archive; the split of their bill stays, and is checked above.
    AND reconciliation.period NOT IN (
        SELECT strftime(occurred_at, '%Y-%m')
        FROM purged_row
        WHERE relation = 'receipts'
    )
    AND abs(found - reconciliation.invoice_total)
        > greatest(1, coalesce(carried.row_count, 0)) * CAST(0.000000000001 AS DECIMAL(38, 18))
ORDER BY ALL;

-- name: doubled_anchors
-- Receipts that carry a share of more than one invoice, or of none that is in force.
SELECT
    receipt_id,
    count(*) AS row_count
FROM receipt_anchor
GROUP BY receipt_id
HAVING count(*) > 1
ORDER BY ALL;

-- name: stale_report
-- Relations of the published report that hold another number of rows than the warehouse they were made from.
SELECT
    relation,
    published,
    held
FROM (
    SELECT
        'receipts' AS relation,
        (SELECT count(*) FROM report.receipts) AS published,
        -- Published are also those that retention has left in the archive alone.
        (SELECT count(*) FROM receipt)
            + (SELECT coalesce(sum(row_count), 0) FROM purged_file WHERE relation = 'receipts') AS held
    UNION ALL
    SELECT
        'app_costs',
        (SELECT count(*) FROM report.app_costs),
        (SELECT count(*) FROM app_cost)
    UNION ALL
    SELECT
        'exception_events',
        (SELECT count(*) FROM report.exception_events),
        (SELECT count(*) FROM exception_events)
            + (SELECT coalesce(sum(row_count), 0) FROM purged_file WHERE relation = 'exception_events')
)
WHERE published <> held
ORDER BY ALL;

-- name: broken_report
-- Invoices of the published report that its split does not sum to.
SELECT
    reconciliation.invoice_id,
    reconciliation.invoice_total,
    coalesce(sum(app_costs.anchored_cost), 0) AS split_sum,
    reconciliation.currency
FROM report.reconciliation AS reconciliation
LEFT JOIN report.app_costs AS app_costs USING (period, provider, account, invoice_id)
WHERE reconciliation.invoice_id IS NOT NULL
GROUP BY reconciliation.invoice_id, reconciliation.invoice_total, reconciliation.currency
HAVING reconciliation.invoice_total <> coalesce(sum(app_costs.anchored_cost), 0)
ORDER BY ALL;

-- name: attach_report
-- Opens the published report beside the warehouse.
ATTACH $path AS report (READ_ONLY);
