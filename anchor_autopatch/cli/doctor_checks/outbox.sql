-- What the doctor asks of one outbox file, opened read-only.

-- name: meta
-- What the file says of its writer: key, value.
SELECT
  key,
  value
FROM meta;

-- name: receipts
-- Rows, and the start of the newest request in microseconds since 1970 UTC; NULL without rows.
SELECT
  count(*),
  max(occurred_at_us)
FROM receipt;

-- name: events
-- Rows of exception events.
SELECT count(*)
FROM exception_event;

-- name: faults
-- Faults of this library itself since :since_us: target, message, how often. That a file could not
-- be written at first is told by its meta, with what was lost.
SELECT
  dependency,
  coalesce(exception_type, '') || ' in ' || coalesce(message, ''),
  count(*)
FROM exception_event
WHERE
  event_class = 'internal'
  AND coalesce(exception_type, '') <> 'OutboxUnwritable'
  AND occurred_at_us >= :since_us
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: refused_headers
-- Inbound attribution headers that were not believed since :since_us: why, how often.
SELECT
  code,
  sum(attempts)
FROM exception_event
WHERE
  event_class = 'headers_refused'
  AND occurred_at_us >= :since_us
GROUP BY code
ORDER BY code;

-- name: unmapped_hosts
-- Hosts that answered billable calls and of which nobody said who invoices: host, a model, calls.
SELECT
  provider_host,
  max(request_model),
  count(*)
FROM receipt
WHERE
  provider = 'unmapped'
  AND billable = 1
GROUP BY provider_host
ORDER BY provider_host;
