-- Statements about rate cards: what was observed, and the segments that follow from it.

-- name: known_card
-- The list card with this digest of its source text or of its rates, if it was loaded before.
SELECT
    rate_card_id,
    source_version,
    model_count
FROM rate_card
WHERE source <> 'contract' AND (content_sha256 = $digest OR rate_card_id = $digest);

-- name: price_source
-- What a URL gave when it was asked last.
SELECT
    etag,
    content_sha256
FROM price_source
WHERE url = $url;

-- name: forget_price_source
-- Makes room for what a URL gives now.
DELETE FROM price_source
WHERE url = $url;

-- name: note_price_source
-- What a URL gives now.
INSERT INTO price_source (url, etag, content_sha256, fetched_at)
VALUES ($url, $etag, $content_sha256, $now);

-- name: known_contract_card
-- Whether a contract's card is there: the same terms can be entered again after they were replaced.
SELECT 1
FROM rate_card
WHERE rate_card_id = $rate_card_id;

-- name: known_sheets
-- Ids of all sheets in the warehouse.
SELECT rate_sheet_id FROM rate_sheet;

-- name: note_start
-- Audit row of a start date that somebody knows.
INSERT INTO rate_start (model_key, starts_at, reason, actor, recorded_at)
VALUES ($model_key, $starts_at, $reason, $actor, $now);

-- name: list_changes_with_rates
-- Every change of a list model's rates, oldest first, with the standard rates of input and output before and after it, by
-- context bracket; USD per token, NULL = none. Rates before the first change are NULL.
WITH step AS (
    SELECT
        rate_sheet_id,
        LIST(
            {'above': above_tokens, 'input_usd': input_tokens_usd, 'output_usd': output_tokens_usd}
            ORDER BY above_tokens
        ) AS steps
    FROM rate
    WHERE tier = 'standard'
        AND modifier = ''
        AND NOT off_peak
    GROUP BY rate_sheet_id
)
SELECT
    list_change.model_key,
    rate_sheet.provider,
    list_change.observed_at,
    list_change.rate_sheet_id,
    step_before.steps AS steps_before,
    step.steps AS steps_after
FROM list_change
JOIN rate_sheet USING (rate_sheet_id)
JOIN step USING (rate_sheet_id)
LEFT JOIN step AS step_before ON step_before.rate_sheet_id = list_change.sheet_before
ORDER BY list_change.model_key, list_change.observed_at, list_change.rate_card_id;

-- name: used_models
-- Keys of the list that receipts were priced by.
SELECT DISTINCT model_key
FROM receipt_price
WHERE model_key IS NOT NULL;

-- name: starts_of_source
-- What a source says of start dates, as far as it counts.
SELECT
    model_key,
    starts_at,
    rate_sheet_id
FROM rate_start
WHERE source = $source
    AND superseded_at IS NULL
ORDER BY ALL;

-- name: note_start_of_source
-- A start date that a source knows, good for the change to one sheet.
INSERT INTO rate_start (
    model_key, starts_at, reason, actor, recorded_at, source, source_version, rate_sheet_id
)
VALUES (
    $model_key, $starts_at, $reason, $source, $now, $source, $source_version, $rate_sheet_id
);

-- name: end_start_of_source
-- The source, or the tables, no longer say so; the row stays as history.
UPDATE rate_start
SET superseded_at = $now
WHERE source = $source
    AND superseded_at IS NULL
    AND model_key = $model_key
    AND starts_at = $starts_at
    AND rate_sheet_id = $rate_sheet_id;

-- name: dated_change
-- The change of a model's list rates that starts at $starts_at, if there is one.
SELECT rate_card_id
FROM rate_segment
WHERE source = 'list'
    AND superseded_at IS NULL
    AND model_key = $model_key
    AND valid_from = $starts_at;

-- name: list_changes
-- When the list rates of a model change, oldest first.
SELECT valid_from
FROM rate_segment
WHERE source = 'list'
    AND superseded_at IS NULL
    AND model_key = $model_key
    AND valid_from > TIMESTAMP '1970-01-01'
ORDER BY valid_from;

