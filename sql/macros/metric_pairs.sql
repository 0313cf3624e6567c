-- macro: metric_pairs(x, y)
-- mirrors: a scatter plot of two metrics over all steps
-- grain: one row per run that is not deleted and step at which both were logged as numbers
-- units: as logged
--
-- A step logged more than once pairs what was logged together (`seq`). NaN and infinities are there as logged.
SELECT
  history.entity,
  history.project,
  history.run_id,
  runs.name AS run_name,
  history.step,
  history.seq,
  history."value" AS x,
  other."value" AS y
FROM history
JOIN history AS other
  ON other.entity = history.entity
  AND other.project = history.project
  AND other.run_id = history.run_id
  AND other.step = history.step
  AND other.seq = history.seq
JOIN runs
  ON runs.entity = history.entity
  AND runs.project = history.project
  AND runs.run_id = history.run_id
WHERE history."key" = x
  AND other."key" = y
  AND history."type" = 'number'
  AND other."type" = 'number'
  AND runs.deleted_at IS NULL
