-- What spending says about itself: how budgets stand, hours that cost too much, requests that were sent again. Instants
-- are UTC TIMESTAMP. Found anew in each run; what was told of it is in incidents.db.

CREATE TABLE IF NOT EXISTS budget_state (
    budget VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    team VARCHAR,
    service VARCHAR,
    environment VARCHAR,
    provider VARCHAR,
    amount DECIMAL(38, 18) NOT NULL,
    currency VARCHAR NOT NULL,
    spent DECIMAL(38, 18) NOT NULL,
    estimated_part DECIMAL(38, 18) NOT NULL,
    status VARCHAR NOT NULL,
    spent_percent DECIMAL(38, 6) NOT NULL,
    threshold_percent INTEGER,
    burn VARCHAR,
    forecast_p50 DECIMAL(38, 18),
    forecast_p90 DECIMAL(38, 18),
    forecast_days INTEGER,
    unpriced_calls BIGINT NOT NULL,
    unconverted_usd DECIMAL(38, 18) NOT NULL,
    evaluated_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE budget_state IS 'Every budget of anchor.toml in the present month, and in the one before while that still changes';

CREATE TABLE IF NOT EXISTS spend_anomaly (
    event_id VARCHAR NOT NULL,
    hour TIMESTAMP NOT NULL,
    team VARCHAR,
    service VARCHAR,
    environment VARCHAR,
    method VARCHAR NOT NULL,
    cost_usd DECIMAL(38, 18) NOT NULL,
    expected_usd DECIMAL(38, 18) NOT NULL,
    found_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE spend_anomaly IS 'Hours in which an application cost far more than it usually does';
COMMENT ON COLUMN spend_anomaly.event_id IS 'As which it is part of an incident; made of hour and application';

CREATE TABLE IF NOT EXISTS spend_run (
    judged_until TIMESTAMP NOT NULL
);
COMMENT ON TABLE spend_run IS 'One row: the hours before this instant were judged';

CREATE TABLE IF NOT EXISTS job_event (
    event_id VARCHAR NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    event_class VARCHAR NOT NULL,
    provider VARCHAR,
    code VARCHAR,
    message VARCHAR,
    sdk VARCHAR,
    operation VARCHAR,
    request_model VARCHAR,
    team VARCHAR,
    service VARCHAR,
    feature VARCHAR,
    environment VARCHAR,
    region VARCHAR,
    cost_center VARCHAR,
    call_site VARCHAR,
    occurrences BIGINT NOT NULL,
    noted_at TIMESTAMP NOT NULL,
    changed_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE job_event IS 'What the job itself found wrong about calls, one row a cause and day: no request failed, so no figure of failures reads it; never removed';
COMMENT ON COLUMN job_event.event_id IS 'Made of class, provider, code and UTC day: a run that is repeated finds the same row';
COMMENT ON COLUMN job_event.occurred_at IS 'The last such call of the day, UTC';
COMMENT ON COLUMN job_event.event_class IS 'unpriced_model';
COMMENT ON COLUMN job_event.code IS 'The model as it is looked up in the cards';
COMMENT ON COLUMN job_event.request_model IS 'The same';
COMMENT ON COLUMN job_event.team IS 'Of all its calls alike, as sdk, operation and the fields below; NULL = they differ, or nobody said';
COMMENT ON COLUMN job_event.occurrences IS 'Calls of that day; grows with calls that come later, stays when a price becomes known';
COMMENT ON COLUMN job_event.noted_at IS 'When a run first found it, UTC';
COMMENT ON COLUMN job_event.changed_at IS 'When a run last found more calls, UTC';

-- A value that all rows of a group share; NULL where one has none.
CREATE OR REPLACE MACRO shared_by_all(value) AS
    CASE WHEN count(value) = count(*) AND min(value) = max(value) THEN min(value) END;

CREATE OR REPLACE VIEW exception_events AS
SELECT
    event_id,
    occurred_at,
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
    labels,
    attribution_source,
    occurrences,
    shipped_at
FROM exception_event
UNION ALL BY NAME
SELECT
    event_id,
    occurred_at,
    event_class,
    provider,
    code,
    message,
    sdk,
    operation,
    request_model,
    team,
    service,
    feature,
    environment,
    region,
    cost_center,
    call_site,
    occurrences,
    noted_at AS shipped_at
FROM job_event;
COMMENT ON VIEW exception_events IS 'Failures that processes recorded, and what the job itself found wrong';
COMMENT ON COLUMN exception_events.retried IS 'NULL = no request failed: the job found it';

CREATE OR REPLACE MACRO is_worth_retrying(event_class) AS
    event_class IN ('rate_limited', 'provider_overloaded', 'provider_5xx', 'timeout', 'network', 'partial_stream');

CREATE OR REPLACE MACRO opens_circuit(event_class) AS
    is_worth_retrying(event_class) OR event_class IN ('billing_exhausted', 'quota_daily');

-- One failed request each, with what was sent before it for the same purpose. What an SDK sends again by itself it
-- says; an application that calls again is known by the request that it serves, the place, the model and the failure.
CREATE OR REPLACE VIEW failed_request AS
WITH told AS (
    SELECT
        event_id,
        occurred_at,
        team,
        service,
        environment,
        provider,
        request_model,
        call_site,
        event_class,
        receipt_id,
        occurrences,
        retried,
        attempts,
        outbox_id,
        writer_seq,
        -- A row that stands for many failures of a storm has the request of the last one only.
        CASE WHEN occurrences = 1 THEN coalesce(request_id, trace_id) END AS served_request
    FROM exception_event
    WHERE provider IS NOT NULL
        AND event_class NOT IN ('internal', 'attribution_required', 'headers_refused', 'client_cancelled')
),
placed AS (
    SELECT
        event_id,
        occurred_at,
        time_bucket(INTERVAL 5 MINUTE, occurred_at) AS slot,
        team,
        service,
        environment,
        provider,
        event_class,
        receipt_id,
        occurrences,
        retried,
        coalesce(attempts, 1) AS attempt,
        served_request,
        count(*) OVER loop AS loop_requests,
        row_number() OVER loop_in_order AS loop_place,
        lead(occurred_at) OVER loop_in_order AS loop_next_at,
        lead(occurred_at) OVER writer AS writer_next_at,
        lead(coalesce(attempts, 1)) OVER writer AS writer_next_attempt
    FROM told
    WINDOW
        loop AS (
            PARTITION BY
                served_request, service, environment, provider, request_model, call_site, event_class
        ),
        loop_in_order AS (
            PARTITION BY
                served_request, service, environment, provider, request_model, call_site, event_class
            ORDER BY occurred_at, event_id
        ),
        writer AS (
            PARTITION BY outbox_id, service, environment, provider, request_model, call_site, event_class
            ORDER BY writer_seq
        )
)
SELECT
    event_id,
    occurred_at,
    slot,
    team,
    service,
    environment,
    provider,
    event_class,
    receipt_id,
    occurrences,
    attempt,
    -- Without a request that it serves, only the SDK's own word counts.
    CASE WHEN served_request IS NULL THEN retried ELSE retried OR loop_place < loop_requests END AS was_repeated,
    retried AS was_repeated_by_sdk,
    CASE WHEN served_request IS NULL THEN attempt ELSE greatest(attempt, loop_requests) END AS requests_of_call,
    -- Until the next failure of the same call; of one that then went well nobody noted the instant.
    CASE
        WHEN served_request IS NOT NULL THEN loop_next_at
        WHEN retried AND writer_next_attempt = attempt + 1 THEN writer_next_at
    END AS next_failed_at
FROM placed;
COMMENT ON VIEW failed_request IS 'One failed request of a provider, or many alike of a storm, and whether another one was sent for the same call';

CREATE OR REPLACE VIEW retry_slot AS
WITH sent AS (
    SELECT
        time_bucket(INTERVAL 5 MINUTE, occurred_at) AS slot,
        service,
        environment,
        provider,
        sum(coalesce(attempts, 1))::BIGINT AS requests
    FROM receipt
    WHERE billable
    GROUP BY ALL
    UNION ALL
    -- A call that failed without a receipt is known by the number of its last request.
    SELECT
        time_bucket(INTERVAL 5 MINUTE, occurred_at),
        service,
        environment,
        provider,
        sum(coalesce(attempts, 1) * occurrences)::BIGINT
    FROM exception_event
    WHERE provider IS NOT NULL
        AND NOT retried
        AND receipt_id IS NULL
        AND event_class NOT IN ('internal', 'attribution_required', 'headers_refused')
    GROUP BY ALL
),
sent_in_slot AS (
    SELECT
        slot,
        service,
        environment,
        provider,
        sum(requests)::BIGINT AS requests
    FROM sent
    GROUP BY ALL
),
repeated AS (
    SELECT
        failed_request.slot,
        failed_request.team,
        failed_request.service,
        failed_request.environment,
        failed_request.provider,
        failed_request.event_class,
        sum(failed_request.occurrences)::BIGINT AS failed_requests,
        coalesce(sum(failed_request.occurrences) FILTER (WHERE failed_request.was_repeated), 0)::BIGINT
            AS wasted_requests,
        coalesce(sum(failed_request.occurrences) FILTER (WHERE failed_request.was_repeated_by_sdk), 0)::BIGINT
            AS repeated_by_sdk,
        max(failed_request.requests_of_call)::BIGINT AS most_requests_of_a_call,
        sum(
            CASE
                WHEN failed_request.was_repeated
                    THEN epoch_ms(failed_request.next_failed_at) - epoch_ms(failed_request.occurred_at)
            END
        )::BIGINT AS wasted_ms,
        sum(receipt_price.estimated_cost_usd) FILTER (WHERE failed_request.was_repeated)::DECIMAL(38, 18) AS wasted_usd,
        max(failed_request.occurred_at) AS last_seen
    FROM failed_request
    LEFT JOIN receipt_price USING (receipt_id)
    GROUP BY ALL
)
SELECT
    repeated.slot,
    repeated.team,
    repeated.service,
    repeated.environment,
    repeated.provider,
    repeated.event_class,
    repeated.failed_requests,
    repeated.wasted_requests,
    repeated.repeated_by_sdk,
    repeated.most_requests_of_a_call,
    greatest(coalesce(sent_in_slot.requests, 0), repeated.failed_requests) AS sent_requests,
    repeated.wasted_ms,
    repeated.wasted_usd,
    repeated.last_seen,
    CASE
        WHEN NOT is_worth_retrying(repeated.event_class) AND repeated.most_requests_of_a_call - 1 >= 3
            THEN 'useless_retry'
        WHEN repeated.most_requests_of_a_call - 1 >= 10
            OR repeated.wasted_requests >= 100
            OR (sent_in_slot.requests >= 50 AND 2 * repeated.wasted_requests > sent_in_slot.requests)
            THEN 'retry_storm'
    END AS finding
FROM repeated
LEFT JOIN sent_in_slot
    ON sent_in_slot.slot = repeated.slot
    AND sent_in_slot.provider = repeated.provider
    AND sent_in_slot.service IS NOT DISTINCT FROM repeated.service
    AND sent_in_slot.environment IS NOT DISTINCT FROM repeated.environment
WHERE repeated.wasted_requests > 0;
COMMENT ON VIEW retry_slot IS 'Requests that were sent again, by five minutes, application, provider and class of the failure';
COMMENT ON COLUMN retry_slot.finding IS 'retry_storm | useless_retry (the failure does not go away by itself); NULL = within reason';
