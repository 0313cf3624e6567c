-- runs.reduce((best, run) =>
--   run-summary(run).accuracy > run-summary(best).accuracy ? run : best
-- )
SELECT
  r.entity,
  r.project,
  r.run_id,
  r.name,
  r.state,
  r.created_at
FROM runs AS r
LEFT JOIN summary_values AS s
  ON s.entity = r.entity
  AND s.project = r.project
  AND s.run_id = r.run_id
  AND s.key = 'accuracy'
WHERE
  r.deleted_at IS NULL
  AND (
    NOT (
      s.number IS NULL
    ) OR NOT (
      s.text IS NULL
    )
  )
ORDER BY
  CASE
    WHEN COUNT(CASE WHEN s.kind IN ('number', 'bool') THEN 1 END) OVER () > 0
    THEN s.number
  END DESC,
  CASE
    WHEN NOT (
      COUNT(CASE WHEN s.kind IN ('number', 'bool') THEN 1 END) OVER () > 0
    )
    THEN s.text
  END DESC,
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC
LIMIT 1;
