DELETE FROM "$table" WHERE entity = ? AND project = ?
