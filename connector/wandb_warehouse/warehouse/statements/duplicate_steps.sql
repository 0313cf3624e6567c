-- Primary keys of "$table", whose rows are numbered, that more than one row of a touched run has.
-- 64 neighbouring steps make one group, a bit each: as many bits as rows means every step once. That needs a fraction
-- of the groups, and so of the memory, that grouping by the whole key does; only where the bits fall short is it done.
WITH touched_numbers AS (
  FROM run_numbers SEMI JOIN touched USING (entity, project, run_id)
),
crowded AS (
  SELECT run_number, key_number, seq, step >> 6 AS block
  FROM "$table"
  SEMI JOIN touched_numbers USING (run_number)
  GROUP BY run_number, key_number, seq, step >> 6
  HAVING count(*) <> bit_count(bit_or(1::UBIGINT << (step & 63)))
)
SELECT entity, project, run_id, 'primary keys stored twice: ' || count(*) || ', e.g. ' || any_value(example) AS detail
FROM (
  SELECT run_number, concat_ws(', ', any_value("key"), step, seq) AS example
  FROM (SELECT *, step >> 6 AS block FROM "$table") AS blocks
  SEMI JOIN crowded USING (run_number, key_number, seq, block)
  JOIN key_numbers USING (key_number)
  GROUP BY run_number, key_number, step, seq
  HAVING count(*) > 1
)
JOIN run_numbers USING (run_number)
GROUP BY entity, project, run_id
