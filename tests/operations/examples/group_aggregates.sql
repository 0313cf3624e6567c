-- runs.groupBy(r => run-config(r).model_type).map(g => ({
--   model: g.key, runs: g.count(), best: g.summary["accuracy"].max
-- }))
SELECT
  CAST(t.group_json AS JSON) AS "model",
  CAST(COUNT(*) AS DOUBLE) AS "runs",
  CAST(MAX(CASE WHEN s.kind = 'number' THEN s.number END) AS DOUBLE) AS "best"
FROM (
  SELECT
    r.*,
    c.kind AS group_kind,
    c.number AS group_number,
    c.text AS group_text,
    c.json AS group_json,
    ROW_NUMBER() OVER (ORDER BY r.created_at ASC, r.entity ASC, r.project ASC, r.run_id ASC) AS place_t
  FROM runs AS r
  LEFT JOIN config_values AS c
    ON c.entity = r.entity
    AND c.project = r.project
    AND c.run_id = r.run_id
    AND c.key = 'model_type'
  WHERE
    r.deleted_at IS NULL
) AS t
LEFT JOIN summary_values AS s
  ON s.entity = t.entity
  AND s.project = t.project
  AND s.run_id = t.run_id
  AND s.key = 'accuracy'
GROUP BY
  t.group_kind,
  t.group_json
ORDER BY
  MIN(t.place_t) ASC;
