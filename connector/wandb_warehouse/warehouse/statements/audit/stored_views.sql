SELECT view_name FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
UNION
SELECT function_name FROM duckdb_functions() WHERE database_name = current_database() AND NOT internal
