-- Keys that are stored but that the server's index lacks: its types and count stay null.
INSERT INTO metrics BY NAME
SELECT stored.*
FROM stored_metrics AS stored
ANTI JOIN metrics USING (entity, project, run_id, "key")
