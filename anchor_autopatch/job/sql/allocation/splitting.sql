-- The four splits of each invoice, in whole minor units.

-- name: cost_parts
-- Calls, estimate and unrounded share of every key of the four splits.
CREATE OR REPLACE TEMP TABLE cost_part AS
WITH charged_receipt AS (
    SELECT
        share.scope_no,
        -- What is held is nobody's yet: its money stays in sight, under a service of its own.
        CASE WHEN NOT receipt.held THEN receipt.team END AS team,
        CASE WHEN receipt.held THEN '__quarantined' ELSE receipt.service END AS service,
        CASE WHEN NOT receipt.held THEN receipt.environment END AS environment,
        COALESCE(receipt.response_model, receipt.request_model) AS response_model,
        CASE WHEN NOT receipt.held THEN receipt.feature END AS feature,
        CASE WHEN NOT receipt.held THEN receipt.user_id END AS user_id,
        CASE WHEN NOT receipt.held THEN receipt.request_id END AS request_id,
        share.estimated_cost_usd,
        share.atto
    FROM attributed_receipt AS receipt
    INNER JOIN receipt_share AS share ON share.receipt_no = receipt.receipt_no
),
receipt_part AS (
    SELECT
        CASE
            WHEN GROUPING(response_model) = 0 THEN 'app'
            WHEN GROUPING(feature) = 0 THEN 'feature'
            WHEN GROUPING(user_id) = 0 THEN 'user'
            ELSE 'request'
        END AS split,
        scope_no,
        team,
        service,
        environment,
        response_model,
        feature,
        user_id,
        request_id,
        COUNT(*) AS calls,
        SUM(estimated_cost_usd) AS estimated_cost_usd,
        COALESCE(SUM(atto), 0) AS atto
    FROM charged_receipt
    GROUP BY GROUPING SETS (
        (scope_no, team, service, environment, response_model),
        (scope_no, team, service, environment, feature),
        (scope_no, team, service, user_id),
        (scope_no, team, service, request_id)
    )
)
SELECT
    ROW_NUMBER() OVER () AS part_no,
    split,
    scope_no,
    team,
    service,
    environment,
    response_model,
    feature,
    user_id,
    request_id,
    CAST(NULL AS VARCHAR) AS bucket,
    calls,
    estimated_cost_usd,
    atto
FROM receipt_part;

-- name: app_weights
-- What the receipts of each application came to, in 1e-9 of the currency.
SELECT
    scope.invoice_id,
    team,
    service,
    environment,
    SUM(atto) // 1000000000 AS amount_nano
FROM cost_part
INNER JOIN scope USING (scope_no)
WHERE split = 'app'
    AND NOT STARTS_WITH(COALESCE(service, ''), '__')
GROUP BY scope.invoice_id, team, service, environment
ORDER BY ALL;

-- name: past_adjustments
-- What each invoice gives back or charges for a past period.
SELECT
    invoice_id,
    past_period,
    SUM(amount_nano) AS amount_nano
FROM resolved_line
WHERE past_period IS NOT NULL
GROUP BY invoice_id, past_period
ORDER BY ALL;

-- name: past_weights
-- What applications carried in the past periods that are adjusted: as frozen, else as this run divides them.
SELECT
    adjusted.invoice_id || ' ' || adjusted.past_period AS key,
    carried.team,
    carried.service,
    carried.environment,
    SUM(carried.amount_nano) AS amount_nano
