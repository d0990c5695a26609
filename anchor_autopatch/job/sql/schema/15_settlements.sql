-- Settlement: an object that a provider works on after the request (a background response, batch, run, video,
-- interaction, training) bills once, whichever process read it and however often. All of it is derived from
-- receipts, which stay as they were shipped. Instants are UTC TIMESTAMP.

-- Facts that the host states of an object, beside those that prices depend on.
CREATE OR REPLACE MACRO states(price_facts, fact) AS
    -- The search in the text comes first: parsing the JSON of every receipt takes ten times as long.
    CASE
        WHEN CONTAINS(price_facts, '"' || fact || '"')
            THEN COALESCE(TRY_CAST(price_facts AS JSON) ->> ('$.' || fact) = 'true', false)
        ELSE false
    END;

CREATE OR REPLACE VIEW object_receipt AS
SELECT
    receipt_id,
    occurred_at,
    CASE WHEN provider = 'unmapped' THEN 'unmapped ' || COALESCE(provider_host, '') ELSE provider END AS issuer,
    response_id,
    CASE
        WHEN CONTAINS(price_facts, '"batch_id"')
            THEN COALESCE(TRY_CAST(price_facts AS JSON) ->> '$.batch_id', response_id)
        ELSE response_id
    END AS submitted_id,
    CASE
        WHEN states(price_facts, 'unfinished')
            THEN CASE WHEN NOT billable AND NOT states(price_facts, 'retrieved') THEN 'submission' END
        WHEN states(price_facts, 'retrieved') THEN 'retrieval'
        WHEN billable THEN 'call'
    END AS role,
    billable
FROM receipt
WHERE response_id <> '';
COMMENT ON VIEW object_receipt IS 'What each receipt with an id of the provider has to do with the object of that id';
COMMENT ON COLUMN object_receipt.issuer IS 'Within which ids are unique: the provider, or the host that nobody explained';
COMMENT ON COLUMN object_receipt.submitted_id IS 'Id under which the object was submitted: the batch of an answer, else its own';
COMMENT ON COLUMN object_receipt.role IS 'submission (costs nothing itself) | retrieval (of an object that has ended) | call (a fresh answer) | NULL = none of these';

