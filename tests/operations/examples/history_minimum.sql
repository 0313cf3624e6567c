-- runs.map(r => run-history(r).map(row => row["loss"]).min())
SELECT
  CAST((
    SELECT
      MIN(CASE WHEN h.kind = 'number' THEN h.number END)
    FROM history_points AS h
    WHERE
      h.entity = r.entity
      AND h.project = r.project
      AND h.run_id = r.run_id
      AND h.key = 'loss'
  ) AS DOUBLE) AS "value"
FROM runs AS r
WHERE
  r.deleted_at IS NULL
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
