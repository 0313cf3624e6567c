CREATE OR REPLACE TEMP VIEW held_rows AS SELECT $columns FROM $source