FROM (
    SELECT DISTINCT
        line.invoice_id,
        line.past_period,
        scope.provider,
        scope.account
    FROM resolved_line AS line
    INNER JOIN scope USING (invoice_id)
    WHERE line.past_period IS NOT NULL
) AS adjusted
INNER JOIN (
    SELECT
        period,
        provider,
        account,
        team,
        service,
        environment,
        CAST(CAST(anchored_cost AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT) AS amount_nano
    FROM app_cost
    WHERE anchored_cost IS NOT NULL
        AND period IN (
            SELECT period
            FROM kept_period
        )
    UNION ALL
    SELECT
        scope.period,
        scope.provider,
        scope.account,
        team,
        service,
        environment,
        atto // 1000000000 AS amount_nano
    FROM cost_part
    INNER JOIN scope USING (scope_no)
    WHERE split = 'app'
) AS carried
    ON carried.period = adjusted.past_period
    AND carried.provider = adjusted.provider
    AND carried.account = adjusted.account
WHERE NOT STARTS_WITH(COALESCE(carried.service, ''), '__')
GROUP BY ALL
ORDER BY ALL;

-- name: keep_bucket_parts
-- Adds the parts of the buckets, given as lists, to each of the four splits.
INSERT INTO cost_part (
    part_no, split, scope_no, team, service, environment,
    response_model, feature, user_id, request_id, bucket, calls, estimated_cost_usd, atto
)
WITH part AS (
    SELECT
        UNNEST($invoice_id::VARCHAR[]) AS invoice_id,
        UNNEST($bucket::VARCHAR[]) AS bucket,
        UNNEST($team::VARCHAR[]) AS team,
        UNNEST($service::VARCHAR[]) AS service,
        UNNEST($environment::VARCHAR[]) AS environment,
        UNNEST($amount_nano::HUGEINT[]) AS amount_nano
),
whole_part AS (
    SELECT
        invoice_id,
        bucket,
        team,
        service,
        environment,
        SUM(amount_nano) AS amount_nano
    FROM part
    GROUP BY invoice_id, bucket, team, service, environment
)
SELECT
    (SELECT COALESCE(MAX(part_no), 0) FROM cost_part) + ROW_NUMBER() OVER (
        ORDER BY splits.split, whole.invoice_id, whole.bucket, whole.team, whole.service, whole.environment
    ) AS part_no,
    splits.split,
    scope.scope_no,
    whole.team,
    whole.service,
    CASE WHEN splits.split IN ('app', 'feature') THEN whole.environment END AS environment,
    NULL AS response_model,
    NULL AS feature,
    NULL AS user_id,
    NULL AS request_id,
    whole.bucket,
    0 AS calls,
    NULL AS estimated_cost_usd,
    whole.amount_nano * 1000000000 AS atto
FROM whole_part AS whole
INNER JOIN scope USING (invoice_id)
CROSS JOIN (VALUES ('app'), ('feature'), ('user'), ('request')) AS splits (split);

-- name: units_macros
-- Whole minor units below an amount, and what is left over them; both cut towards minus infinity. Amounts below 2^63 go
-- by 64 bits, where a division takes a fiftieth of the time.
CREATE OR REPLACE TEMP MACRO over_units(atto, unit_atto) AS
    CASE
        WHEN atto BETWEEN 0 AND 9223372036854775807 THEN CAST(atto AS BIGINT) % CAST(unit_atto AS BIGINT)
        ELSE CAST((atto % unit_atto + unit_atto) % unit_atto AS BIGINT)
    END;

-- name: floored_parts
-- Each part of an invoice in whole minor units, and what is left over them.
CREATE OR REPLACE TEMP TABLE floored_part AS
WITH minor_unit AS (
    SELECT
        scope_no,
        CAST('1' || REPEAT('0', 18 - minor_units) AS HUGEINT) AS atto
    FROM scope
)
SELECT
    part.part_no,
    part.split,
    part.scope_no,
    part.atto - over_units(part.atto, unit.atto) AS atto,
    over_units(part.atto, unit.atto) AS remainder
FROM cost_part AS part
INNER JOIN minor_unit AS unit USING (scope_no);

-- name: unit_cuts
-- Largest remainder, as job.shares defines it: how many units each split of an invoice still lacks, the remainder that
-- the last of them goes to, and how many parts are above it. By remainders alone, since whole keys sort slowly.
CREATE OR REPLACE TEMP TABLE unit_cut AS
WITH missing AS (
    SELECT
        floored.split,
        floored.scope_no,
        CAST(
            (
                ANY_VALUE(CAST(scope.total * 1000000000 AS HUGEINT)) * 1000000000 - SUM(floored.atto)
            ) // ANY_VALUE(CAST('1' || REPEAT('0', 18 - scope.minor_units) AS HUGEINT)) AS BIGINT
        ) AS units,
        COUNT(*) AS part_count
    FROM floored_part AS floored
    INNER JOIN scope USING (scope_no)
    GROUP BY floored.split, floored.scope_no
),
ranked AS (
    SELECT
        split,
        scope_no,
        remainder,
        ROW_NUMBER() OVER (PARTITION BY split, scope_no ORDER BY remainder DESC) AS rank
    FROM floored_part
)
SELECT
    missing.split,
    missing.scope_no,
    missing.units,
    ranked.remainder,
    (
        SELECT COUNT(*)
        FROM floored_part AS above
        WHERE above.split = missing.split
            AND above.scope_no = missing.scope_no
            AND above.remainder > ranked.remainder
    ) AS above_count
FROM missing
INNER JOIN ranked
    ON ranked.split = missing.split
    AND ranked.scope_no = missing.scope_no
    AND ranked.rank = LEAST(missing.units, missing.part_count);

-- name: rounded_parts
-- Whole minor units of each part: of equal remainders the larger part gets the unit, of equal parts the first by key.
CREATE OR REPLACE TEMP TABLE rounded_part AS
WITH tied AS (
    SELECT
        floored.part_no,
        ROW_NUMBER() OVER (
            PARTITION BY floored.split, floored.scope_no
            ORDER BY
                ABS(part.atto) DESC, part.team, part.service, part.environment, part.response_model,
                part.feature, part.user_id, part.request_id, part.bucket, part.calls
        ) AS rank
    FROM floored_part AS floored
    INNER JOIN unit_cut
        ON unit_cut.split = floored.split
        AND unit_cut.scope_no = floored.scope_no
        AND unit_cut.remainder = floored.remainder
    INNER JOIN cost_part AS part USING (part_no)
)
SELECT
    floored.part_no,
    floored.atto + CASE
        WHEN floored.remainder > unit_cut.remainder
            OR tied.rank <= unit_cut.units - unit_cut.above_count
            THEN CAST('1' || REPEAT('0', 18 - scope.minor_units) AS HUGEINT)
        ELSE 0
    END AS atto
FROM floored_part AS floored
INNER JOIN scope USING (scope_no)
LEFT JOIN unit_cut
    ON unit_cut.split = floored.split
    AND unit_cut.scope_no = floored.scope_no
LEFT JOIN tied USING (part_no);

-- name: app_shares
-- What each application would carry of each invoice, in whole minor units; for a split that is not kept.
SELECT
    scope.provider,
    scope.account,
    scope.invoice_id,
    scope.currency,
    part.team,
    part.service,
    part.environment,
    atto_decimal(SUM(rounded.atto)) AS amount
FROM cost_part AS part
INNER JOIN scope USING (scope_no)
INNER JOIN rounded_part AS rounded USING (part_no)
WHERE part.split = 'app'
GROUP BY ALL
HAVING SUM(rounded.atto) <> 0
ORDER BY ALL;
