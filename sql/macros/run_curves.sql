-- macro: run_curves(metric)
-- mirrors: a line plot of one metric over steps, all points instead of a sample
-- grain: one row per run that is not deleted and logged number of the metric
-- units: as logged
--
-- A step that was logged more than once gives more than one row; `seq` tells them apart. Use it like a table:
-- `SELECT * FROM run_curves('train/loss') ORDER BY run_id, step`.
SELECT
  history.entity,
  history.project,
  history.run_id,
  runs.name AS run_name,
  history.step,
  history.seq,
  history.value
FROM history
JOIN runs
  ON runs.entity = history.entity
  AND runs.project = history.project
  AND runs.run_id = history.run_id
WHERE history.key = metric
  AND history.type = 'number'
  AND runs.deleted_at IS NULL
