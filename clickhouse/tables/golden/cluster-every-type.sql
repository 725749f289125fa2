CREATE TABLE IF NOT EXISTS `shop`.`kinds__g2` ON CLUSTER `it's` (
  `id` Int32,
  `bool` Nullable(Bool),
  `int2` Nullable(Int16),
  `int4` Nullable(Int32),
  `int8` Nullable(Int64),
  `float4` Nullable(Float32),
  `float8` Nullable(Float64),
  `money` Nullable(Decimal(12, 2)),
  `ratio` Nullable(Decimal(4, 4)),
  `huge` Nullable(Decimal(76, 0)),
  `free` Nullable(Decimal(76, 38)),
  `wide` Nullable(String),
  `tens` Nullable(String),
  `text` Nullable(String),
  `bytes` Nullable(String),
  `date` Nullable(Date32),
  `ts` Nullable(DateTime64(6)),
  `tstz` Nullable(DateTime64(6, 'UTC')),
  `time` Nullable(String),
  `timetz` Nullable(String),
  `interval` Nullable(String),
  `uuid` Nullable(UUID),
  `json` Nullable(String),
  `enum` LowCardinality(Nullable(String)),
  `other` Nullable(String),
  `texts` Array(Nullable(String)),
  `ints` Array(Nullable(Int64)),
  `bools` Array(Nullable(Bool)),
  `decimals` Array(Nullable(Decimal(30, 10))),
  `moments` Array(Nullable(DateTime64(6, 'UTC'))),
  `blobs` Array(Nullable(String)),
  `jsons` Array(Nullable(String)),
  _raw Map(String, String) COMMENT 'Exact source text of values their column cannot hold',
  _version UInt64 DEFAULT 9007199254740992 COMMENT '{"bac":1,"generation":2,"version":1,"key":[1],"columns":{"id":1,"bool":2,"int2":3,"int4":4,"int8":5,"float4":6,"float8":7,"money":8,"ratio":9,"huge":10,"free":11,"wide":12,"tens":13,"text":14,"bytes":15,"date":16,"ts":17,"tstz":18,"time":19,"timetz":20,"interval":21,"uuid":22,"json":23,"enum":24,"other":25,"texts":26,"ints":27,"bools":28,"decimals":29,"moments":30,"blobs":31,"jsons":32},"comment":"One column of each type","shards":2}',
  _deleted UInt8 DEFAULT 0 COMMENT '1 = the row was deleted at the source',
  _committed_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'Commit time at the source; snapshot rows: time of loading',
  CONSTRAINT generation CHECK _version >= 9007199254740992
)
ENGINE = ReplacingMergeTree(_version, _deleted)
PRIMARY KEY (`id`)
ORDER BY (`id`)
SETTINGS allow_nullable_key = 1
COMMENT 'Rows of one shard'
