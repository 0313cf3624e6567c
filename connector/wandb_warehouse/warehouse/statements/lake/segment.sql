SELECT * FROM ($rows) AS incoming ORDER BY $order
