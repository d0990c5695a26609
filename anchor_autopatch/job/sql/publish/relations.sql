-- What people query: one named statement per relation of report.duckdb, run in this order with the warehouse
-- as the current database and the new file attached as `report`. The line under a name is the comment of the
-- relation; the comments of its columns are in comments.sql. Instants are UTC TIMESTAMP, money is
-- DECIMAL(38, 18), nothing is DOUBLE. A figure that nobody knows is NULL, never 0.

-- name: create_kept_rows
-- Room for the rows that the warehouse has; what people query are views beside it, which also read the archive.
CREATE SCHEMA report.kept_rows;

-- name: receipts
-- One billable or possibly billable provider call: who, what, how much, what it cost.
CREATE TABLE report.kept_rows.receipts AS
SELECT *
FROM receipt_detail
ORDER BY occurred_at, receipt_id;

-- name: usage_lines
-- One meter of one receipt with its unit price; the lines of a receipt sum to its estimated cost.
CREATE TABLE report.kept_rows.usage_lines AS
SELECT *
FROM usage_details_of('receipt_price');

-- name: app_costs
-- The split of every bill by application; the rows of an invoice sum to it, to the minor unit.
CREATE TABLE report.app_costs AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    coalesce(label, team) AS team_label,
    service,
    environment,
    response_model,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM app_cost
LEFT JOIN attribution_label
    ON attribution_label.field = 'team'
    AND attribution_label.id = app_cost.team
ORDER BY ALL;

-- name: feature_costs
-- The same money by feature.
CREATE TABLE report.feature_costs AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    feature,
    environment,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM feature_cost
ORDER BY ALL;

-- name: user_costs
-- The same money by user.
CREATE TABLE report.user_costs AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    user_id,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM user_cost
ORDER BY ALL;

-- name: request_costs
-- The same money by request of the application.
CREATE TABLE report.request_costs AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    team,
    service,
    request_id,
    bucket,
    calls,
    estimated_cost_usd,
    anchored_cost,
    currency,
    status
FROM request_cost
ORDER BY ALL;

-- name: reconciliation
-- Estimated against invoiced, one row per period, provider, account and invoice.
CREATE TABLE report.reconciliation AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    invoice_total,
    currency,
    estimated_total_usd,
    untracked,
    unallocated,
    idle,
    adjustment,
    rounding,
    variance,
    variance_percent,
    threshold,
    flagged,
    status,
    mode,
    reconciled_at,
    exchange_rate::DECIMAL(38, 18) AS exchange_rate,
    variance_usd
FROM reconciliation
ORDER BY ALL;

-- name: invoices
-- The bills, those replaced by a later import included.
CREATE TABLE report.invoices AS
SELECT
    invoice_id,
    source,
    provider,
    account,
    period,
    currency,
    total::DECIMAL(38, 18) AS total,
    document_sha256,
    imported_at,
    superseded_at
FROM invoice
ORDER BY ALL;

-- name: variance_lines
-- Every part of the difference between invoiced and estimated, in one category each.
CREATE TABLE report.variance_lines AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    category,
    model,
    meter,
    tier,
    amount,
    currency,
    invoiced,
    estimated_usd,
    invoiced_quantity,
    counted_quantity,
    flagged,
    evidence,
    owner
FROM variance_line
ORDER BY ALL;

-- name: implied_unit_prices
-- The unit price that each line of a bill implies, beside the card of its days.
CREATE TABLE report.implied_unit_prices AS
SELECT
    period,
    provider,
    account,
    invoice_id,
    model,
    meter,
    tier,
    period_start,
    period_end,
    quantity,
    invoiced_usd,
    implied_unit_price_usd,
    card_unit_price_usd,
    ratio,
    flagged
FROM implied_unit_price
ORDER BY ALL;

-- name: variance_actions
-- What somebody has to do about variances.
CREATE TABLE report.variance_actions AS
SELECT
    action_id,
    period,
    provider,
    account,
    invoice_id,
    category,
    amount,
    currency,
    owner,
    state,
    date_diff('day', opened_at, make_timestamp($now_us)) AS age_days,
    evidence,
    note,
    opened_at,
    decided_at
FROM variance_action_state
ORDER BY ALL;

