-- Rows of histories, one line a value, by key; a line without a key begins each row: its value is the step.
-- With `keys` a row must have them all; without, `covers` names for each run a metric that every row of it has, or null.
WITH asked AS (
  SELECT
    unnest($$runs) AS run_id,
    unnest($$covers) AS cover,
    generate_subscripts($$runs, 1) - 1 AS run
),
found AS (
  SELECT run, step, seq
  FROM $source
  JOIN asked USING (run_id)
  WHERE entity = $$entity
    AND project = $$project
    AND (len($$keys) = 0 OR list_contains($$keys, "key"))
    AND (cover IS NULL OR "key" = cover)
    AND step >= $$low
    AND step < $$high
  GROUP BY run, step, seq
  HAVING count(*) >= len($$keys)
),
placed AS (
  SELECT
    run,
    step,
    seq,
    row_number() OVER (PARTITION BY run ORDER BY step, seq) - 1 AS place,
    count(*) OVER (PARTITION BY run) AS total
  FROM found
),
chosen AS (
  SELECT run, step, seq, row_number() OVER (ORDER BY run, step, seq) - 1 AS "row"
  FROM placed
  WHERE total <= $$samples
    OR place = 0
    OR place * ($$samples - 1) // (total - 1) <> (place - 1) * ($$samples - 1) // (total - 1)
)
SELECT "row", run, "key", type, "value", value_json
FROM $source
JOIN asked USING (run_id)
JOIN chosen USING (run, step, seq)
WHERE entity = $$entity
  AND project = $$project
  AND (len($$keys) = 0 OR list_contains($$keys, "key"))
UNION ALL
SELECT "row", run, NULL, 'number', step, NULL
FROM chosen
ORDER BY "key" NULLS FIRST, "row"
