UPDATE "$table" SET entity = ?, project = ? WHERE entity = ? AND project = ?