-- name: variances
-- Estimated against invoiced by provider, model, meter and team.
CREATE TABLE report.variances AS
WITH compared AS (
    SELECT
        period,
        provider,
        account,
        invoice_id,
        'provider' AS dimension,
        provider AS value,
        invoice_total AS invoiced,
        estimated_total_usd AS estimated_usd
    FROM reconciliation
    WHERE currency = 'USD'
        AND invoice_id IS NOT NULL
    UNION ALL
    SELECT
        line.period,
        line.provider,
        line.account,
        line.invoice_id,
        dimension.name AS dimension,
        CASE dimension.name WHEN 'model' THEN line.model ELSE line.meter END AS value,
        sum(line.invoiced) AS invoiced,
        sum(line.estimated_usd) AS estimated_usd
    FROM (
        SELECT DISTINCT
            period,
            provider,
            account,
            invoice_id,
            model,
            meter,
            tier,
            invoiced,
            estimated_usd
        FROM variance_line
        WHERE invoiced IS NOT NULL
    ) AS line
    CROSS JOIN (VALUES ('model'), ('meter')) AS dimension (name)
    GROUP BY ALL
    UNION ALL
    SELECT
        app_cost.period,
        app_cost.provider,
        app_cost.account,
        app_cost.invoice_id,
        'team' AS dimension,
        coalesce(app_cost.team, '') AS value,
        sum(app_cost.anchored_cost) AS invoiced,
        coalesce(sum(app_cost.estimated_cost_usd), 0) AS estimated_usd
    FROM app_cost
    WHERE app_cost.currency = 'USD'
        AND app_cost.invoice_id IS NOT NULL
    GROUP BY ALL
)
SELECT
    period,
    provider,
    account,
    invoice_id,
    dimension,
    value,
    invoiced,
    estimated_usd,
    invoiced - estimated_usd AS variance,
    CAST(
        CAST((invoiced - estimated_usd) * 1000000 AS HUGEINT) * 100000000
        // nullif(CAST(invoiced * 1000000 AS HUGEINT), 0) AS DECIMAL(38, 0)
    ) * 0.000001 AS variance_percent
FROM compared
WHERE value <> ''
    OR dimension = 'team'
ORDER BY ALL;

-- name: periods
-- Where each period that somebody has begun to close stands.
CREATE TABLE report.periods AS
SELECT
    reconciliation.period,
    coalesce(any_value(period_state.state), 'open') AS state,
    coalesce(any_value(period_state.version), 1) AS version,
    any_value(reconciliation.mode) AS mode,
    count(reconciliation.invoice_id) AS invoices,
    count(*) FILTER (WHERE reconciliation.flagged) AS flagged
FROM reconciliation
LEFT JOIN period_state USING (period)
GROUP BY reconciliation.period
ORDER BY ALL;

-- name: sign_offs
-- Who signed which period, and what exactly.
CREATE TABLE report.sign_offs AS
SELECT
    event_no,
    period,
    version,
    team,
    actor,
    digest,
    recorded_at
FROM close_event
WHERE action = 'sign_off'
ORDER BY event_no;

-- name: close_events
-- The audit trail of the close, chained by hashes.
CREATE TABLE report.close_events AS
SELECT
    event_no,
    period,
    version,
    action,
    state,
    actor,
    team,
    subject,
    digest,
    TRY_CAST(detail AS JSON) AS detail,
    reason,
    recorded_at,
    hash
FROM close_event
ORDER BY event_no;

-- name: ledger_entries
-- Double-entry bookings of frozen periods and of corrections to them.
CREATE TABLE report.ledger_entries AS
SELECT
    entry_no,
    txn_id,
    kind,
    period,
    posted_period,
    mode,
    account,
    provider,
    provider_account,
    invoice_id,
    team,
    service,
    environment,
    amount,
    currency,
    ref_txn_id,
    actor,
    reason,
    created_at,
    hash
FROM ledger_entry
ORDER BY entry_no;

