-- macro: best_run(metric, direction)
-- mirrors: the runs table sorted by a summary metric, its first row
-- grain: one row per project: its best run
-- units: as written
--
-- `direction` is 'max' or 'min'; with anything else there is no row. Runs whose summary lacks the metric or holds no number,
-- NaN among them, are passed over, deleted runs too. Of equal ones the run that was created first is the best.
SELECT
  ranked.entity,
  ranked.project,
  ranked.run_id,
  ranked.run_name,
  ranked."value"
FROM (
  SELECT
    runs.entity,
    runs.project,
    runs.run_id,
    runs.name AS run_name,
    entries.number AS "value",
    row_number() OVER (
      PARTITION BY runs.entity, runs.project
      ORDER BY CASE WHEN direction = 'max' THEN -entries.number ELSE entries.number END, runs.created_at, runs.run_id
    ) AS place
  FROM runs
  JOIN summary_values AS entries
    ON entries.entity = runs.entity
    AND entries.project = runs.project
    AND entries.run_id = runs.run_id
  WHERE runs.deleted_at IS NULL
    AND direction IN ('max', 'min')
    AND entries."key" = metric
    AND entries.kind = 'number'
    AND entries.number IS NOT NULL
) AS ranked
WHERE ranked.place = 1
