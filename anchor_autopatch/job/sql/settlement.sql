-- Statements that settle objects which several processes read, or which one submits and another one reads.

-- name: collect_frozen
-- Settlements that must not change any more.
CREATE OR REPLACE TEMP TABLE frozen_settlement AS
SELECT
    receipt_id,
    is_billed
FROM settlement
WHERE in_frozen_month(receipt_id, occurred_at);

-- name: collect_retrievals
-- Retrievals to be settled: those of open periods, and those that reached a frozen period too late to be settled there.
CREATE OR REPLACE TEMP TABLE retrieval AS
SELECT
    receipt_id,
    occurred_at,
    issuer,
    response_id,
    submitted_id,
    in_frozen_month(receipt_id, occurred_at) AS is_late
FROM object_receipt
ANTI JOIN frozen_settlement USING (receipt_id)
WHERE role = 'retrieval'
    AND billable;

-- name: collect_billed
-- Objects that need none of these retrievals to be billed: a fresh call bills them, or a retrieval of a frozen period.
CREATE OR REPLACE TEMP TABLE billed_object AS
SELECT
    issuer,
    response_id,
    ARG_MIN(receipt_id, (occurred_at, receipt_id)) AS receipt_id
FROM object_receipt
SEMI JOIN retrieval USING (issuer, response_id)
WHERE role = 'call'
    OR receipt_id IN (SELECT receipt_id FROM frozen_settlement WHERE is_billed)
GROUP BY ALL;

-- name: collect_submissions
-- The first submission of every object that was retrieved, with who made it.
CREATE OR REPLACE TEMP TABLE submission AS
WITH found AS (
    SELECT
        issuer,
        submitted_id,
        ARG_MIN(receipt_id, (occurred_at, receipt_id)) AS submission_id
    FROM object_receipt
    SEMI JOIN retrieval USING (issuer, submitted_id)
    WHERE role = 'submission'
    GROUP BY ALL
)
SELECT
    found.issuer,
    found.submitted_id,
    found.submission_id,
    receipt.team,
    receipt.service,
    receipt.feature,
    receipt.environment,
    receipt.region,
    receipt.cost_center,
    receipt.user_id,
    receipt.request_id,
    receipt.trace_id,
    receipt.span_id,
    receipt.call_site,
    receipt.labels,
    TRY_CAST(receipt.attribution_source AS JSON) AS sources,
    CAST(
        TO_JSON(
            MAP(
                JSON_KEYS(sources),
                LIST_TRANSFORM(JSON_KEYS(sources), lambda field: 'submission:' || (sources ->> ('$."' || field || '"')))
            )
        ) AS VARCHAR
    ) AS attribution_source,
    receipt.request_model,
    receipt.price_facts
FROM found
JOIN receipt ON receipt.receipt_id = found.submission_id;

-- name: settle
-- What holds for every retrieval now: the first of an object bills it, unless something else does already.
CREATE OR REPLACE TEMP TABLE fresh_settlement AS
WITH ranked AS (
    SELECT
        retrieval.receipt_id,
        retrieval.occurred_at,
        retrieval.issuer,
        retrieval.submitted_id,
        billed_object.receipt_id IS NULL AS is_contested,
        -- A total order of the evidence itself, so that no order of shipping makes a difference. A late row of a frozen
        -- period comes last: its period cannot take it, an open one can.
        COALESCE(
            billed_object.receipt_id,
            FIRST_VALUE(retrieval.receipt_id) OVER (
                PARTITION BY retrieval.issuer, retrieval.response_id
                ORDER BY retrieval.is_late, retrieval.occurred_at, retrieval.receipt_id
            )
        ) AS billed_receipt_id
    FROM retrieval
    LEFT JOIN billed_object USING (issuer, response_id)
)
SELECT
    ranked.receipt_id,
    ranked.occurred_at,
    ranked.is_contested AND ranked.receipt_id = ranked.billed_receipt_id AS is_billed,
    CASE WHEN is_billed THEN submission.submission_id ELSE ranked.billed_receipt_id END AS parent_receipt_id,
    is_billed AND submission.submission_id IS NOT NULL AS has_submitter,
    CASE WHEN has_submitter THEN submission.team END AS team,
    CASE WHEN has_submitter THEN submission.service END AS service,
    CASE WHEN has_submitter THEN submission.feature END AS feature,
    CASE WHEN has_submitter THEN submission.environment END AS environment,
    CASE WHEN has_submitter THEN submission.region END AS region,
    CASE WHEN has_submitter THEN submission.cost_center END AS cost_center,
    CASE WHEN has_submitter THEN submission.user_id END AS user_id,
    CASE WHEN has_submitter THEN submission.request_id END AS request_id,
    CASE WHEN has_submitter THEN submission.trace_id END AS trace_id,
    CASE WHEN has_submitter THEN submission.span_id END AS span_id,
    CASE WHEN has_submitter THEN submission.call_site END AS call_site,
    CASE WHEN has_submitter THEN submission.labels END AS labels,
    CASE WHEN has_submitter THEN submission.attribution_source END AS attribution_source,
    CASE WHEN has_submitter THEN submission.request_model END AS request_model,
    CASE WHEN has_submitter THEN submission.price_facts END AS submission_facts