-- name: period_corrections
-- Proposals to correct a frozen period, one row per application.
CREATE TABLE report.period_corrections AS
SELECT
    period_correction.correction_id,
    period_correction.period,
    period_correction.kind,
    correction_state.state,
    period_correction.provider,
    period_correction.provider_account,
    period_correction.invoice_id,
    period_correction.team,
    period_correction.service,
    period_correction.environment,
    period_correction.booked_amount,
    period_correction.right_amount,
    period_correction.currency,
    correction_state.proposed_by,
    correction_state.proposed_at,
    correction_state.decided_by,
    correction_state.decided_at,
    correction_state.reason
FROM period_correction
JOIN correction_state USING (correction_id)
ORDER BY ALL;

-- name: exception_events
-- One failure of a provider, of another dependency, or of the capture itself, and each day's calls that the job found no rate for.
CREATE TABLE report.kept_rows.exception_events AS
SELECT
    event_id,
    occurred_at,
    event_class AS class,
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
    retried,
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
    TRY_CAST(labels AS JSON) AS labels,
    TRY_CAST(attribution_source AS JSON) AS attribution_source,
    occurrences,
    incident_event.incident_id,
    shipped_at
FROM exception_events
LEFT JOIN incident_event USING (event_id)
ORDER BY occurred_at, event_id;

-- name: incidents_of_purged
-- Of which incident the events were that retention has taken out of the warehouse.
CREATE TABLE report.kept_rows.incidents_of_purged AS
SELECT
    event_id,
    incident_id
FROM incident_event
SEMI JOIN purged_row
    ON purged_row.row_id = incident_event.event_id
    AND purged_row.relation = 'exception_events'
ORDER BY event_id;

-- name: incidents
-- Failures of one cause, from the first to the end, with what they cost.
CREATE TABLE report.incidents AS
WITH cost AS (
    SELECT
        incident_event.incident_id,
        sum(receipt_price.estimated_cost_usd)::DECIMAL(38, 18) AS wasted_usd
    FROM incident_event
    JOIN exception_event USING (event_id)
    JOIN receipt_price USING (receipt_id)
    GROUP BY incident_event.incident_id
)
SELECT
    incident.incident_id,
    incident.class,
    incident.severity,
    incident.state,
    incident.provider,
    incident.dependency,
    incident.model,
    incident.code,
    incident.exception_type,
    incident.message,
    make_timestamp(incident.first_seen_us) AS first_seen,
    make_timestamp(incident.last_seen_us) AS last_seen,
    incident.event_count,
    incident.call_count,
    incident.affected_count,
    incident.affected::JSON AS affected,
    incident.wasted_requests,
    cost.wasted_usd,
    incident.reopen_count,
    incident.acknowledged_by,
    make_timestamp(incident.acknowledged_at_us) AS acknowledged_at,
    make_timestamp(incident.resolved_at_us) AS resolved_at,
    incident.resolve_reason,
    incident.inhibited_by,
    make_timestamp(incident.first_notified_us) AS first_notified_at
FROM incident
LEFT JOIN cost USING (incident_id)
ORDER BY incident.first_seen_us, incident.incident_id;

-- name: deliveries
-- One message about an incident to one sink, and what became of it.
CREATE TABLE report.deliveries AS
SELECT
    delivery_key,
    incident_id,
    sink,
    kind,
    state,
    make_timestamp(created_at_us) AS created_at,
    attempts,
    make_timestamp(next_try_us) AS next_try_at,
    make_timestamp(ended_at_us) AS ended_at,
    last_error
FROM delivery
ORDER BY created_at_us, delivery_key;

-- name: price_changes
-- What changed in the price list from one card to the next, and how many calls the new card has priced.
CREATE TABLE report.price_changes AS
SELECT
    model_key,
    provider,
    began_at,
    seen_at,
    provenance,
    meter,
    follows,
    above_tokens,
    off_peak,
    before_usd,
    after_usd,
    calls,
    rate_card_id,
    card_source,
    source_version
FROM price_change
ORDER BY ALL;

-- name: unpriced_models
-- Models whose calls have no price, or none for some of what was used: that cost is unknown, not zero.
CREATE TABLE report.unpriced_models AS
SELECT
    strftime(receipt.occurred_at, '%Y-%m') AS period,
    receipt.provider,
    receipt.operation,
    receipt.request_model,
    receipt.response_model,
    receipt_price.price_status,
    receipt_price.unpriced_reason,
    receipt_price.unpriced_meters,
    count(*) AS calls,
    min(receipt.occurred_at) AS first_seen,
    max(receipt.occurred_at) AS last_seen
