CREATE OR REPLACE TABLE `shop`.`log` ON CLUSTER `main` (
  `id` Int32,
  `line` Nullable(String),
  `cost` Nullable(Float64),
  _raw Map(String, String),
  _version UInt64 COMMENT 'Order of changes: generation and position in the source',
  _deleted UInt8,
  _committed_at DateTime64(6, 'UTC')
)
ENGINE = Distributed('main', 'shop', 'log__g2', xxHash32(concat(toString(`id`), '\t', if(isNull(`line`), '\\N', assumeNotNull(toString(`line`))))) % 3)
COMMENT '{"bac":1,"generation":2,"version":1,"key":[1,2,3],"columns":{"id":1,"line":2,"cost":3},"shards":3}'
