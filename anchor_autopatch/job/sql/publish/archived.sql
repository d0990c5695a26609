-- The views of report.duckdb over row detail: what the warehouse has, and what retention left in the archive alone. Views take
-- no parameters, so the job fills in {relation} from its own list, and {files} and {message} as quoted texts. Paths
-- are absolute: a relative one would be sought in the folder in which somebody happens to query.

-- name: files
-- Files of the archive that hold rows of a relation which are nowhere else.
SELECT path
FROM purged_file
WHERE relation = $relation
ORDER BY day, part;

-- name: kept
-- Nothing was purged, or what was is gone for good: the warehouse has all there is.
CREATE VIEW report.{relation} AS
SELECT *
FROM kept_rows.{relation};

-- name: broken
-- A file is missing: no sum at all is better than one that lacks its rows. The first half refuses for what is
-- kept, the second where nothing is: DuckDB asks neither about rows that a condition leaves out anyway.
CREATE VIEW report.{relation} AS
SELECT *
FROM kept_rows.{relation}
WHERE error({message}) IS NULL
UNION ALL BY NAME
SELECT NULL::VARCHAR AS receipt_id
WHERE error({message}) IS NULL;

-- name: receipts
-- Receipts as they were on the day they were purged.
CREATE VIEW report.receipts AS
SELECT *
FROM kept_rows.receipts
UNION ALL BY NAME
SELECT * EXCLUDE (usage_lines)
FROM read_parquet([{files}], hive_partitioning = false, union_by_name = true);

-- name: usage_lines
-- Their meters lie in the same files, as a list in each receipt.
CREATE VIEW report.usage_lines AS
SELECT *
FROM kept_rows.usage_lines
UNION ALL BY NAME
SELECT
    receipt_id,
    unnest(usage_lines, recursive := true)
FROM read_parquet([{files}], hive_partitioning = false, union_by_name = true);

-- name: exception_events
-- Exception events as they were shipped, with their incident.
CREATE VIEW report.exception_events AS
SELECT *
FROM kept_rows.exception_events
UNION ALL BY NAME
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
    coalesce(occurrences, 1) AS occurrences,
    incidents_of_purged.incident_id,
    shipped_at
FROM (
    -- Files that are older than the column hold single failures.
    SELECT NULL::BIGINT AS occurrences
    WHERE false
    UNION ALL BY NAME
    SELECT *
    FROM read_parquet([{files}], hive_partitioning = false, union_by_name = true)
) AS archived
LEFT JOIN kept_rows.incidents_of_purged USING (event_id);