FROM receipt
JOIN receipt_price USING (receipt_id)
WHERE receipt_price.price_status = 'unpriced'
    OR receipt_price.unpriced_meters IS NOT NULL
GROUP BY ALL
ORDER BY ALL;

-- name: unattributed_costs
-- Cost of the calls that lack a team or a service, by where they were made.
CREATE TABLE report.unattributed_costs AS
SELECT
    strftime(receipt.occurred_at, '%Y-%m') AS period,
    receipt.provider,
    receipt.team,
    receipt.service,
    receipt.environment,
    receipt.call_site,
    receipt.sdk,
    count(*) AS calls,
    sum(receipt_price.estimated_cost_usd) AS estimated_cost_usd,
    sum(receipt_anchor.anchored_cost) AS anchored_cost,
    receipt_anchor.anchored_currency AS currency
FROM attributed_receipt AS receipt
LEFT JOIN receipt_price USING (receipt_id)
LEFT JOIN receipt_anchor USING (receipt_id)
WHERE receipt.billable
    AND (receipt.team IS NULL OR receipt.service IS NULL)
GROUP BY ALL
ORDER BY ALL;

-- name: retry_loops
-- The same prompt sent five times or more within one request: all answers but one are waste.
CREATE TABLE report.retry_loops AS
SELECT
    strftime(receipt.occurred_at, '%Y-%m') AS period,
    receipt.provider,
    receipt.team,
    receipt.service,
    receipt.feature,
    receipt.environment,
    receipt.request_id,
    receipt.call_site,
    receipt.request_model,
    receipt_meters.prompt_tokens,
    count(*) AS calls,
    min(receipt.occurred_at) AS first_seen,
    max(receipt.occurred_at) AS last_seen,
    sum(receipt_price.estimated_cost_usd) AS estimated_cost_usd,
    sum(receipt_anchor.anchored_cost) AS anchored_cost,
    sum(receipt_anchor.anchored_cost) - max(receipt_anchor.anchored_cost) AS wasted_cost,
    any_value(receipt_anchor.anchored_currency) AS currency
FROM attributed_receipt AS receipt
JOIN receipt_meters USING (receipt_id)
LEFT JOIN receipt_price USING (receipt_id)
LEFT JOIN receipt_anchor USING (receipt_id)
WHERE receipt.billable
    AND receipt.request_id IS NOT NULL
    -- As many tokens, to the last one, is the same prompt; embeddings of many texts differ.
    AND receipt_meters.prompt_tokens > 0
GROUP BY ALL
HAVING count(*) >= 5
ORDER BY ALL;

-- name: policy_findings
-- One field of a billable receipt that is not what the policy asks for.
CREATE TABLE report.policy_findings AS
SELECT
    receipt_id,
    occurred_at,
    field,
    value,
    mode,
    receipt_id IN (SELECT receipt_id FROM held_receipt) AS held
FROM policy_finding
ORDER BY ALL;

-- name: corrections
-- What people said later about receipts: a dated entry per field, never changed.
CREATE TABLE report.corrections AS
SELECT
    correction_no,
    correction_id,
    recorded_at,
    actor,
    reason,
    receipt_id,
    field,
    old_value,
    new_value
FROM correction
ORDER BY correction_no;

-- name: attribution_labels
-- What people call a team or a service; ids are the keys everywhere else.
CREATE TABLE report.attribution_labels AS
SELECT
    field,
    id,
    label
FROM attribution_label
ORDER BY ALL;

-- name: unmapped_hosts
-- Hosts that answered billable calls and of which nobody said who invoices.
CREATE TABLE report.unmapped_hosts AS
SELECT
    provider_host,
    count(*) AS calls,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen,
    'ANCHOR_PROVIDER_HOSTS=' || coalesce(provider_host, 'HOST') || '=PROVIDER' AS line_to_add
FROM settled_receipt
WHERE billable
    AND provider = 'unmapped'
GROUP BY provider_host
ORDER BY ALL;

