SELECT entity, project, collection, version, 0 AS rank
FROM artifacts
WHERE artifact_id = $$artifact
  AND NOT coalesce(is_linked, false)
UNION ALL
SELECT artifact_entity, artifact_project, collection, version, 1
FROM run_artifacts
WHERE artifact_id = $$artifact
ORDER BY rank
LIMIT 1
