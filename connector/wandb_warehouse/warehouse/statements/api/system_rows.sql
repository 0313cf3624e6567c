-- Samples of system metrics as rows, as `history_rows` gives them; what was taken at one time is one row.
WITH asked AS (
  SELECT unnest($$runs) AS run_id, generate_subscripts($$runs, 1) - 1 AS run
),
samples AS (
  SELECT
    run,
    "time",
    runtime,
    row_number() OVER (PARTITION BY run, "time", runtime, "key" ORDER BY seq) AS again,
    "key",
    type,
    "value",
    value_json
  FROM system_metrics
  JOIN asked USING (run_id)
  WHERE entity = $$entity
    AND project = $$project
),
placed AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY run ORDER BY "time", runtime, again) - 1 AS place,
    count(*) OVER (PARTITION BY run) AS total
  FROM (SELECT DISTINCT run, "time", runtime, again FROM samples)
),
chosen AS (
  SELECT *, row_number() OVER (ORDER BY run, place) - 1 AS "row"
  FROM placed
  WHERE total <= $$samples
    OR place = 0
    OR place * ($$samples - 1) // (total - 1) <> (place - 1) * ($$samples - 1) // (total - 1)
)
SELECT "row", chosen.run, "key", type, "value", value_json
FROM samples
JOIN chosen
  ON chosen.run = samples.run
  AND chosen."time" IS NOT DISTINCT FROM samples."time"
  AND chosen.runtime IS NOT DISTINCT FROM samples.runtime
  AND chosen.again = samples.again
UNION ALL
SELECT "row", run, '_timestamp', 'number', epoch_us("time") / 1e6, NULL
FROM chosen
WHERE "time" IS NOT NULL
UNION ALL
SELECT "row", run, '_runtime', 'number', runtime, NULL
FROM chosen
WHERE runtime IS NOT NULL
UNION ALL
SELECT "row", run, '_wandb', 'bool', 1, NULL
FROM chosen
UNION ALL
SELECT "row", run, NULL, 'number', NULL, NULL
FROM chosen
ORDER BY "key" NULLS FIRST, "row"
