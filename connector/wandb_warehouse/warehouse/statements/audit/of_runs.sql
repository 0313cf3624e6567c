FROM "$table" SEMI JOIN touched USING (entity, project, run_id)
