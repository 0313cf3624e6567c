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
    NULLIF(CASE WHEN NOT c2.run_id IS NULL THEN 'object' ELSE c.kind END, 'null') AS group_kind,
    c.number AS group_number,
    c.text AS group_text,
    CASE
      WHEN CASE WHEN NOT c2.run_id IS NULL THEN 'object' ELSE c.kind END = 'null'
      THEN NULL
      ELSE CASE
        WHEN NOT c2.run_id IS NULL
        THEN CAST(r.config -> '/model_type' AS TEXT)
        ELSE c.json
      END
    END AS group_json,
    ROW_NUMBER() OVER (ORDER BY r.created_at ASC, r.entity ASC, r.project ASC, r.run_id ASC) AS place_t
  FROM runs AS r
  LEFT JOIN config_values AS c
    ON c.entity = r.entity
    AND c.project = r.project
    AND c.run_id = r.run_id
    AND c.key = 'model_type'
  LEFT JOIN (
    SELECT DISTINCT
      entity,
      project,
      run_id
    FROM config_values
    WHERE
      SUBSTRING(key, 1, 11) = 'model_type.'
  ) AS c2
    ON c2.entity = r.entity AND c2.project = r.project AND c2.run_id = r.run_id
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
