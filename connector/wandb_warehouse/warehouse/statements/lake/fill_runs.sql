INSERT INTO "$table" BY NAME SELECT $columns FROM $source SEMI JOIN touched USING (entity, project, run_id)