-- name: outdated_sheets
-- Sheets in use that rules before $card_version made, with what it takes to build them again.
SELECT
    rate_sheet_id,
    fields,
    units_with_tokens
FROM rate_sheet
WHERE card_version IS DISTINCT FROM $card_version
    AND (
        rate_sheet_id IN (SELECT rate_sheet_id FROM rate_observation)
        OR rate_sheet_id IN (SELECT rate_sheet_id FROM rate_segment WHERE superseded_at IS NULL)
    );

-- name: create_renewed_sheets
-- Which new sheet takes the place of which old one.
CREATE OR REPLACE TEMP TABLE renewed_sheet (
    old_sheet_id UUID,
    rate_sheet_id UUID
);

-- name: renew_observations
-- What was observed stays observed; only the reading of it is new.
UPDATE rate_observation
SET rate_sheet_id = renewed_sheet.rate_sheet_id
FROM renewed_sheet
WHERE rate_observation.rate_sheet_id = renewed_sheet.old_sheet_id;

-- name: renew_starts
-- A start date of a source goes on to belong to the change that it was found for.
UPDATE rate_start
SET rate_sheet_id = renewed_sheet.rate_sheet_id
FROM renewed_sheet
WHERE rate_start.rate_sheet_id = renewed_sheet.old_sheet_id;

-- name: renew_contracts
-- Contract segments with the new sheets, known from now on.
INSERT INTO rate_segment (
    source, model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance, recorded_at
)
SELECT
    rate_segment.source,
    rate_segment.model_key,
    rate_segment.provider,
    rate_segment.valid_from,
    rate_segment.valid_to,
    renewed_sheet.rate_sheet_id,
    rate_segment.rate_card_id,
    rate_segment.provenance,
    $now
FROM rate_segment
JOIN renewed_sheet ON renewed_sheet.old_sheet_id = rate_segment.rate_sheet_id
WHERE rate_segment.source = 'contract'
    AND rate_segment.superseded_at IS NULL;

-- name: supersede_renewed
-- Ends the contract segments whose sheets were renewed.
UPDATE rate_segment
SET superseded_at = $now
WHERE source = 'contract'
    AND superseded_at IS NULL
    AND rate_sheet_id IN (SELECT old_sheet_id FROM renewed_sheet);

-- name: drop_renewed_sheets
-- Ends the renewal.
DROP TABLE renewed_sheet;

-- name: insert_card
-- One version of a list, or one contract.
INSERT INTO rate_card (
    rate_card_id, source, source_version, content_sha256, observed_at, recorded_at, model_count
)
VALUES (
    $rate_card_id, $source, $source_version, $content_sha256, $observed_at, $recorded_at, $model_count
);

-- name: refresh_segments
-- Derives the list segments from all observations and replaces those that differ, keeping the old as superseded.
-- The first segment of a model is open to the past, since its rates are the oldest known; a model that vanishes keeps
-- its last one.
CREATE OR REPLACE TEMP TABLE derived_segment AS
WITH dated_start AS (
    -- A list lags behind its provider: a known date belongs to the first change seen on it or later.
    SELECT
        rate_start.model_key,
        rate_start.starts_at,
        rate_start.recorded_at,
        rate_start.source,
        rate_start.rate_sheet_id,
        MIN(list_change.observed_at) AS observed_at
    FROM rate_start
    JOIN list_change
        ON list_change.model_key = rate_start.model_key
        AND list_change.observed_at >= rate_start.starts_at
        AND NOT list_change.is_first
    WHERE rate_start.superseded_at IS NULL
    GROUP BY ALL
),
known_start AS (
    -- A date of another list is good for one change only: a table that is loaded later may show another one before it.
    SELECT
        dated_start.model_key,
        dated_start.observed_at,
        ARG_MAX(
            {'starts_at': dated_start.starts_at, 'source': dated_start.source},
            {'is_of_a_person': dated_start.source IS NULL, 'recorded_at': dated_start.recorded_at}
        ) AS word
    FROM dated_start
    JOIN list_change USING (model_key, observed_at)
    WHERE dated_start.rate_sheet_id IS NULL
        OR dated_start.rate_sheet_id = list_change.rate_sheet_id
    GROUP BY ALL
),
dated AS (
    SELECT
        list_change.*,
        known_start.word IS NOT NULL AS is_known,
        known_start.word.source AS start_source,
        COALESCE(known_start.word.starts_at, list_change.observed_at) AS starts_at
    FROM list_change
    LEFT JOIN known_start USING (model_key, observed_at)
),
span AS (
    SELECT
        dated.*,
        LEAD(starts_at, 1, TIMESTAMP '9999-12-31') OVER later AS ends_at
    FROM dated
    WINDOW later AS (PARTITION BY model_key ORDER BY observed_at, rate_card_id)
)
SELECT
    'list' AS source,
    span.model_key,
    rate_sheet.provider,
    CASE WHEN span.is_first THEN TIMESTAMP '1970-01-01' ELSE span.starts_at END AS valid_from,
    span.ends_at AS valid_to,
    span.rate_sheet_id,
    span.rate_card_id,
    CASE
        WHEN span.is_first THEN 'oldest known rates'
        WHEN span.start_source IS NOT NULL THEN 'start by ' || span.start_source
        WHEN span.is_known THEN 'known start'
        ELSE 'first seen'
    END AS provenance
