SELECT $columns FROM "$table" SEMI JOIN changed USING (entity, project, run_id)
