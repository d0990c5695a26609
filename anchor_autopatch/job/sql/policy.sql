-- What the policy finds about receipts, and what people decide about them.

-- name: note_version
-- Remembers a policy that receipts are judged by.
INSERT INTO policy_version (policy_sha256, document, first_judged_at)
SELECT
    $policy_sha256,
    $document,
    $now
WHERE $policy_sha256 NOT IN (SELECT policy_sha256 FROM policy_version);

-- name: words
-- The vocabularies, from two lists: field and word.
CREATE OR REPLACE TEMP TABLE policy_word AS
SELECT
    UNNEST($field::VARCHAR[]) AS field,
    UNNEST($word::VARCHAR[]) AS word;

-- name: modes
-- The mode of each environment, from two lists.
CREATE OR REPLACE TEMP TABLE policy_mode AS
SELECT
    UNNEST($environment::VARCHAR[]) AS environment,
    UNNEST($mode::VARCHAR[]) AS mode;

-- name: overrides
-- The overrides in their order, from lists; the end in microseconds since 1970-01-01 UTC, NULL selectors fit all.
CREATE OR REPLACE TEMP TABLE policy_override AS
SELECT
    UNNEST($override_no::INTEGER[]) AS override_no,
    UNNEST($mode::VARCHAR[]) AS mode,
    make_timestamp(UNNEST($until_us::BIGINT[])) AS until,
    UNNEST($environment::VARCHAR[]) AS environment,
    UNNEST($team::VARCHAR[]) AS team,
    UNNEST($service::VARCHAR[]) AS service;

-- name: forget_findings
-- Clears the findings of all periods that are not frozen.
DELETE FROM policy_finding
WHERE NOT in_frozen_month(receipt_id, occurred_at);

-- name: judge
-- Finds missing fields and values outside their vocabulary, in billable receipts of periods that are not frozen.
INSERT INTO policy_finding (receipt_id, occurred_at, field, value, mode, policy_sha256)
WITH judged AS (
    SELECT
        receipt_id,
        occurred_at,
        team,
        service,
        feature,
        environment,
        region,
        cost_center,
        user_id IS NOT NULL AS has_user_id,
        request_id IS NOT NULL AS has_request_id
    FROM attributed_receipt
    WHERE billable
        AND NOT in_frozen_month(receipt_id, occurred_at)
),
-- Receipts are many, what they say is not: each combination is looked at once.
combination AS (
    SELECT DISTINCT
        team,
        service,
        feature,
        environment,
        region,
        cost_center,
        has_user_id,
        has_request_id
    FROM judged
),
said AS (
    SELECT
        team,
        service,
        feature,
        environment,
        region,
        cost_center,
        has_user_id,
        has_request_id,
        UNNEST([
            {'field': 'team', 'value': team},
            {'field': 'service', 'value': service},
            {'field': 'feature', 'value': feature},
            {'field': 'environment', 'value': environment},
            {'field': 'region', 'value': region},
            {'field': 'cost_center', 'value': cost_center},
            {'field': 'user_id', 'value': CASE WHEN has_user_id THEN '' END},
            {'field': 'request_id', 'value': CASE WHEN has_request_id THEN '' END}
        ], recursive := true)
    FROM combination
),
wrong AS (
    SELECT
        said.team,
        said.service,
        said.feature,
        said.environment,
        said.region,
        said.cost_center,
        said.has_user_id,
        said.has_request_id,
        said.field,
        said.value
    FROM said
    WHERE (said.value IS NULL AND list_contains($required::VARCHAR[], said.field))
        OR (
            said.value IS NOT NULL
            AND said.field IN (SELECT field FROM policy_word)
            AND NOT EXISTS (
                SELECT policy_word.word
                FROM policy_word
                WHERE policy_word.field = said.field
                    AND policy_word.word = said.value
            )
        )
),
found AS (
    SELECT
        judged.receipt_id,
        judged.occurred_at,
        wrong.team,
        wrong.service,
        wrong.environment,
        wrong.field,
        wrong.value
    FROM judged
    JOIN wrong
        ON wrong.team IS NOT DISTINCT FROM judged.team
        AND wrong.service IS NOT DISTINCT FROM judged.service
        AND wrong.feature IS NOT DISTINCT FROM judged.feature
        AND wrong.environment IS NOT DISTINCT FROM judged.environment
        AND wrong.region IS NOT DISTINCT FROM judged.region
        AND wrong.cost_center IS NOT DISTINCT FROM judged.cost_center
        AND wrong.has_user_id = judged.has_user_id
        AND wrong.has_request_id = judged.has_request_id
),
overridden AS (
    SELECT
        found.receipt_id,
        min_by(override.mode, override.override_no) AS mode
    FROM found
    JOIN policy_override AS override
        ON found.occurred_at < override.until
        AND (override.environment IS NULL OR override.environment = found.environment)
        AND (override.team IS NULL OR override.team = found.team)
        AND (override.service IS NULL OR override.service = found.service)
    GROUP BY found.receipt_id
)
SELECT
    found.receipt_id,
    found.occurred_at,
    found.field,
    found.value,
    coalesce(overridden.mode, policy_mode.mode, $mode) AS mode,
    $policy_sha256 AS policy_sha256
FROM found
LEFT JOIN overridden USING (receipt_id)
LEFT JOIN policy_mode ON policy_mode.environment = found.environment
ORDER BY found.receipt_id, found.field;

-- name: counts
-- Receipts of periods that are not frozen that the policy finds something about: all, and those that are held.
SELECT
    count(DISTINCT receipt_id) AS found,
    count(DISTINCT receipt_id) FILTER (WHERE receipt_id IN (SELECT receipt_id FROM held_receipt)) AS held
