-- macro: run_history(run)
-- mirrors: `run.scan_history()` of one run
-- grain: one row per logged value of the run
-- units: as logged
--
-- `run` is the id of a run that is not deleted, or entity/project/id where ids repeat between projects. The columns are
-- those of `history_points`. A step that was logged more than once has more than one row of a key; `seq` tells them apart.
SELECT
  points.entity,
  points.project,
  points.run_id,
  points."key",
  points.step,
  points.seq,
  points.kind,
  points.number,
  points."text",
  points.json
FROM history_points AS points
JOIN runs
  ON runs.entity = points.entity
  AND runs.project = points.project
  AND runs.run_id = points.run_id
WHERE run IN (runs.run_id, runs.entity || '/' || runs.project || '/' || runs.run_id)
  AND runs.deleted_at IS NULL
