-- Who receipts are charged to: what the policy found, corrections by people, labels. Instants are UTC TIMESTAMP.
-- Receipts stay as they are; corrections are added, never changed.

CREATE TABLE IF NOT EXISTS policy_version (
    policy_sha256 VARCHAR NOT NULL UNIQUE,
    document VARCHAR NOT NULL,
    first_judged_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE policy_version IS 'Every policy that receipts were judged by; never changed';
COMMENT ON COLUMN policy_version.policy_sha256 IS 'SHA-256 (hex) over document';
COMMENT ON COLUMN policy_version.document IS 'JSON object: required fields, vocabularies, modes and overrides';
COMMENT ON COLUMN policy_version.first_judged_at IS 'UTC';

CREATE TABLE IF NOT EXISTS policy_finding (
    receipt_id VARCHAR NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    field VARCHAR NOT NULL,
    value VARCHAR,
    mode VARCHAR NOT NULL,
    policy_sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE policy_finding IS 'One field of a billable receipt that is not what the policy asks for; found anew in each run, kept as it is in frozen periods';
COMMENT ON COLUMN policy_finding.occurred_at IS 'Of the receipt, UTC';
COMMENT ON COLUMN policy_finding.value IS 'Outside its vocabulary; NULL = nobody gave it';
COMMENT ON COLUMN policy_finding.mode IS 'report | quarantine | reject, when the call was made; the last two hold the receipt out of chargeback';

CREATE TABLE IF NOT EXISTS correction (
    correction_no BIGINT NOT NULL,
    correction_id VARCHAR NOT NULL,
    receipt_id VARCHAR NOT NULL,
    field VARCHAR NOT NULL,
    old_value VARCHAR,
    new_value VARCHAR,
    actor VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE correction IS 'What people said later about a receipt: a dated entry per field, never changed or removed';
COMMENT ON COLUMN correction.correction_no IS 'Order of entries, from 1';
COMMENT ON COLUMN correction.correction_id IS 'One decision, which may be about many receipts';
COMMENT ON COLUMN correction.field IS 'Field of the attribution; released = charged although the policy asks for more';
COMMENT ON COLUMN correction.old_value IS 'In force before; NULL = none';
COMMENT ON COLUMN correction.actor IS 'Who decided';
COMMENT ON COLUMN correction.recorded_at IS 'UTC';

CREATE TABLE IF NOT EXISTS correction_decision (
    decision_no BIGINT NOT NULL,
    correction_id VARCHAR NOT NULL,
    first_no BIGINT NOT NULL,
    last_no BIGINT NOT NULL,
    entries_sha256 VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    prev_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL
);
COMMENT ON TABLE correction_decision IS 'The chain of decisions: each vouches for its entries in correction, of which one decision may have thousands';
COMMENT ON COLUMN correction_decision.decision_no IS 'Place in the chain, from 1';
COMMENT ON COLUMN correction_decision.first_no IS 'correction_no of its first entry';
COMMENT ON COLUMN correction_decision.last_no IS 'correction_no of its last entry, inclusive';
COMMENT ON COLUMN correction_decision.entries_sha256 IS 'SHA-256 (hex) over all columns of its entries, in their order';
COMMENT ON COLUMN correction_decision.recorded_at IS 'UTC';
COMMENT ON COLUMN correction_decision.prev_hash IS 'hash of the decision before; 64 zeros in the first';
COMMENT ON COLUMN correction_decision.hash IS 'SHA-256 (hex) over all other columns';

CREATE TABLE IF NOT EXISTS attribution_label (
    field VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    label VARCHAR NOT NULL
);
COMMENT ON TABLE attribution_label IS 'What people call a team or a service, as anchor.toml says now; ids are the keys';
COMMENT ON COLUMN attribution_label.field IS 'team | service';

CREATE OR REPLACE VIEW receipt_correction AS
SELECT
    receipt_id,
    max_by(new_value, correction_no) FILTER (WHERE field = 'team') AS team,
    max_by(new_value, correction_no) FILTER (WHERE field = 'service') AS service,
    max_by(new_value, correction_no) FILTER (WHERE field = 'feature') AS feature,
    max_by(new_value, correction_no) FILTER (WHERE field = 'environment') AS environment,
    max_by(new_value, correction_no) FILTER (WHERE field = 'region') AS region,
    max_by(new_value, correction_no) FILTER (WHERE field = 'cost_center') AS cost_center,
    max_by(new_value, correction_no) FILTER (WHERE field = 'user_id') AS user_id,
    max_by(new_value, correction_no) FILTER (WHERE field = 'request_id') AS request_id,
    bool_or(field = 'released') AS released,
    '{' || string_agg('"' || field || '":"correction"', ',') FILTER (WHERE field <> 'released') || '}' AS sources
FROM (
    -- One entry a field: a JSON object must not name it twice.
    SELECT
        receipt_id,
        field,
        max(correction_no) AS correction_no,
        max_by(new_value, correction_no) AS new_value
    FROM correction
    GROUP BY receipt_id, field
)
GROUP BY receipt_id;
COMMENT ON VIEW receipt_correction IS 'What corrections say of each corrected receipt now';
COMMENT ON COLUMN receipt_correction.released IS 'true = charged although the policy asks for more';
COMMENT ON COLUMN receipt_correction.sources IS 'JSON object: corrected field -> correction';

CREATE OR REPLACE VIEW held_receipt AS
SELECT receipt_id
FROM policy_finding
WHERE mode IN ('quarantine', 'reject')
EXCEPT
SELECT receipt_id
FROM correction
WHERE field = 'released';
COMMENT ON VIEW held_receipt IS 'Receipts that are kept and held out of chargeback until a correction releases them';

CREATE OR REPLACE VIEW attributed_receipt AS
SELECT
    receipt.receipt_no,
    receipt.receipt_id,
    receipt.occurred_at,
    receipt.duration_us,
    coalesce(correction.team, receipt.team) AS team,
    coalesce(correction.service, receipt.service) AS service,
    coalesce(correction.feature, receipt.feature) AS feature,
    coalesce(correction.environment, receipt.environment) AS environment,
    coalesce(correction.region, receipt.region) AS region,
    coalesce(correction.cost_center, receipt.cost_center) AS cost_center,
    coalesce(correction.user_id, receipt.user_id) AS user_id,
    coalesce(correction.request_id, receipt.request_id) AS request_id,
    receipt.trace_id,
    receipt.span_id,
    receipt.call_site,
    receipt.labels,
    CASE
        WHEN correction.sources IS NULL THEN receipt.attribution_source
        ELSE CAST(
            json_merge_patch(coalesce(TRY_CAST(receipt.attribution_source AS JSON), '{}'), correction.sources) AS VARCHAR
        )
    END AS attribution_source,
    receipt.provider,
    receipt.provider_host,
    receipt.api_key_id,
    receipt.sdk,
    receipt.operation,
    receipt.request_model,
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
    receipt.submission_facts,
    receipt.billable,
    receipt.parent_receipt_id,
    receipt.provider_account,
    receipt.outbox_id,
    receipt.writer_seq,
    receipt.shipped_at,
    held_receipt.receipt_id IS NOT NULL AS held
FROM settled_receipt AS receipt
LEFT JOIN receipt_correction AS correction USING (receipt_id)
LEFT JOIN held_receipt USING (receipt_id);
COMMENT ON VIEW attributed_receipt IS 'Receipts as they are charged: settled, corrected by people, and held where the policy asks for more';
COMMENT ON COLUMN attributed_receipt.held IS 'true = held out of chargeback until a correction';