FROM span
JOIN rate_sheet USING (rate_sheet_id)
WHERE span.is_first
    OR span.ends_at > span.starts_at;

-- name: supersede_segments
-- Marks the current list segments that no longer follow from the observations.
UPDATE rate_segment
SET superseded_at = $now
WHERE source = 'list'
    AND superseded_at IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM derived_segment
        WHERE derived_segment.model_key = rate_segment.model_key
            AND derived_segment.valid_from = rate_segment.valid_from
            AND derived_segment.valid_to = rate_segment.valid_to
            AND derived_segment.rate_sheet_id = rate_segment.rate_sheet_id
            AND derived_segment.rate_card_id = rate_segment.rate_card_id
            AND derived_segment.provenance = rate_segment.provenance
    );

-- name: insert_segments
-- Adds the derived segments that are not current yet.
INSERT INTO rate_segment (
    source, model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance, recorded_at
)
SELECT
    derived_segment.source,
    derived_segment.model_key,
    derived_segment.provider,
    derived_segment.valid_from,
    derived_segment.valid_to,
    derived_segment.rate_sheet_id,
    derived_segment.rate_card_id,
    derived_segment.provenance,
    $now
FROM derived_segment
ANTI JOIN (
    SELECT model_key, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance
    FROM rate_segment
    WHERE source = 'list' AND superseded_at IS NULL
) AS current_segment USING (model_key, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance)
RETURNING model_key, provenance;

-- name: overlapping_segments
-- A model that two current segments would price at one instant; there must be none.
SELECT
    model_key,
    next_from
FROM (
    SELECT
        model_key,
        valid_to,
        LEAD(valid_from) OVER (
            PARTITION BY source, model_key, CASE WHEN source = 'contract' THEN provider END
            ORDER BY valid_from, valid_to
        ) AS next_from
    FROM rate_segment
    WHERE superseded_at IS NULL
)
WHERE next_from < valid_to
ORDER BY ALL
LIMIT 1;

-- name: overlapping_contracts
-- Current contracts for the same model and provider that share an instant with [$valid_from, $valid_to).
SELECT
    rate_card_id,
    rate_sheet_id,
    valid_from,
    valid_to
FROM rate_segment
WHERE source = 'contract'
    AND superseded_at IS NULL
    AND model_key = $model_key
    AND provider = $provider
    AND valid_from < $valid_to
    AND valid_to > $valid_from
ORDER BY valid_from;

-- name: supersede_contract
-- Ends what is known of one contract segment; it stays as history.
UPDATE rate_segment
SET superseded_at = $now
WHERE source = 'contract'
    AND superseded_at IS NULL
    AND model_key = $model_key
    AND provider = $provider
    AND valid_from = $valid_from;

-- name: insert_contract_segment
-- The time in which a contract prices a model.
INSERT INTO rate_segment (
    source, model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance, recorded_at
)
VALUES (
    'contract', $model_key, $provider, $valid_from, $valid_to, $rate_sheet_id, $rate_card_id, 'contract', $now
);

