SELECT entity, project, project_id, created_at, run_count, read_only
FROM projects
WHERE entity = $$entity
ORDER BY created_at, project
