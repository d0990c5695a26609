-- What FOCUS 1.2 asks of every row, one statement a rule; each returns the rows that break it: the rule, then the value.
-- The official validator knows FOCUS 1.0 and does not look at most of these. `charge` is the rows to be exported.

-- name: required_values
-- Columns that must not be NULL in any row.
SELECT
    'A mandatory column is NULL' AS rule,
    ChargeDescription AS value
FROM charge
WHERE BilledCost IS NULL
    OR BillingAccountId IS NULL
    OR BillingAccountType IS NULL
    OR BillingCurrency IS NULL
    OR BillingPeriodEnd IS NULL
    OR BillingPeriodStart IS NULL
    OR ChargeCategory IS NULL
    OR ChargePeriodEnd IS NULL
    OR ChargePeriodStart IS NULL
    OR ContractedCost IS NULL
    OR EffectiveCost IS NULL
    OR InvoiceIssuerName IS NULL
    OR ListCost IS NULL
    OR ProviderName IS NULL
    OR PublisherName IS NULL
    OR ServiceCategory IS NULL
    OR ServiceName IS NULL;

-- name: allowed_values
-- Columns with a closed list of values (FOCUS 1.2 ChargeCategory, ChargeClass, ChargeFrequency, PricingCategory, ServiceCategory).
SELECT
    'A value is not of the list that FOCUS allows' AS rule,
    concat_ws(' | ', ChargeCategory, ChargeClass, ChargeFrequency, PricingCategory, ServiceCategory) AS value
FROM charge
WHERE ChargeCategory NOT IN ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')
    OR ChargeClass <> 'Correction'
    OR ChargeFrequency NOT IN ('One-Time', 'Recurring', 'Usage-Based')
    OR PricingCategory NOT IN ('Standard', 'Dynamic', 'Committed', 'Other')
    OR ServiceCategory <> 'AI and Machine Learning'
    OR NOT regexp_full_match(BillingCurrency, '[A-Z]{3}');

-- name: periods
-- Half-open periods; a charge that is no correction lies within its billing period.
SELECT
    'A charge period is not within its billing period' AS rule,
    concat_ws(' ', ChargePeriodStart, ChargePeriodEnd, BillingPeriodStart, BillingPeriodEnd) AS value
FROM charge
WHERE ChargePeriodStart >= ChargePeriodEnd
    OR BillingPeriodStart >= BillingPeriodEnd
    OR (
        ChargeClass IS NULL
        AND (ChargePeriodStart < BillingPeriodStart OR ChargePeriodEnd > BillingPeriodEnd)
    );

-- name: units
-- A quantity has a unit, and a unit a quantity; usage that is no correction is priced.
SELECT
    'A quantity lacks its unit, or usage its price' AS rule,
    ChargeDescription AS value
FROM charge
WHERE (PricingQuantity IS NULL) <> (PricingUnit IS NULL)
    OR (ConsumedQuantity IS NULL) <> (ConsumedUnit IS NULL)
    OR (ConsumedQuantity IS NOT NULL AND ChargeCategory <> 'Usage')
    OR (
        ChargeCategory IN ('Usage', 'Purchase')
        AND ChargeClass IS NULL
        AND (PricingQuantity IS NULL OR ListUnitPrice IS NULL OR ContractedUnitPrice IS NULL OR SkuPriceId IS NULL)
    )
    OR (SkuId IS NULL) <> (SkuPriceId IS NULL)
    OR (SkuMeter IS NOT NULL AND SkuId IS NULL);

-- name: unit_prices
-- Unit price times quantity, which is 1 share, is the cost, exactly.
SELECT
    'A unit price times its quantity is not the cost' AS rule,
    ChargeDescription AS value
FROM charge
WHERE PricingQuantity <> 1
    OR ListUnitPrice <> ListCost
    OR ContractedUnitPrice <> ContractedCost;

-- name: allocations
-- FOCUS 1.3: an allocated charge says how and to whom; tags are a JSON object.
SELECT
    'An allocated charge lacks its method or its receiver, or tags are no object' AS rule,
    ChargeDescription AS value
FROM charge
WHERE (AllocatedMethodId IS NULL) <> (AllocatedResourceId IS NULL)
    OR (InvoiceId IS NOT NULL AND AllocatedMethodId IS NULL)
    OR json_type(Tags) <> 'OBJECT'
    OR json_type(AllocatedTags) <> 'OBJECT';

-- name: invoice_sums
-- BilledCost of an invoice sums to what is payable; an invoice of an exported month without any row is off, too.
SELECT
    'The rows of an invoice do not sum to it' AS rule,
    concat_ws(' ', bill.invoice_id, coalesce(sum(charge.BilledCost), 0), any_value(bill.invoice_total)) AS value
FROM reconciliation AS bill
LEFT JOIN charge
    ON charge.InvoiceId = bill.invoice_id
    AND charge.x_Provider = bill.provider
    AND strftime(charge.BillingPeriodStart, '%Y-%m') = bill.period
    AND charge.ChargeClass IS NULL
WHERE bill.invoice_id IS NOT NULL
    AND bill.period IN (
        SELECT strftime(BillingPeriodStart, '%Y-%m')
        FROM charge
        WHERE ChargeClass IS NULL
    )
GROUP BY bill.period, bill.provider, bill.account, bill.invoice_id
HAVING coalesce(sum(charge.BilledCost), 0) <> any_value(bill.invoice_total);

-- name: correction_sums
-- Corrections of an invoice move money between applications: in each month they are booked in they sum to zero.
SELECT
    'The corrections of an invoice do not sum to zero' AS rule,
    concat_ws(' ', InvoiceId, sum(BilledCost)) AS value
FROM charge
WHERE ChargeClass = 'Correction'
GROUP BY InvoiceId, BillingPeriodStart, ChargePeriodStart
HAVING sum(BilledCost) <> 0;
