-- macro: lttb(metric, points)
-- mirrors: a line plot of one metric, drawn with the points that keep its shape (largest triangle three buckets)
-- grain: one row per run that is not deleted and point kept of the metric: at most `points` of each run, at least 3
-- units: as logged
-- engines: duckdb
--
-- The first and the last number are kept; the others are cut into as many parts as there are points left, equal in count, and
-- of each part that number is kept which spans the largest triangle with the one kept before it and the mean of the part
-- behind it. Of equal triangles the earliest counts. A run with no more numbers than `points` is given whole. NaN and
-- infinities are left out.
WITH RECURSIVE numbers AS (
  SELECT
    numbered.run_number,
    numbered.entity,
    numbered.project,
    numbered.run_id,
    numbered.name AS run_name,
    history.step,
    history.seq,
    history."value",
    row_number() OVER run AS place,
    count(*) OVER (PARTITION BY numbered.run_number) AS total,
    greatest(points, 3) AS kept
  FROM history
  JOIN (
    SELECT *, row_number() OVER () AS run_number
    FROM runs
    WHERE deleted_at IS NULL
  ) AS numbered
    ON numbered.entity = history.entity
    AND numbered.project = history.project
    AND numbered.run_id = history.run_id
  WHERE history."key" = metric
    AND history."type" = 'number'
    AND abs(history."value") <= 1.7976931348623157e308
  WINDOW run AS (PARTITION BY numbered.run_number ORDER BY history.step, history.seq)
),
parts AS (
  SELECT
    *,
    -- Parts 0 and kept - 1 are the ends; of those between, the first (total - 2) % (kept - 2) have one number more.
    CASE
      WHEN place = 1 THEN 0
      WHEN place = total THEN kept - 1
      WHEN place - 2 < (total - 2) % (kept - 2) * ((total - 2) // (kept - 2) + 1)
        THEN 1 + (place - 2) // ((total - 2) // (kept - 2) + 1)
      ELSE 1 + (place - 2 - (total - 2) % (kept - 2)) // ((total - 2) // (kept - 2))
    END AS part
  FROM numbers
  WHERE total > kept
),
grouped AS (
  SELECT
    run_number,
    part,
    avg(step) AS mean_step,
    avg("value") AS mean_value,
    list({'place': place, 'step': step, 'value': "value"} ORDER BY place) AS candidates
  FROM parts
  GROUP BY run_number, part
),
chained AS (
  SELECT
    grouped.run_number,
    grouped.part,
    grouped.candidates,
    lead(grouped.mean_step) OVER parts_of_run AS next_step,
    lead(grouped.mean_value) OVER parts_of_run AS next_value
  FROM grouped
  WINDOW parts_of_run AS (PARTITION BY run_number ORDER BY part)
),
chosen AS (
  SELECT run_number, part, candidates[1] AS point
  FROM chained
  WHERE part = 0
  UNION ALL
  SELECT
    run_number,
    part,
    arg_max(
      candidate,
      {
        'area': abs(
          (point['step'] - next_step) * (candidate['value'] - point['value'])
          - (point['step'] - candidate['step']) * (next_value - point['value'])
        ),
        'earliness': -candidate['place']
      }
    ) AS point
  FROM (
    SELECT
      chained.run_number,
      chained.part,
      chained.next_step,
      chained.next_value,
      chosen.point,
      unnest(chained.candidates) AS candidate
    FROM chosen
    JOIN chained
      ON chained.run_number = chosen.run_number
      AND chained.part = chosen.part + 1
    WHERE chained.next_step IS NOT NULL
  ) AS spread
  GROUP BY run_number, part
)
SELECT
  numbers.entity,
  numbers.project,
  numbers.run_id,
  numbers.run_name,
  numbers.step,
  numbers.seq,
  numbers."value"
FROM numbers
LEFT JOIN chosen
  ON chosen.run_number = numbers.run_number
  AND chosen.point['place'] = numbers.place
WHERE chosen.point IS NOT NULL
  OR numbers.place = numbers.total
  OR numbers.total <= numbers.kept
