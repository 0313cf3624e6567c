-- Rows of histories that have all of some keys, as `history_rows` gives them.
WITH asked AS (
  SELECT unnest($$runs) AS run_id, generate_subscripts($$runs, 1) - 1 AS run
),
found AS (
  SELECT run, step, seq
  FROM $source
  JOIN asked USING (run_id)
  WHERE entity = $$entity
    AND project = $$project
    AND list_contains($$keys, "key")
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
  AND list_contains($$keys, "key")
UNION ALL
SELECT "row", run, NULL, 'number', step, NULL
FROM chosen
ORDER BY "key" NULLS FIRST, "row"
