-- macro: logged_table(run, logged_as)
-- mirrors: a table panel of one run: the newest table that the run logged under a key
-- grain: one row per cell of that table, of every run of that id that is not deleted (ids repeat between projects)
-- units: as logged; a timestamp column has milliseconds since 1970 (see `columns` of logged_tables)
--
-- An incremental table is shown whole, its increments one after the other. Several tables logged at once under one
-- key, and the two of a joined one, are told apart by `path`. `text` is the value as text, whatever its type; null
-- stays null. To see it as a table, one row a row, pivot it:
-- `PIVOT (FROM logged_table('r1', 'predictions')) ON column_name USING any_value(text) GROUP BY row_index`.
SELECT
  cells.entity,
  cells.project,
  cells.run_id,
  logged.step,
  cells."path",
  cells.row_index
    + CASE WHEN logged."type" = 'incremental-table-file' THEN logged.rows_before ELSE 0 END AS row_index,
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
JOIN (
  SELECT
    entity,
    project,
    run_id,
    "key",
    "path",
    "type",
    step,
    dense_rank() OVER (
      PARTITION BY entity, project, run_id ORDER BY last_step IS NULL DESC, last_step DESC
    ) AS age,
    CAST(sum(row_count) OVER (
      PARTITION BY entity, project, run_id ORDER BY increment NULLS FIRST, step NULLS FIRST, "path" NULLS FIRST ROWS UNBOUNDED PRECEDING
    ) AS BIGINT) - row_count AS rows_before
  FROM logged_tables
  WHERE run_id = run
    AND "key" = logged_as
    AND state <> 'failed'
) AS logged
  ON logged.entity = cells.entity
  AND logged.project = cells.project
  AND logged.run_id = cells.run_id
  AND logged."key" = cells."key"
  AND logged."path" = cells."path"
LEFT JOIN runs
  ON runs.entity = cells.entity
  AND runs.project = cells.project
  AND runs.run_id = cells.run_id
WHERE runs.deleted_at IS NULL
  AND (logged.age = 1 OR logged."type" = 'incremental-table-file')
