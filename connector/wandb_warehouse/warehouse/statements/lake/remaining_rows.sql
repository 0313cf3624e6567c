-- Rows of held files without those of changed runs, in the order of the files.
SELECT $columns FROM $source ANTI JOIN changed USING (entity, project, run_id)
