SELECT
  e.entity AS run_entity,
  e.project AS run_project,
  e.run_id,
  e.direction,
  e.artifact_id,
  e.artifact_entity AS entity,
  e.artifact_project AS project,
  e.collection,
  e."type",
  e.version,
  e.version_index
FROM run_artifacts AS e
LEFT JOIN artifacts AS a
  ON a.artifact_id = e.artifact_id
  AND a.entity = e.artifact_entity
  AND a.project = e.artifact_project
  AND a.collection = e.collection
WHERE CAST($$run AS VARCHAR) IS NULL
  OR (
    e.entity = $$entity
    AND e.project = $$project
    AND e.run_id = CAST($$run AS VARCHAR)
  )
ORDER BY a.created_at, e.collection, e.version_index, e.artifact_id
