CREATE VIEW "$table" AS SELECT $columns FROM $source
