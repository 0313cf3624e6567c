INSERT INTO segment_runs BY NAME FROM $source
