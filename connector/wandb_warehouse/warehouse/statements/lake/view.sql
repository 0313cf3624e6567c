CREATE OR REPLACE VIEW "$table" AS SELECT $columns FROM $source
