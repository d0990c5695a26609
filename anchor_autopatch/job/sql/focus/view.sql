-- The split of every bill as FOCUS 1.2 has it (FinOps Open Cost and Usage Specification, read 2026-11), with the
-- allocation columns of 1.3. Runs after the statements of publish/relations.sql, from what they made.

-- name: focus_cost_and_usage
-- The split of every bill in the columns of FOCUS 1.2, with the allocation columns of 1.3; the rows of an invoice sum to it.
CREATE TABLE report.focus_cost_and_usage AS
WITH provider_name AS (
    -- LiteLLM's name -> who invoices, and the service as its own bill calls it.
    SELECT
        provider,
        issuer,
        service_name
    FROM (
        VALUES
            ('openai', 'OpenAI', 'OpenAI API'),
            ('anthropic', 'Anthropic', 'Claude API'),
            ('gemini', 'Google Cloud', 'Gemini API'),
            ('vertex_ai', 'Google Cloud', 'Vertex AI'),
            ('azure', 'Microsoft', 'Azure OpenAI'),
            ('azure_ai', 'Microsoft', 'Microsoft Foundry'),
            ('bedrock', 'AWS', 'Amazon Bedrock'),
            ('xai', 'xAI', 'xAI API'),
            ('openrouter', 'OpenRouter', 'OpenRouter'),
            ('groq', 'Groq', 'GroqCloud'),
            ('mistral', 'Mistral AI', 'La Plateforme'),
            ('cohere', 'Cohere', 'Cohere API'),
            ('deepseek', 'DeepSeek', 'DeepSeek API')
    ) AS names (provider, issuer, service_name)
),
whole_charge AS (
    -- What was billed to an application, or is estimated while no bill has come.
    SELECT
        period AS billing_period,
        period AS charge_period,
        provider,
        account,
        invoice_id,
        team,
        service,
        environment,
        response_model AS model,
        bucket,
        CASE
            WHEN bucket IN ('__rounding', '__adjustment') THEN 'Adjustment'
            ELSE 'Usage'
        END AS charge_category,
        CAST(NULL AS VARCHAR) AS charge_class,
        CASE WHEN bucket IS NULL THEN calls END AS calls,
        coalesce(anchored_cost, estimated_cost_usd) AS billed_cost,
        estimated_cost_usd,
        currency,
        status
    FROM report.app_costs
    -- A call without a price and without a bill has a cost that nobody knows: no row says 0 for it.
    WHERE coalesce(anchored_cost, estimated_cost_usd) IS NOT NULL
    UNION ALL
    -- What was booked anew in an open month for a month that was frozen.
    SELECT
        posted_period AS billing_period,
        period AS charge_period,
        provider,
        provider_account AS account,
        invoice_id,
        team,
        service,
        environment,
        CAST(NULL AS VARCHAR) AS model,
        CAST(NULL AS VARCHAR) AS bucket,
        'Usage' AS charge_category,
        'Correction' AS charge_class,
        CAST(NULL AS BIGINT) AS calls,
        sum(amount) AS billed_cost,
        CAST(NULL AS DECIMAL(38, 18)) AS estimated_cost_usd,
        currency,
        'frozen' AS status
    FROM ledger_entry
    WHERE kind IN ('reversal', 'correction')
        AND account LIKE 'Expense:%'
    GROUP BY posted_period, period, provider, provider_account, invoice_id, team, service, environment, currency
    HAVING sum(amount) <> 0
),
tax_sum AS (
    -- Taxes of each invoice, in 1e-4 of its currency: no currency has more decimals. unit = the minor one, in the same.
    SELECT
        line.provider,
        line.account,
        line.period,
        line.invoice_id,
        CAST(CAST(sum(line.amount) AS DECIMAL(38, 4)) * 10000 AS HUGEINT) AS amount,
        any_value([10000, 1000, 100, 10, 1][control.minor_units + 1]) AS unit
    FROM control_line AS line
    INNER JOIN control_total AS control USING (provider, account, period, invoice_id)
    WHERE line.charge_category = 'tax'
    GROUP BY line.provider, line.account, line.period, line.invoice_id
),
tax AS (
    SELECT
        provider,
        account,
        period,
        invoice_id,
        unit,
        sign(amount) AS direction,
        (2 * abs(amount) + unit) // (2 * unit) AS tax_units
    FROM tax_sum
),
numbered_charge AS (
    SELECT
        whole_charge.*,
        row_number() OVER (
            ORDER BY billing_period, provider, account, invoice_id, charge_period, team, service, environment, model, bucket, charge_class
        ) AS charge_no
    FROM whole_charge
),
taxed AS (
    -- Taxes are divided by what is charged (job/allocation), so each share bears its part: cut by largest remainder.
    SELECT
        charge.charge_no,
        tax.direction,
        tax.unit,
        tax.tax_units,
        CAST(CAST(greatest(charge.billed_cost, 0) AS DECIMAL(38, 4)) * 10000 AS HUGEINT) AS weight
    FROM numbered_charge AS charge
    INNER JOIN tax
        ON tax.provider = charge.provider
        AND tax.account = charge.account
        AND tax.period = charge.billing_period
        AND tax.invoice_id = charge.invoice_id
    WHERE charge.charge_category = 'Usage'
        AND charge.charge_class IS NULL
        AND charge.billed_cost > 0
),
cut_tax AS (
    SELECT
        taxed.*,
        tax_units * weight // sum(weight) OVER invoice AS floor_units,
        tax_units * weight % CAST(sum(weight) OVER invoice AS HUGEINT) AS rest,
        min(charge_no) OVER invoice AS invoice_no
    FROM taxed
    INNER JOIN (
        SELECT
            charge_no,
            dense_rank() OVER (ORDER BY billing_period, provider, account, invoice_id) AS bill_no
        FROM numbered_charge
    ) AS bill USING (charge_no)
    WINDOW invoice AS (PARTITION BY bill_no)
),
tax_share AS (
    SELECT
        charge_no,
        direction * CAST(
            (
                floor_units + CASE
                    WHEN row_number() OVER (PARTITION BY invoice_no ORDER BY rest DESC, weight DESC, charge_no)
                        <= tax_units - sum(floor_units) OVER (PARTITION BY invoice_no) THEN 1
                    ELSE 0
                END
            ) * unit AS DECIMAL(20, 0)
        ) * CAST(0.0001 AS DECIMAL(4, 4)) AS amount
    FROM cut_tax
),
charge AS (
    SELECT
        numbered_charge.* REPLACE (
            CAST(numbered_charge.billed_cost - coalesce(tax_share.amount, 0) AS DECIMAL(38, 18)) AS billed_cost
        )
    FROM numbered_charge
    LEFT JOIN tax_share USING (charge_no)
    UNION ALL BY NAME
    SELECT
        numbered_charge.* REPLACE (
            'Tax' AS charge_category,
            CAST(NULL AS BIGINT) AS calls,
            CAST(tax_share.amount AS DECIMAL(38, 18)) AS billed_cost,
            CAST(NULL AS DECIMAL(38, 18)) AS estimated_cost_usd
        )
    FROM numbered_charge
    INNER JOIN tax_share USING (charge_no)
    WHERE tax_share.amount <> 0
),
priced AS (
    SELECT
        charge.*,
        coalesce(provider_name.issuer, charge.provider) AS issuer,
        coalesce(provider_name.service_name, charge.provider) AS service_name,
        coalesce(nullif(charge.account, ''), 'default') AS billing_account,
        -- List prices are in USD; of another currency only what was billed is known.
        CASE
            WHEN charge.currency = 'USD' AND charge.bucket IS NULL AND charge.estimated_cost_usd IS NOT NULL
                THEN 'estimated'
            ELSE 'billed'
        END AS list_cost_basis,
        -- What is priced is one share of a bill: unit price and cost are then the same to the last digit.
        charge.charge_category = 'Usage' AND charge.charge_class IS NULL AS is_unit,
        nullif(
            CAST(
                json_merge_patch(
                    '{}',
                    json_object(
                        'team', charge.team,
                        'service', charge.service,
                        'environment', charge.environment
                    )
                ) AS VARCHAR
            ),
            '{}'
        ) AS tags
    FROM charge
    LEFT JOIN provider_name USING (provider)
),
listed AS (
    SELECT
        priced.*,
        CAST(
            CASE list_cost_basis
                WHEN 'estimated' THEN estimated_cost_usd
                ELSE billed_cost
            END AS DECIMAL(38, 18)
        ) AS list_cost
    FROM priced
)
SELECT
    CAST(NULL AS VARCHAR) AS AvailabilityZone,
    CAST(billed_cost AS DECIMAL(38, 18)) AS BilledCost,
    billing_account AS BillingAccountId,
    billing_account AS BillingAccountName,
    'Billing Account' AS BillingAccountType,
    currency AS BillingCurrency,
    CAST(billing_period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH AS BillingPeriodEnd,
    CAST(billing_period || '-01' AS TIMESTAMP) AS BillingPeriodStart,
    CAST(NULL AS VARCHAR) AS CapacityReservationId,
    CAST(NULL AS VARCHAR) AS CapacityReservationStatus,
    charge_category AS ChargeCategory,
    charge_class AS ChargeClass,
    concat_ws(
        ' ',
        CASE WHEN charge_category = 'Tax' THEN 'Tax in the share of the' ELSE 'Share of the' END,
        service_name,
        'bill:',
        coalesce(bucket, service, 'no service named'),
        model
    ) AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    CAST(charge_period || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH AS ChargePeriodEnd,
    CAST(charge_period || '-01' AS TIMESTAMP) AS ChargePeriodStart,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountCategory,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountId,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountName,
    CAST(NULL AS DECIMAL(38, 9)) AS CommitmentDiscountQuantity,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountStatus,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountType,
    CAST(NULL AS VARCHAR) AS CommitmentDiscountUnit,
    CASE WHEN is_unit THEN CAST(calls AS DECIMAL(38, 9)) END AS ConsumedQuantity,
    CASE WHEN is_unit AND calls IS NOT NULL THEN 'Requests' END AS ConsumedUnit,
    CAST(billed_cost AS DECIMAL(38, 18)) AS ContractedCost,
    CASE WHEN is_unit THEN CAST(billed_cost AS DECIMAL(38, 18)) END AS ContractedUnitPrice,
    CAST(billed_cost AS DECIMAL(38, 18)) AS EffectiveCost,
    invoice_id AS InvoiceId,
    issuer AS InvoiceIssuerName,
    list_cost AS ListCost,
    CASE WHEN is_unit THEN list_cost END AS ListUnitPrice,
    CASE WHEN is_unit THEN 'Other' END AS PricingCategory,
    currency AS PricingCurrency,
    CASE WHEN is_unit THEN CAST(billed_cost AS DECIMAL(38, 18)) END AS PricingCurrencyContractedUnitPrice,
    CAST(billed_cost AS DECIMAL(38, 18)) AS PricingCurrencyEffectiveCost,
    CASE WHEN is_unit THEN list_cost END AS PricingCurrencyListUnitPrice,
    CASE WHEN is_unit THEN CAST(1 AS DECIMAL(38, 9)) END AS PricingQuantity,
    CASE WHEN is_unit THEN 'Units' END AS PricingUnit,
    issuer AS ProviderName,
    issuer AS PublisherName,
    CAST(NULL AS VARCHAR) AS RegionId,
    CAST(NULL AS VARCHAR) AS RegionName,
    CAST(NULL AS VARCHAR) AS ResourceId,
    CAST(NULL AS VARCHAR) AS ResourceName,
    CAST(NULL AS VARCHAR) AS ResourceType,
    'AI and Machine Learning' AS ServiceCategory,
    service_name AS ServiceName,
    'Generative AI' AS ServiceSubcategory,
    CASE WHEN charge_category = 'Usage' THEN coalesce(model, bucket, 'any model') END AS SkuId,
    CASE WHEN is_unit THEN 'Requests' END AS SkuMeter,
    CAST(NULL AS JSON) AS SkuPriceDetails,
    CASE
        WHEN charge_category = 'Usage' THEN concat_ws('/', provider, coalesce(model, bucket, 'any model'))
    END AS SkuPriceId,
    CAST(NULL AS VARCHAR) AS SubAccountId,
    CAST(NULL AS VARCHAR) AS SubAccountName,
    CAST(NULL AS VARCHAR) AS SubAccountType,
    CAST(tags AS JSON) AS Tags,
    CASE
        WHEN bucket IS NULL AND invoice_id IS NULL THEN NULL
        ELSE 'anchor-proportional-1'
    END AS AllocatedMethodId,
    CASE
        WHEN bucket IS NULL AND invoice_id IS NULL THEN NULL
        ELSE CAST(
            '{"weights": "usage x list price of the matched calls", "rounding": "largest remainder"}' AS JSON
        )
    END AS AllocatedMethodDetails,
    CASE
        WHEN bucket IS NULL AND invoice_id IS NULL THEN NULL
        ELSE coalesce(bucket, service, '__unattributed')
    END AS AllocatedResourceId,
    CASE
        WHEN bucket IS NULL AND invoice_id IS NULL THEN NULL
        ELSE coalesce(bucket, service, '__unattributed')
    END AS AllocatedResourceName,
    CASE WHEN invoice_id IS NOT NULL THEN CAST(tags AS JSON) END AS AllocatedTags,
    CAST(NULL AS JSON) AS ContractApplied,
    issuer AS HostProviderName,
    issuer AS ServiceProviderName,
    bucket AS x_Bucket,
    environment AS x_Environment,
    estimated_cost_usd AS x_EstimatedCostUsd,
    list_cost_basis AS x_ListCostBasis,
    model AS x_Model,
    provider AS x_Provider,
    service AS x_Service,
    status AS x_Status,
    team AS x_Team
FROM listed
ORDER BY billing_period, provider, billing_account, invoice_id, charge_period, team, service, environment, model, bucket, charge_category;
