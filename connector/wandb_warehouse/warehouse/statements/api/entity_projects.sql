SELECT entity, project, project_id, created_at, run_count, read_only
FROM projects
WHERE entity = $$entity
  AND (CAST($$project AS VARCHAR) IS NULL OR project = CAST($$project AS VARCHAR))
ORDER BY created_at, project
