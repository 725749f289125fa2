CREATE TABLE IF NOT EXISTS `shop`.`log` ON CLUSTER `main` (
  `id` Int32,
  `line` Nullable(String),
  `cost` Nullable(Float64),
  _raw Map(String, String) COMMENT 'Exact source text of values their column cannot hold',
  _version UInt64 DEFAULT 4503599627370496 COMMENT 'Order of changes: generation and position in the source',
  _deleted UInt8 DEFAULT 0 COMMENT '1 = the row was deleted at the source',
  _committed_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'Commit time at the source; snapshot rows: time of loading',
  CONSTRAINT generation CHECK _version >= 4503599627370496
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', _version, _deleted)
PRIMARY KEY (`id`, `line`, `cost`)
ORDER BY (`id`, `line`, `cost`)
SETTINGS allow_nullable_key = 1
COMMENT '{"bac":1,"generation":1,"version":1,"key":[1,2,3],"columns":{"id":1,"line":2,"cost":3}}'
