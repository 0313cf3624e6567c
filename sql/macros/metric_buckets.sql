-- macro: metric_buckets(metric, buckets)
-- mirrors: a line plot that shows the range of what it leaves out
-- grain: one row per run that is not deleted and bucket with numbers of the metric
-- units: as logged
-- engines: duckdb
--
-- The steps from a run's first to its last are cut into `buckets` parts of equal width, numbered from 0; one with no number
-- has no row. NaN is left out. `first` and `last` are by step.
SELECT
  entity,
  project,
  run_id,
  run_name,
  bucket,
  min(step) AS first_step,
  max(step) AS last_step,
  count(*) AS points,
  min("value") AS min,
  max("value") AS max,
  first("value" ORDER BY step, seq) AS first,
  last("value" ORDER BY step, seq) AS last
FROM (
  SELECT
    *,
    CAST(least(
      floor((step - first_value(step) OVER whole) * CAST(buckets AS DOUBLE)
        / (last_value(step) OVER whole - first_value(step) OVER whole + 1)),
      buckets - 1
    ) AS BIGINT) AS bucket
  FROM (
  SELECT
    history.entity,
    history.project,
    history.run_id,
    runs.name AS run_name,
    history.step,
    history.seq,
    history."value"
  FROM history
  JOIN runs
    ON runs.entity = history.entity
    AND runs.project = history.project
    AND runs.run_id = history.run_id
  WHERE history."key" = metric
    AND history."type" = 'number'
    AND runs.deleted_at IS NULL
    AND NOT isnan(history."value")
  ) AS points
  WINDOW whole AS (
    PARTITION BY entity, project, run_id ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
  )
) AS placed
WHERE buckets > 0
GROUP BY entity, project, run_id, run_name, bucket
