-- The hub's own state. Numbered and append-only: a change is a new file. YSQL subset only.
CREATE TABLE bac.sources (
  name text PRIMARY KEY,
  kind text NOT NULL,
  url text NOT NULL,
  options jsonb NOT NULL DEFAULT '{}',
  -- running | paused | removing; what the operator asked for
  desired text NOT NULL DEFAULT 'running',
  -- connecting | snapshotting | streaming | paused | failed; what capture reports
  state text NOT NULL DEFAULT 'connecting',
  error jsonb,
  slot text,
  -- grows with each new slot
  epoch integer NOT NULL DEFAULT 0,
  confirmed_lsn bigint,
  committed_at timestamptz,
  stats jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bac.tables (
  source text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  topic text NOT NULL,
  state text NOT NULL,
  generation integer NOT NULL,
  version integer NOT NULL,
  snapshot_rows bigint NOT NULL DEFAULT 0,
  estimated_rows bigint NOT NULL DEFAULT 0,
  error jsonb,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, schema_name, table_name)
);

CREATE TABLE bac.table_versions (
  source text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  version integer NOT NULL,
  definition jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, schema_name, table_name, version)
);

-- One row per key range of a snapshot; `done` ranges are not read again after a crash.
CREATE TABLE bac.snapshot_chunks (
  source text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  generation integer NOT NULL,
  chunk integer NOT NULL,
  predicate text NOT NULL,
  done boolean NOT NULL DEFAULT false,
  row_count bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (source, schema_name, table_name, generation, chunk)
);

-- Per table and log partition: all source commits up to this moment are in the warehouse. Position 0
-- (moment 'epoch'): nothing is known of the partition yet. The table's watermark is the least of its rows.
CREATE TABLE bac.watermarks (
  source text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  partition integer NOT NULL,
  committed_at timestamptz NOT NULL,
  lsn bigint NOT NULL,
  PRIMARY KEY (source, schema_name, table_name, partition)
);

CREATE TABLE bac.dead_letters (
  id uuid PRIMARY KEY,
  source text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  key bytea,
  value bytea,
  error_code text NOT NULL,
  error text NOT NULL,
  -- open | replayed | discarded
  state text NOT NULL DEFAULT 'open',
  created_at timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz,
  UNIQUE (topic, partition, log_offset)
);

-- Exclusive rights (one reader per source ...) with a fencing token that grows at each change of holder.
CREATE TABLE bac.leases (
  name text PRIMARY KEY,
  holder text NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL
);

-- Latest figures each role reports about itself.
CREATE TABLE bac.role_stats (
  role text NOT NULL,
  instance text NOT NULL,
  data jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (role, instance)
);

CREATE TABLE bac.api_keys (
  id text PRIMARY KEY,
  hash text NOT NULL,
  principal jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);
