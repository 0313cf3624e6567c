-- Rows of "$rows", which name their run and key, into a table whose rows are numbered.
INSERT INTO "$table" BY NAME
SELECT run_number, key_number, incoming.* EXCLUDE (entity, project, run_id, "key")
FROM "$rows" AS incoming
JOIN run_numbers USING (entity, project, run_id)
JOIN key_numbers USING ("key")
