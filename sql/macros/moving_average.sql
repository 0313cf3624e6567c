-- macro: moving_average(metric, points)
-- mirrors: a line plot smoothed by a running average
-- grain: one row per run that is not deleted and logged number of the metric
-- units: as logged
--
-- `average` is over the number itself and those before it, `points` in all; over fewer at the start of a run. NaN is left out.
SELECT
  entity,
  project,
  run_id,
  run_name,
  step,
  seq,
  "value",
  avg("value") OVER (
    PARTITION BY entity, project, run_id ORDER BY step NULLS FIRST, seq NULLS FIRST ROWS BETWEEN points - 1 PRECEDING AND CURRENT ROW
  ) AS average
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
) AS numbers