-- name: unsettled_submissions
-- What was submitted too long ago to be under way, and no receipt tells its end: what it cost is in no estimate.
CREATE TABLE report.unsettled_submissions AS
SELECT
    strftime(receipt.occurred_at, '%Y-%m') AS period,
    receipt.provider,
    receipt.provider_host,
    receipt.provider_account,
    receipt.operation,
    receipt.response_id,
    receipt.occurred_at AS submitted_at,
    date_sub('hour', receipt.occurred_at, make_timestamp($now_us)) AS age_hours,
    receipt.team,
    receipt.service,
    receipt.feature,
    receipt.environment,
    receipt.user_id,
    receipt.request_id,
    receipt.call_site,
    receipt.sdk,
    receipt.request_model,
    receipt.receipt_id
FROM unsettled_submission
JOIN receipt USING (receipt_id)
WHERE receipt.occurred_at < make_timestamp($overdue_before_us)
ORDER BY receipt.occurred_at, receipt.receipt_id;

-- name: capture_health
-- Whether receipts arrive whole, and whether they still do: one row per host, program and service.
CREATE TABLE report.capture_health AS
WITH last_receipt AS (
    SELECT
        outbox_id,
        mode(service) AS service,
        min(occurred_at) AS first_receipt_at,
        max(occurred_at) AS last_receipt_at
    FROM receipt
    GROUP BY outbox_id
),
shipped AS (
    SELECT
        outbox_id,
        path,
        sum(receipt_count)::BIGINT AS receipts,
        sum(event_count)::BIGINT AS events
    FROM shipment
    GROUP BY outbox_id, path
),
lost AS (
    SELECT
        outbox_id,
        path,
        coalesce(sum(last_seq - first_seq + 1) FILTER (WHERE reason = 'missing'), 0)::BIGINT AS missing_rows,
        coalesce(sum(last_seq - first_seq + 1) FILTER (WHERE reason <> 'missing'), 0)::BIGINT AS corrupt_rows
    FROM outbox_loss
    GROUP BY outbox_id, path
),
refused AS (
    SELECT
        outbox_id,
        sum(attempts)::BIGINT AS refused_headers
    FROM exception_event
    WHERE event_class = 'headers_refused'
    GROUP BY outbox_id
),
-- Hours in which anything was written, and the next such hour of the same host, program and service.
active_hour AS (
    SELECT
        outbox.host,
        outbox.program,
        last_receipt.service,
        written.hour,
        lead(written.hour) OVER (
            PARTITION BY outbox.host, outbox.program, last_receipt.service
            ORDER BY written.hour
        ) AS next_hour
    FROM (
        SELECT
            outbox_id,
            date_trunc('hour', occurred_at) AS hour
        FROM receipt
        WHERE occurred_at >= make_timestamp($now_us) - INTERVAL 28 DAY
        UNION
        SELECT
            outbox_id,
            date_trunc('hour', occurred_at) AS hour
        FROM exception_event
        WHERE occurred_at >= make_timestamp($now_us) - INTERVAL 28 DAY
    ) AS written
    JOIN outbox USING (outbox_id)
    LEFT JOIN last_receipt USING (outbox_id)
),
-- Late is who has been silent for half as long again as ever before in these four weeks: nights and
-- weekends are in them. Less than a week tells of no weekend.
heartbeat AS (
    SELECT
        host,
        program,
        service,
        date_sub('hour', max(hour), make_timestamp($now_us)) AS silent_hours,
        max(date_sub('hour', hour, next_hour)) AS longest_silence_hours,
        CASE
            WHEN date_sub('day', min(hour), max(hour)) >= 7
                THEN date_sub('hour', max(hour), make_timestamp($now_us)) * 2
                    > greatest(max(date_sub('hour', hour, next_hour)) * 3, 4)
        END AS is_late
    FROM active_hour
    GROUP BY host, program, service
),
nameless_file AS (
    SELECT count(*) AS quarantined_files
    FROM quarantined_file
    WHERE outbox_id IS NULL
)
SELECT
    outbox.host,
    outbox.program,
    last_receipt.service,
    count(*) AS outboxes,
    count(*) FILTER (WHERE outbox.state = 'open') AS open_outboxes,
    count(*) FILTER (WHERE outbox.state = 'quarantined') AS quarantined_files,
    coalesce(sum(shipped.receipts), 0)::BIGINT AS receipts,
    coalesce(sum(shipped.events), 0)::BIGINT AS events,
    coalesce(sum(lost.missing_rows), 0)::BIGINT AS missing_rows,
    coalesce(sum(lost.corrupt_rows), 0)::BIGINT AS corrupt_rows,
    sum(outbox.rows_dropped)::BIGINT AS dropped_rows,
    coalesce(sum(refused.refused_headers), 0)::BIGINT AS refused_headers,
    min(last_receipt.first_receipt_at) AS first_receipt_at,
    max(last_receipt.last_receipt_at) AS last_receipt_at,
    max(outbox.last_shipped_at) AS last_shipped_at,
    any_value(heartbeat.silent_hours) AS silent_hours,
    any_value(heartbeat.longest_silence_hours) AS longest_silence_hours,
    any_value(heartbeat.is_late) AS is_late
