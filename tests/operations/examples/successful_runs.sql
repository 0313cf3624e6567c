-- runs.filter(r => run-summary(r).state === "finished" && run-summary(r).accuracy > 0.9)
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
  AND s.key = 'state'
LEFT JOIN (
  SELECT DISTINCT
    entity,
    project,
    run_id
  FROM summary_values
  WHERE
    SUBSTRING(key, 1, 6) = 'state.'
) AS s2
  ON s2.entity = r.entity AND s2.project = r.project AND s2.run_id = r.run_id
LEFT JOIN summary_values AS s3
  ON s3.entity = r.entity
  AND s3.project = r.project
  AND s3.run_id = r.run_id
  AND s3.key = 'accuracy'
WHERE
  r.deleted_at IS NULL
  AND (
    COALESCE(
      CASE WHEN NOT s.kind IS NULL OR NOT s2.run_id IS NULL THEN s.text ELSE r.state END = 'finished',
      FALSE
    )
    AND COALESCE(s3.number > 0.9, FALSE)
  )
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