FROM ranked
LEFT JOIN submission USING (issuer, submitted_id);

-- name: collect_changed
-- The settlements that are new or differ from what is on record.
CREATE OR REPLACE TEMP TABLE changed_settlement AS
SELECT
    receipt_id,
    occurred_at,
    is_billed,
    parent_receipt_id,
    has_submitter,
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
    request_model,
    submission_facts
FROM fresh_settlement
EXCEPT
SELECT
    receipt_id,
    occurred_at,
    is_billed,
    parent_receipt_id,
    has_submitter,
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
    request_model,
    submission_facts
FROM settlement;

-- name: forget_changed
-- Removes the settlements that are about to be replaced.
DELETE FROM settlement
WHERE receipt_id IN (SELECT receipt_id FROM changed_settlement);

-- name: keep_changed
-- Records the settlements that are new or different.
INSERT INTO settlement (
    receipt_id, occurred_at, is_billed, parent_receipt_id, has_submitter, team, service, feature, environment, region,
    cost_center, user_id, request_id, trace_id, span_id, call_site, labels, attribution_source, request_model, submission_facts,
    settled_at
)
SELECT
    receipt_id,
    occurred_at,
    is_billed,
    parent_receipt_id,
    has_submitter,
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
    request_model,
    submission_facts,
    $now
FROM changed_settlement;

-- name: forget_meters
-- Has the retrievals that are settled otherwise measured again: the submission may state what they do not.
DELETE FROM receipt_meters
WHERE receipt_id IN (SELECT receipt_id FROM changed_settlement);

-- name: forget_prices
-- Has them priced again, and takes the price from those that bill nothing any more.
DELETE FROM receipt_price
WHERE receipt_id IN (SELECT receipt_id FROM changed_settlement);

-- name: report
-- Retrievals looked at, those that bill their object, and settlements written.
SELECT
    (SELECT COUNT(*) FROM fresh_settlement) AS retrieval_count,
    (SELECT COUNT(*) FROM fresh_settlement WHERE is_billed) AS billed_count,
    (SELECT COUNT(*) FROM changed_settlement) AS changed_count;

-- name: drop_work
-- Ends the run.
DROP TABLE IF EXISTS frozen_settlement;
DROP TABLE IF EXISTS retrieval;
DROP TABLE IF EXISTS billed_object;
DROP TABLE IF EXISTS submission;
DROP TABLE IF EXISTS fresh_settlement;
DROP TABLE IF EXISTS changed_settlement;

-- name: overdue
-- Submissions of open periods from before $overdue_before of which nobody saw the end, by what they are.
SELECT
    receipt.provider,
    receipt.operation,
    COUNT(*) AS submission_count,
    MIN(receipt.occurred_at) AS first_submitted_at
FROM unsettled_submission AS submission
JOIN receipt USING (receipt_id)
WHERE submission.occurred_at < $overdue_before
    AND NOT in_frozen_month(receipt.receipt_id, submission.occurred_at)
GROUP BY ALL
ORDER BY ALL;