-- name: insert_contract
-- Audit row of a contract.
INSERT INTO contract_rate (
    rate_card_id, model_key, provider, terms, valid_from, valid_to, reason, actor, recorded_at
)
VALUES (
    $rate_card_id, $model_key, $provider, $terms, $valid_from, $valid_to, $reason, $actor, $now
);

-- name: list_keys
-- Every model key that some card prices, with its provider, and every contract with the provider it is limited to.
SELECT DISTINCT
    source,
    model_key,
    provider
FROM rate_segment
WHERE superseded_at IS NULL
ORDER BY source, model_key, provider;

-- name: show_segments
-- The current segments of one key, oldest first, contracts before the list.
SELECT
    rate_segment.source,
    rate_segment.provider,
    rate_segment.valid_from,
    rate_segment.valid_to,
    rate_segment.provenance,
    rate_segment.rate_card_id,
    rate_card.source AS card_source,
    rate_card.source_version,
    contract_rate.reason,
    contract_rate.actor,
    rate_sheet.units_with_tokens,
    rate_sheet.fields
FROM rate_segment
JOIN rate_card USING (rate_card_id)
JOIN rate_sheet USING (rate_sheet_id)
LEFT JOIN contract_rate
    ON contract_rate.rate_card_id = rate_segment.rate_card_id
    AND rate_segment.source = 'contract'
WHERE rate_segment.superseded_at IS NULL
    AND ((rate_segment.source = 'list' AND rate_segment.model_key = $model_key)
        OR (rate_segment.source = 'contract' AND rate_segment.model_key = $contract_key))
ORDER BY rate_segment.source, rate_segment.valid_from;

-- name: create_preview_segments
-- Models of a table that is only looked at.
CREATE OR REPLACE TEMP TABLE preview_segment (
    model_key VARCHAR,
    provider VARCHAR,
    rate_sheet_id UUID
);

-- name: set_lists_aside
-- Drops the list segments of the models in the table; the caller takes it back.
DELETE FROM rate_segment
WHERE source = 'list'
    AND model_key IN (SELECT model_key FROM preview_segment);

-- name: assume_preview_segments
-- The rates of the table, as if they had always held; the caller takes it back.
INSERT INTO rate_segment (
    source, model_key, provider, valid_from, valid_to, rate_sheet_id, rate_card_id, provenance, recorded_at
)
SELECT
    'list',
    model_key,
    provider,
    TIMESTAMP '1970-01-01',
    TIMESTAMP '9999-12-31',
    rate_sheet_id,
    'preview',
    'preview',
    $now
FROM preview_segment;

-- name: preview_changes
-- Models whose receipts would cost another amount, largest difference first; USD.
SELECT
    receipt.provider,
    COALESCE(fresh_price.model_key, receipt.response_model, receipt.request_model, '') AS model,
    COUNT(*) AS receipt_count,
    COALESCE(SUM(receipt_price.estimated_cost_usd), 0) AS before_usd,
    COALESCE(SUM(fresh_price.estimated_cost_usd), 0) AS after_usd,
    COUNT(*) FILTER (WHERE receipt_price.estimated_cost_usd IS NULL) AS newly_priced,
    COUNT(*) FILTER (WHERE fresh_price.estimated_cost_usd IS NULL) AS newly_unpriced
FROM fresh_price
JOIN receipt_price USING (receipt_id)
JOIN settled_receipt AS receipt USING (receipt_id)
WHERE receipt_price.estimated_cost_usd IS DISTINCT FROM fresh_price.estimated_cost_usd
GROUP BY ALL
ORDER BY ABS(after_usd - before_usd) DESC, receipt.provider, model;

-- name: preview_totals
-- All receipts that were looked at; USD, those without a price count 0.
SELECT
    COUNT(*) AS receipt_count,
    COALESCE(SUM(receipt_price.estimated_cost_usd), 0) AS before_usd,
    COALESCE(SUM(fresh_price.estimated_cost_usd), 0) AS after_usd
FROM fresh_price
JOIN receipt_price USING (receipt_id);
