SELECT entity, project, run_id FROM "$table"
