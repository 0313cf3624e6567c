CREATE VIEW lake_manifest AS SELECT $generation AS generation, $id AS id
