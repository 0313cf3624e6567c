-- Primary keys of "$table" that more than one row of a touched run has, for a table whose key ends in step and seq.
-- 64 neighbouring steps make one group, a bit each: as many bits as rows means every step once. That needs a fraction
-- of the groups, and so of the memory, that grouping by the whole key does; only where the bits fall short is it done.
WITH crowded AS (
  SELECT entity, project, run_id, "key", seq, step >> 6 AS block
  FROM "$table"
  SEMI JOIN touched USING (entity, project, run_id)
  GROUP BY entity, project, run_id, "key", seq, step >> 6
  HAVING count(*) <> bit_count(bit_or(1::UBIGINT << (step & 63)))
)
SELECT entity, project, run_id, 'primary keys stored twice: ' || count(*) || ', e.g. ' || any_value(example) AS detail
FROM (
  SELECT entity, project, run_id, concat_ws(', ', $key) AS example
  FROM (SELECT *, step >> 6 AS block FROM "$table") AS blocks
  SEMI JOIN crowded USING (entity, project, run_id, "key", seq, block)
  GROUP BY $key
  HAVING count(*) > 1
)
GROUP BY entity, project, run_id
