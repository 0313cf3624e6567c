DELETE FROM projects WHERE entity = ? AND project = ?
