SELECT entity, project, project_id, created_at, run_count, read_only
FROM projects
ORDER BY created_at, entity, project
