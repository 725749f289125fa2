-- The hub's own objects in ClickHouse. Numbered and append-only; each statement can be run again.
CREATE DATABASE IF NOT EXISTS bac;

-- What the captured tables are: source shape, snapshot generation, stored rows (all versions) and bytes.
CREATE VIEW IF NOT EXISTS bac.captured_tables AS
SELECT
  database,
  name AS table,
  JSONExtractUInt(comment, 'generation') AS generation,
  JSONExtractUInt(comment, 'version') AS schema_version,
  JSONExtractString(comment, 'comment') AS description,
  total_rows AS stored_rows,
  total_bytes AS stored_bytes
FROM system.tables
WHERE JSONExtractInt(comment, 'bac') = 1 AND NOT match(name, '__(g[0-9]+|history|rebuild)$');
