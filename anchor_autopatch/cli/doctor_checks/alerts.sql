-- What the doctor reads in incidents.db.

-- name: seen
-- When the job last looked for incidents, and when it last told so outside.
SELECT
    name,
    at_us,
    error
FROM last_seen
ORDER BY name;
