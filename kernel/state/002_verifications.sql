-- What the last comparison of each table with its source found, whoever asked for it.
CREATE TABLE bac.verifications (
  source text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  -- when it began
  started_at timestamptz NOT NULL,
  seconds double precision NOT NULL,
  -- ok | different | repaired | skipped | failed
  state text NOT NULL,
  source_rows bigint NOT NULL DEFAULT 0,
  warehouse_rows bigint NOT NULL DEFAULT 0,
  differences bigint NOT NULL DEFAULT 0,
  repaired bigint NOT NULL DEFAULT 0,
  reason text,
  -- last time that it was compared to the end
  compared_at timestamptz,
  PRIMARY KEY (source, schema_name, table_name)
);