FROM outbox
LEFT JOIN last_receipt USING (outbox_id)
LEFT JOIN shipped USING (outbox_id, path)
LEFT JOIN lost USING (outbox_id, path)
LEFT JOIN refused USING (outbox_id)
LEFT JOIN heartbeat
    ON outbox.host IS NOT DISTINCT FROM heartbeat.host
    AND outbox.program IS NOT DISTINCT FROM heartbeat.program
    AND last_receipt.service IS NOT DISTINCT FROM heartbeat.service
GROUP BY ALL
UNION ALL BY NAME
SELECT
    0 AS outboxes,
    0 AS open_outboxes,
    quarantined_files,
    0 AS receipts,
    0 AS events,
    0 AS missing_rows,
    0 AS corrupt_rows,
    0 AS dropped_rows,
    0 AS refused_headers
FROM nameless_file
WHERE quarantined_files > 0
ORDER BY ALL;

-- name: budgets
-- What a month may cost, what it cost so far, how fast, and how it will end.
CREATE TABLE report.budgets AS
SELECT
    budget,
    period,
    team,
    service,
    environment,
    provider,
    amount,
    currency,
    spent,
    estimated_part,
    status,
    spent_percent,
    threshold_percent,
    burn,
    forecast_p50,
    forecast_p90,
    forecast_days,
    unpriced_calls,
    unconverted_usd,
    evaluated_at
FROM budget_state
ORDER BY period DESC, budget;

-- name: anomalies
-- Hours in which an application cost far more than it usually does, by the estimate.
CREATE TABLE report.anomalies AS
SELECT
    strftime(spend_anomaly.hour, '%Y-%m') AS period,
    spend_anomaly.hour,
    spend_anomaly.team,
    spend_anomaly.service,
    spend_anomaly.environment,
    spend_anomaly.method,
    spend_anomaly.cost_usd,
    spend_anomaly.expected_usd,
    spend_anomaly.cost_usd - spend_anomaly.expected_usd AS excess_usd,
    'estimated' AS status,
    incident_event.incident_id
FROM spend_anomaly
LEFT JOIN incident_event USING (event_id)
ORDER BY ALL;

-- name: retries
-- Failed requests that were sent again, by five minutes, and what that wasted.
CREATE TABLE report.retries AS
SELECT
    strftime(slot, '%Y-%m') AS period,
    slot,
    team,
    service,
    environment,
    provider,
    event_class AS class,
    failed_requests,
    wasted_requests,
    repeated_by_sdk,
    most_requests_of_a_call,
    sent_requests,
    wasted_ms,
    wasted_usd,
    finding
FROM retry_slot
ORDER BY ALL;

-- name: failed_calls
-- Billable calls without a whole answer, day by day, and what they cost all the same.
CREATE TABLE report.failed_calls AS
WITH told AS (
    SELECT
        receipt_id,
        arg_max(event_class, occurred_at) AS class
    FROM exception_event
    WHERE receipt_id IS NOT NULL
        AND NOT retried
    GROUP BY receipt_id
)
SELECT
    strftime(receipt.occurred_at, '%Y-%m') AS period,
    date_trunc('day', receipt.occurred_at)::TIMESTAMP AS day,
    receipt.team,
    receipt.service,
    receipt.environment,
    receipt.provider,
    receipt.request_model AS model,
    receipt.outcome,
    told.class,
    coalesce(receipt.stream, false) AS stream,
    count(*) AS calls,
    count(*) FILTER (WHERE receipt_price.estimated_cost_usd IS NULL) AS unpriced_calls,
    sum(receipt_price.estimated_cost_usd)::DECIMAL(38, 18) AS estimated_cost_usd,
    sum(receipt_anchor.anchored_cost)::DECIMAL(38, 18) AS anchored_cost,
    receipt_anchor.anchored_currency AS currency,
    CASE
        WHEN receipt_anchor.receipt_id IS NULL THEN 'estimated'
        WHEN in_frozen_month(receipt.receipt_id, receipt.occurred_at) THEN 'frozen'
        ELSE 'anchored'
    END AS status
