SELECT
  run_id,
  direction,
  artifact_id,
  artifact_entity AS entity,
  artifact_project AS project,
  collection,
  "type",
  version,
  version_index
FROM run_artifacts
WHERE entity = $$entity
  AND project = $$project
  AND list_contains($$runs, run_id)
ORDER BY run_id, direction, artifact_id
