SELECT a.artifact_id, a.direction, r.entity, r.project, r.run_id
FROM run_artifacts AS a
JOIN runs AS r USING (entity, project, run_id)
WHERE (CAST($$artifact AS VARCHAR) IS NULL OR a.artifact_id = CAST($$artifact AS VARCHAR))
  AND r.deleted_at IS NULL
ORDER BY r.created_at, r.entity, r.project, r.run_id
