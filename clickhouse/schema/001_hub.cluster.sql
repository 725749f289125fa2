-- 001_hub.sql in a cluster: the table that people read says what it is, the tables behind it what they hold.
CREATE VIEW IF NOT EXISTS bac.captured_tables{cluster} AS
SELECT
  t.database AS database,
  t.name AS table,
  JSONExtractUInt(t.comment, 'generation') AS generation,
  JSONExtractUInt(t.comment, 'version') AS schema_version,
  JSONExtractString(t.comment, 'comment') AS description,
  s.stored_rows AS stored_rows,
  s.stored_bytes AS stored_bytes
FROM system.tables AS t
LEFT JOIN (
  SELECT database, name, sum(total_rows) AS stored_rows, sum(total_bytes) AS stored_bytes
  FROM {tables}
  WHERE match(name, '__g[0-9]+$')
  GROUP BY database, name
) AS s ON s.database = t.database AND s.name = concat(t.name, '__g', toString(JSONExtractUInt(t.comment, 'generation')))
WHERE t.engine = 'Distributed' AND JSONExtractInt(t.comment, 'bac') = 1 AND NOT match(t.name, '__history$');