CREATE TABLE IF NOT EXISTS settlement (
    receipt_id VARCHAR NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    is_billed BOOLEAN NOT NULL,
    parent_receipt_id VARCHAR,
    has_submitter BOOLEAN NOT NULL,
    team VARCHAR,
    service VARCHAR,
    feature VARCHAR,
    environment VARCHAR,
    region VARCHAR,
    cost_center VARCHAR,
    user_id VARCHAR,
    request_id VARCHAR,
    trace_id VARCHAR,
    span_id VARCHAR,
    call_site VARCHAR,
    labels VARCHAR,
    attribution_source VARCHAR,
    request_model VARCHAR,
    submission_facts VARCHAR,
    settled_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE settlement IS 'Every retrieval that its own process would bill: whether it is the one that bills its object, and for whom; found anew in each run, kept as it is in frozen periods';
COMMENT ON COLUMN settlement.receipt_id IS 'Receipt of the retrieval';
COMMENT ON COLUMN settlement.occurred_at IS 'Of that receipt, UTC';
COMMENT ON COLUMN settlement.is_billed IS 'true = this retrieval bills the object; false = another receipt does';
COMMENT ON COLUMN settlement.parent_receipt_id IS 'The submission where is_billed, else the receipt that bills the object; NULL = not seen';
COMMENT ON COLUMN settlement.has_submitter IS 'true = the attribution is that of the submission; false = the retrieval keeps its own';
COMMENT ON COLUMN settlement.attribution_source IS 'JSON object: field -> submission: and where it came from there';
COMMENT ON COLUMN settlement.request_model IS 'Model that the submission asked for';
COMMENT ON COLUMN settlement.submission_facts IS 'JSON object: price facts of the submission, for what the retrieval does not state';
COMMENT ON COLUMN settlement.settled_at IS 'When this was last found to differ from before, UTC';

CREATE OR REPLACE VIEW settled_receipt AS
SELECT
    receipt.rowid AS receipt_no,
    receipt.receipt_id,
    receipt.occurred_at,
    receipt.duration_us,
    CASE WHEN settlement.has_submitter THEN settlement.team ELSE receipt.team END AS team,
    CASE WHEN settlement.has_submitter THEN settlement.service ELSE receipt.service END AS service,
    CASE WHEN settlement.has_submitter THEN settlement.feature ELSE receipt.feature END AS feature,
    CASE WHEN settlement.has_submitter THEN settlement.environment ELSE receipt.environment END AS environment,
    CASE WHEN settlement.has_submitter THEN settlement.region ELSE receipt.region END AS region,
    CASE WHEN settlement.has_submitter THEN settlement.cost_center ELSE receipt.cost_center END AS cost_center,
    CASE WHEN settlement.has_submitter THEN settlement.user_id ELSE receipt.user_id END AS user_id,
    CASE WHEN settlement.has_submitter THEN settlement.request_id ELSE receipt.request_id END AS request_id,
    CASE WHEN settlement.has_submitter THEN settlement.trace_id ELSE receipt.trace_id END AS trace_id,
    CASE WHEN settlement.has_submitter THEN settlement.span_id ELSE receipt.span_id END AS span_id,
    CASE WHEN settlement.has_submitter THEN settlement.call_site ELSE receipt.call_site END AS call_site,
    CASE WHEN settlement.has_submitter THEN settlement.labels ELSE receipt.labels END AS labels,
    CASE
        WHEN settlement.has_submitter THEN settlement.attribution_source
        ELSE receipt.attribution_source
    END AS attribution_source,
    receipt.provider,
    receipt.provider_host,
    receipt.api_key_id,
    receipt.sdk,
    receipt.operation,
    COALESCE(receipt.request_model, settlement.request_model) AS request_model,
    receipt.response_model,
    receipt.response_id,
    receipt.provider_request_id,
    receipt.outcome,
    receipt.http_status,
    receipt.stream,
    receipt.attempts,
    receipt.usage_source,
    receipt.usage_shape,
    receipt.raw_usage,
    receipt.price_facts,
    settlement.submission_facts,
    COALESCE(settlement.is_billed, receipt.billable) AS billable,
    COALESCE(settlement.parent_receipt_id, receipt.parent_receipt_id) AS parent_receipt_id,
    receipt.provider_account,
    receipt.outbox_id,
    receipt.writer_seq,
    receipt.shipped_at
FROM receipt
LEFT JOIN settlement USING (receipt_id);
COMMENT ON VIEW settled_receipt IS 'Receipts as they are priced, allocated and published: one object bills once, for who submitted it';
COMMENT ON COLUMN settled_receipt.receipt_no IS 'Row in the table receipt';
COMMENT ON COLUMN settled_receipt.submission_facts IS 'JSON object: price facts of the submission; NULL = there is none';
COMMENT ON COLUMN settled_receipt.billable IS 'false = costs nothing itself, or another receipt bills the object';
COMMENT ON COLUMN settled_receipt.parent_receipt_id IS 'Session, hop before or submission; of a retrieval that is not billed, the receipt that is';

CREATE OR REPLACE VIEW unsettled_submission AS
WITH ended AS (
    SELECT
        issuer,
        response_id AS submitted_id
    FROM object_receipt
    WHERE role IN ('retrieval', 'call')
    UNION ALL
    -- Answers of a batch have ids of their own.
    SELECT
        issuer,
        submitted_id
    FROM object_receipt
    WHERE submitted_id <> response_id
)
SELECT
    submission.receipt_id,
    submission.occurred_at
FROM object_receipt AS submission
ANTI JOIN ended USING (issuer, submitted_id)
WHERE submission.role = 'submission';
COMMENT ON VIEW unsettled_submission IS 'Submissions whose object no receipt tells the end of';
