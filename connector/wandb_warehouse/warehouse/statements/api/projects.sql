SELECT entity, project, project_id, created_at, read_only
FROM projects
ORDER BY entity, project
