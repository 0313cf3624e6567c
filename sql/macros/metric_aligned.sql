-- macro: metric_aligned(x, y)
-- mirrors: a line plot of one metric over another that is logged less often
-- grain: one row per run that is not deleted and logged number of x
-- units: as logged
-- engines: duckdb
--
-- `y` is the newest number of y logged at or before the step of x, at `y_step`; both are null before the first one. Of a step
-- at which y was logged more than once the last counts. NaN and infinities are there as logged.
SELECT
  base.entity,
  base.project,
  base.run_id,
  base.run_name,
  base.step,
  base.seq,
  base."value" AS x,
  other.step AS y_step,
  other."value" AS y
FROM (
  SELECT history.*, runs.name AS run_name
  FROM history
  JOIN runs
    ON runs.entity = history.entity
    AND runs.project = history.project
    AND runs.run_id = history.run_id
  WHERE history."key" = x
    AND history."type" = 'number'
    AND runs.deleted_at IS NULL
) AS base
ASOF LEFT JOIN (
  SELECT entity, project, run_id, step, last("value" ORDER BY seq) AS "value"
  FROM history
  WHERE "key" = y
    AND "type" = 'number'
  GROUP BY entity, project, run_id, step
) AS other
  ON other.entity = base.entity
  AND other.project = base.project
  AND other.run_id = base.run_id
  AND other.step <= base.step
