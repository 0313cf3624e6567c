-- One of several new segments: the runs of `portion`.
SELECT * FROM ($rows) AS incoming SEMI JOIN portion USING (entity, project, run_id) ORDER BY $order
