CREATE OR REPLACE TEMP TABLE changed AS SELECT entity, project, run_id, "rows" FROM changes WHERE "table" = '$table'
