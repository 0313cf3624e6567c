-- runs.map(r => run-history(r).map(row => row["loss"]).min())
SELECT
  n.value AS "value"
FROM runs AS r
LEFT JOIN (
  SELECT
    h.entity AS of_n_0,
    h.project AS of_n_1,
    h.run_id AS of_n_2,
    MIN(CASE WHEN h.kind = 'number' THEN h.number END) AS value
  FROM history_points AS h
  WHERE
    h.key = 'loss'
  GROUP BY
    h.entity,
    h.project,
    h.run_id
) AS n
  ON n.of_n_0 = r.entity AND n.of_n_1 = r.project AND n.of_n_2 = r.run_id
WHERE
  r.deleted_at IS NULL
ORDER BY
  r.created_at ASC,
  r.entity ASC,
  r.project ASC,
  r.run_id ASC;
