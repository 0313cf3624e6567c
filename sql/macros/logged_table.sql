-- macro: logged_table(run, logged_as)
-- mirrors: a table panel of one run: the newest table that the run logged under a key
-- grain: one row per cell of that table, of every run of that id (run ids repeat between projects)
-- units: as logged; a timestamp column has milliseconds since 1970 (see `columns` of logged_tables)
--
-- An incremental table is shown whole, its increments one after the other. Several tables logged at once under one
-- key, and the two of a joined one, are told apart by `path`. `text` is the value as text, whatever its type; null
-- stays null. To see it as a table, one row a row, pivot it:
-- `PIVOT (FROM logged_table('r1', 'predictions')) ON column_name USING any_value(text) GROUP BY row_index`.
WITH files AS (
  SELECT
    entity,
    project,
    run_id,
    "key",
    "path",
    "type",
    step,
    dense_rank() OVER (
      PARTITION BY entity, project, run_id ORDER BY step IS NULL DESC, step DESC
    ) AS age,
    sum(row_count) OVER (
      PARTITION BY entity, project, run_id ORDER BY increment, step, "path" ROWS UNBOUNDED PRECEDING
    ) - row_count AS rows_before
  FROM logged_tables
  WHERE run_id = run
    AND "key" = logged_as
    AND state <> 'failed'
)
SELECT
  cells.entity,
  cells.project,
  cells.run_id,
  files.step,
  cells."path",
  cells.row_index
    + CASE WHEN files."type" = 'incremental-table-file' THEN files.rows_before ELSE 0 END AS row_index,
  cells.column_index,
  cells.column_name,
  cells."type",
  cells."value",
  cells.value_json,
  CASE cells."type"
    WHEN 'string' THEN cells.value_json ->> '$'
    WHEN 'bool' THEN CASE WHEN cells."value" = 1 THEN 'true' ELSE 'false' END
    WHEN 'null' THEN NULL
    ELSE coalesce(CAST(cells.value_json AS VARCHAR), CAST(cells."value" AS VARCHAR))
  END AS "text"
FROM logged_table_cells AS cells
JOIN files
  ON files.entity = cells.entity
  AND files.project = cells.project
  AND files.run_id = cells.run_id
  AND files."key" = cells."key"
  AND files."path" = cells."path"
WHERE files.age = 1
  OR files."type" = 'incremental-table-file'