FROM policy_finding
WHERE NOT in_frozen_month(receipt_id, occurred_at);

-- name: forget_labels
-- Empties the labels.
DELETE FROM attribution_label;

-- name: keep_labels
-- The labels of anchor.toml, from three lists.
INSERT INTO attribution_label (field, id, label)
SELECT
    UNNEST($field::VARCHAR[]) AS field,
    UNNEST($id::VARCHAR[]) AS id,
    UNNEST($label::VARCHAR[]) AS label;

-- name: held_groups
-- Held receipts by what they have in common, with what is wrong and their estimated cost.
SELECT
    billed_month(edge_receipt.period, receipt.occurred_at) AS period,
    receipt.team,
    receipt.service,
    receipt.environment,
    receipt.call_site,
    finding.problems,
    count(*) AS receipts,
    sum(price.estimated_cost_usd) AS estimated_cost_usd
FROM attributed_receipt AS receipt
JOIN (
    SELECT
        receipt_id,
        string_agg(field || coalesce(' = ' || value, ' is missing'), ', ' ORDER BY field) AS problems
    FROM policy_finding
    GROUP BY receipt_id
) AS finding USING (receipt_id)
LEFT JOIN receipt_price AS price USING (receipt_id)
LEFT JOIN edge_receipt USING (receipt_id)
WHERE receipt.held
    AND ($period::VARCHAR IS NULL OR billed_month(edge_receipt.period, receipt.occurred_at) = $period)
GROUP BY ALL
ORDER BY ALL;

-- name: reported_fields
-- What the policy finds and only reports, in periods that are not frozen, by field.
SELECT
    billed_month(edge_receipt.period, occurred_at) AS period,
    field,
    count(*) AS receipts
FROM policy_finding
LEFT JOIN edge_receipt USING (receipt_id, occurred_at)
WHERE mode = 'report'
    AND NOT in_frozen_month(receipt_id, occurred_at)
GROUP BY ALL
ORDER BY ALL;

-- name: select_receipts
-- Receipts that a correction is about: those that are named, else the held ones that fit; with what is in force.
CREATE OR REPLACE TEMP TABLE corrected AS
SELECT
    receipt_id,
    billed_month(edge_receipt.period, occurred_at) AS period,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    user_id,
    request_id,
    held
FROM attributed_receipt
LEFT JOIN edge_receipt USING (receipt_id, occurred_at)
WHERE billable
    AND CASE
        WHEN len($receipt_ids::VARCHAR[]) > 0 THEN list_contains($receipt_ids, receipt_id)
        ELSE held
    END
    AND ($period::VARCHAR IS NULL OR billed_month(edge_receipt.period, occurred_at) = $period)
    AND ($team::VARCHAR IS NULL OR team = $team)
    AND ($service::VARCHAR IS NULL OR service = $service)
    AND ($feature::VARCHAR IS NULL OR feature = $feature)
    AND ($environment::VARCHAR IS NULL OR environment = $environment)
    AND ($call_site::VARCHAR IS NULL OR call_site = $call_site);

-- name: selected_ids
-- The receipts that were selected.
SELECT receipt_id
FROM corrected
ORDER BY receipt_id;

-- name: frozen_selection
-- Frozen periods among the selected receipts.
SELECT DISTINCT period
FROM corrected
WHERE period IN (SELECT period FROM frozen_period)
ORDER BY period;

-- name: keep_corrections
-- Adds one entry for each selected receipt and changed field, from two lists.
INSERT INTO correction (
    correction_no, correction_id, receipt_id, field, old_value, new_value, actor, reason, recorded_at
)
WITH change AS (
    SELECT
        UNNEST($fields::VARCHAR[]) AS field,
        UNNEST($values::VARCHAR[]) AS new_value
),
entry AS (
    SELECT
        corrected.receipt_id,
        change.field,
        CASE change.field
            WHEN 'team' THEN corrected.team
            WHEN 'service' THEN corrected.service
            WHEN 'feature' THEN corrected.feature
            WHEN 'environment' THEN corrected.environment
            WHEN 'region' THEN corrected.region
            WHEN 'cost_center' THEN corrected.cost_center
            WHEN 'user_id' THEN corrected.user_id
            WHEN 'request_id' THEN corrected.request_id
        END AS old_value,
        change.new_value
    FROM corrected
    CROSS JOIN change
)
SELECT
    (SELECT coalesce(max(correction_no), 0) FROM correction)
        + row_number() OVER (ORDER BY receipt_id, field) AS correction_no,
    $correction_id,
    receipt_id,
    field,
    old_value,
    new_value,
    $actor,
    $reason,
    $now
FROM entry
WHERE new_value IS DISTINCT FROM old_value;

-- name: still_held
-- Selected receipts that are held after all, and why.
SELECT
    string_agg(DISTINCT finding.field || coalesce(' = ' || finding.value, ' is missing'), ', ') AS problems,
    count(DISTINCT receipt_id) AS receipts
FROM corrected
JOIN held_receipt USING (receipt_id)
JOIN policy_finding AS finding USING (receipt_id);

-- name: corrections
-- The decisions so far, latest first.
SELECT
    correction_id,
    recorded_at,
    actor,
    reason,
    count(DISTINCT receipt_id) AS receipts,
    string_agg(DISTINCT CASE WHEN field = 'released' THEN 'released as it is' ELSE field || ' = ' || new_value END, ', ') AS changes
FROM correction
GROUP BY correction_id, recorded_at, actor, reason
ORDER BY max(correction_no) DESC;
