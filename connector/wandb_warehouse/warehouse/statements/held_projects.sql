SELECT entity, project, created_at FROM projects
