-- A table that this version knows and the lake does not hold yet.
CREATE OR REPLACE VIEW "$table" AS SELECT $columns WHERE false
