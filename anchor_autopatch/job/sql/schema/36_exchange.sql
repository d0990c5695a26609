-- Exchange rates that somebody booked. Rates are added, never changed: of one day the rate that was booked last counts.

CREATE TABLE IF NOT EXISTS exchange_rate (
    currency VARCHAR NOT NULL,
    effective_from DATE NOT NULL,
    usd_per_unit DECIMAL(18, 12) NOT NULL,
    source VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE exchange_rate IS 'Booked exchange rates; every booking is kept';
COMMENT ON COLUMN exchange_rate.currency IS 'ISO 4217, not USD';
COMMENT ON COLUMN exchange_rate.effective_from IS 'First day that the rate holds for; it ends with the next one of the currency';
COMMENT ON COLUMN exchange_rate.usd_per_unit IS 'USD for one unit of the currency';
COMMENT ON COLUMN exchange_rate.source IS 'Where the rate was read, as whoever booked it wrote it';
COMMENT ON COLUMN exchange_rate.recorded_at IS 'UTC';

CREATE OR REPLACE VIEW exchange_rate_in_force AS
WITH booked AS (
    SELECT
        currency,
        effective_from,
        MAX_BY(usd_per_unit, recorded_at) AS usd_per_unit,
        MAX_BY(source, recorded_at) AS source
    FROM exchange_rate
    GROUP BY currency, effective_from
)
SELECT
    currency,
    effective_from,
    LEAD(effective_from) OVER (PARTITION BY currency ORDER BY effective_from) AS effective_to,
    usd_per_unit,
    source
FROM booked
UNION ALL
-- What estimates are in: the reporting currency.
SELECT
    'USD' AS currency,
    DATE '1970-01-01' AS effective_from,
    NULL AS effective_to,
    1 AS usd_per_unit,
    'reporting currency' AS source;
COMMENT ON VIEW exchange_rate_in_force IS 'One rate a currency and day, [effective_from, effective_to); NULL = until another one is booked';
