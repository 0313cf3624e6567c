CREATE OR REPLACE TEMP VIEW held_rows AS SELECT $columns FROM $source SEMI JOIN touched USING (entity, project, run_id)
