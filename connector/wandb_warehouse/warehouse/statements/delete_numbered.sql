-- The rows of touched runs in a table whose rows are numbered.
DELETE FROM "$table"
WHERE run_number IN (SELECT run_number FROM run_numbers SEMI JOIN touched USING (entity, project, run_id))
