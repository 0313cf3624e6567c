-- Columns of the tables with their types and comments; the comment of a table stands in a row without a column.
SELECT table_name, column_name, data_type, "comment"
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = 'main'
UNION ALL
SELECT table_name, '', '', "comment"
FROM duckdb_tables()
WHERE database_name = current_database() AND schema_name = 'main'
