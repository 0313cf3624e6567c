-- Everything rows can be read from: tables of a file, and the views over a lake's files.
SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'main'
UNION
SELECT view_name FROM duckdb_views() WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal
ORDER BY 1