FROM attributed_receipt AS receipt
LEFT JOIN told USING (receipt_id)
LEFT JOIN receipt_price USING (receipt_id)
LEFT JOIN receipt_anchor USING (receipt_id)
WHERE receipt.billable
    AND receipt.outcome <> 'ok'
GROUP BY ALL
ORDER BY ALL;

-- name: new_error_codes
-- Error codes of providers that no rule knows: the class was told by the status or the name of the exception.
CREATE TABLE report.new_error_codes AS
SELECT
    provider,
    code,
    exception_type,
    http_status,
    event_class AS class,
    sum(occurrences)::BIGINT AS failed_requests,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen
FROM exception_event
WHERE provider IS NOT NULL
    AND code IS NOT NULL
    AND event_class NOT IN ('internal', 'attribution_required', 'headers_refused', 'app_error')
    -- Some providers repeat the status where others name the error.
    AND code IS DISTINCT FROM http_status::VARCHAR
    AND NOT list_contains($known, code)
    -- Of a storm, the bucket of causes that are told apart no more.
    AND code <> 'storm'
GROUP BY ALL
ORDER BY ALL;

-- name: provider_health
-- Calls, failures and latency of every provider and model, hour by hour, and the state of a derived circuit breaker.
CREATE TABLE report.provider_health AS
WITH seen AS (
    SELECT
        occurred_at,
        receipt_id AS call_id,
        provider,
        request_model AS model,
        duration_us,
        NULL AS class,
        outcome <> 'ok' AS failed,
        true AS is_call,
        1 AS occurrences
    FROM settled_receipt
    WHERE billable
    UNION ALL
    -- A failure that left a receipt is one call, counted above, and one that the SDK tried again is a
    -- part of one; only its class is told here.
    SELECT
        occurred_at,
        event_id AS call_id,
        provider,
        request_model AS model,
        NULL AS duration_us,
        event_class AS class,
        true AS failed,
        receipt_id IS NULL AND NOT retried AS is_call,
        occurrences
    FROM exception_event
    WHERE provider IS NOT NULL
        AND event_class NOT IN ('internal', 'attribution_required', 'headers_refused')
),
-- What says anything about the provider: good answers, and failures that are its own or the account's. Requests of an
-- application that are wrong in themselves say nothing.
trial AS (
    SELECT
        receipt.provider,
        receipt.request_model AS model,
        receipt.occurred_at,
        receipt.receipt_id AS call_id,
        false AS failed
    FROM settled_receipt AS receipt
    WHERE receipt.billable
        AND receipt.outcome = 'ok'
        -- Where nothing fails no circuit opens, and nothing has to be put in order.
        AND (receipt.provider, receipt.request_model) IN (
            SELECT
                provider,
                request_model
            FROM exception_event
            WHERE opens_circuit(event_class)
                AND NOT retried
            GROUP BY ALL
            HAVING count(*) >= 5
        )
    UNION ALL
    SELECT
        provider,
        request_model,
        occurred_at,
        event_id,
        true
    FROM exception_event
    WHERE opens_circuit(event_class)
        AND NOT retried
        AND provider IS NOT NULL
),
in_order AS (
    SELECT
        provider,
        model,
        occurred_at,
        call_id,
        failed,
        row_number() OVER calls AS place,
        -- Equal for calls that follow one another and ended alike.
        row_number() OVER calls - row_number() OVER alike AS run
    FROM trial
    WINDOW
        calls AS (PARTITION BY provider, model ORDER BY occurred_at, call_id),
        alike AS (PARTITION BY provider, model, failed ORDER BY occurred_at, call_id)
),
counted AS (
    SELECT
        provider,
        model,
        occurred_at,
        place,
        failed,
        row_number() OVER (PARTITION BY provider, model, failed, run ORDER BY place) AS in_a_row
    FROM in_order
),
judged AS (
    SELECT
        provider,
        model,
        occurred_at,
        place,
        failed,
        coalesce(max(CASE WHEN failed AND in_a_row >= 5 THEN place END) OVER so_far, 0) AS tripped_at,
        coalesce(max(CASE WHEN NOT failed AND in_a_row >= 3 THEN place END) OVER so_far, 0) AS recovered_at,
        failed AND in_a_row = 5 AS trips
    FROM counted
    WINDOW so_far AS (PARTITION BY provider, model ORDER BY place)
),
circuit AS (
    SELECT
        date_trunc('hour', occurred_at) AS hour,
        provider,
        model,
        arg_max(
            CASE
                WHEN tripped_at <= recovered_at THEN 'closed'
                WHEN failed THEN 'open'
                ELSE 'half_open'
            END,
            place
        ) AS circuit,
        count(*) FILTER (WHERE trips) AS circuit_openings
    FROM judged
    GROUP BY ALL
),
hourly AS (
    SELECT
        date_trunc('hour', occurred_at) AS hour,
        provider,
        model,
        coalesce(sum(occurrences) FILTER (WHERE is_call), 0)::BIGINT AS calls,
        coalesce(sum(occurrences) FILTER (WHERE is_call AND failed), 0)::BIGINT AS failed_calls,
        coalesce(sum(occurrences) FILTER (WHERE class = 'rate_limited'), 0)::BIGINT AS rate_limited,
        coalesce(sum(occurrences) FILTER (WHERE class IN ('billing_exhausted', 'quota_daily')), 0)::BIGINT AS out_of_quota,
        coalesce(sum(occurrences) FILTER (WHERE class IN ('provider_overloaded', 'provider_5xx')), 0)::BIGINT AS provider_errors,
        coalesce(sum(occurrences) FILTER (WHERE class = 'timeout'), 0)::BIGINT AS timeouts,
        coalesce(sum(occurrences) FILTER (WHERE class = 'network'), 0)::BIGINT AS network_errors,
        coalesce(
            sum(occurrences) FILTER (
                WHERE class IN ('auth', 'model_gone', 'context_length', 'content_filter', 'bad_request')
            ),
            0
        )::BIGINT AS refused_requests,
        coalesce(sum(occurrences) FILTER (WHERE class IN ('client_cancelled', 'partial_stream')), 0)::BIGINT AS broken_off,
        quantile_disc(duration_us, 0.5) // 1000 AS median_duration_ms,
        quantile_disc(duration_us, 0.95) // 1000 AS p95_duration_ms
    FROM seen
    GROUP BY ALL
)
SELECT
    hourly.hour,
    hourly.provider,
    hourly.model,
    hourly.calls,
    hourly.failed_calls,
    hourly.rate_limited,
    hourly.out_of_quota,
    hourly.provider_errors,
    hourly.timeouts,
    hourly.network_errors,
    hourly.refused_requests,
    hourly.broken_off,
    -- An hour in which nothing was tried leaves it as it was.
    coalesce(
        circuit.circuit,
        last_value(circuit.circuit IGNORE NULLS) OVER before,
        'closed'
    ) AS circuit,
    coalesce(circuit.circuit_openings, 0) AS circuit_openings,
    hourly.median_duration_ms,
    hourly.p95_duration_ms
FROM hourly
LEFT JOIN circuit
    ON circuit.hour = hourly.hour
    AND circuit.provider = hourly.provider
    AND circuit.model IS NOT DISTINCT FROM hourly.model
WINDOW before AS (
    PARTITION BY hourly.provider, hourly.model
    ORDER BY hourly.hour
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
ORDER BY hourly.hour, hourly.provider, hourly.model;

-- name: published
-- When this file was made; one row.
CREATE TABLE report.published AS
SELECT
    make_timestamp($now_us) AS published_at,
    (SELECT max(shipped_at) FROM receipt) AS last_shipped_at,
    (SELECT max(occurred_at) FROM receipt) AS last_receipt_at,
    (SELECT count(*) FROM receipt) AS receipts;
