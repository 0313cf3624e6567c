-- inputs = run-usedArtifactVersions(run)
-- hasPreprocessing = inputs.some(a =>
--   a.name === "preprocessing-pipeline"
-- )
SELECT
  COUNT(*) > 0 AS "value"
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
INNER JOIN run_artifacts AS e
  ON e.entity = f.entity AND e.project = f.project AND e.run_id = f.run_id
LEFT JOIN artifacts AS a
  ON a.entity = e.artifact_entity
  AND a.project = e.artifact_project
  AND a.collection = e.collection
  AND a.artifact_id = e.artifact_id
WHERE
  e.direction = 'used' AND COALESCE(e.collection = 'preprocessing-pipeline', FALSE);
