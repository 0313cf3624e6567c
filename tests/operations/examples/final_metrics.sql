-- summary = run-summary(run)
-- accuracy = summary.accuracy
-- val_loss = summary.best_val_loss
SELECT
  CAST(CASE
    WHEN NOT s2.run_id IS NULL
    THEN CAST(f.summary -> '/best_val_loss' AS TEXT)
    ELSE s.json
  END AS JSON) AS "value"
FROM (
  SELECT
    1 AS one
) AS one_row
LEFT JOIN (
  SELECT
    r.*
  FROM runs AS r
  WHERE
    r.deleted_at IS NULL AND r.run_id = 'r1'
  ORDER BY
    r.created_at ASC,
    r.entity ASC,
    r.project ASC,
    r.run_id ASC
  LIMIT 1
) AS f
  ON TRUE
LEFT JOIN summary_values AS s
  ON s.entity = f.entity
  AND s.project = f.project
  AND s.run_id = f.run_id
  AND s.key = 'best_val_loss'
LEFT JOIN (
  SELECT DISTINCT
    entity,
    project,
    run_id
  FROM summary_values
  WHERE
    SUBSTRING(key, 1, 14) = 'best_val_loss.'
) AS s2
  ON s2.entity = f.entity AND s2.project = f.project AND s2.run_id = f.run_id;
