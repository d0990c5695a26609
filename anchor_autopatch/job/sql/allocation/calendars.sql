-- Calendars of billing sources, as they are noted for all steps of a run.

-- name: frozen_rules
-- By what the frozen periods were divided, calendars included.
SELECT
    period,
    document
FROM division_rule
WHERE period IN (SELECT period FROM frozen_period)
ORDER BY period;

-- name: forget_edges
-- Makes room for the edges as they are now.
DELETE FROM month_edge;

-- name: note_edges
-- Notes hours whose month is not that of UTC, from lists.
INSERT INTO month_edge (provider, account, from_at, to_at, period)
SELECT
    UNNEST($provider::VARCHAR[]) AS provider,
    UNNEST($account::VARCHAR[]) AS account,
    UNNEST($from_at::TIMESTAMP[]) AS from_at,
    UNNEST($to_at::TIMESTAMP[]) AS to_at,
    UNNEST($period::VARCHAR[]) AS period;
