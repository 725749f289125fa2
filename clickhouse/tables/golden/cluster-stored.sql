CREATE TABLE IF NOT EXISTS `shop`.`log__g2` ON CLUSTER `main` (
  `id` Int32,
  `line` Nullable(String),
  `cost` Nullable(Float64),
  _raw Map(String, String) COMMENT 'Exact source text of values their column cannot hold',
  _version UInt64 DEFAULT 9007199254740992 COMMENT '{"bac":1,"generation":2,"version":1,"key":[1,2,3],"columns":{"id":1,"line":2,"cost":3},"shards":3}',
  _deleted UInt8 DEFAULT 0 COMMENT '1 = the row was deleted at the source',
  _committed_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'Commit time at the source; snapshot rows: time of loading',
  CONSTRAINT generation CHECK _version >= 9007199254740992
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{uuid}', '{replica}', _version, _deleted)
PRIMARY KEY (`id`, `line`, `cost`)
ORDER BY (`id`, `line`, `cost`)
SETTINGS allow_nullable_key = 1
COMMENT 'Rows of one shard'
