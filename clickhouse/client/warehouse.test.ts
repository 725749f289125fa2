import { warehouseContract } from '#kernel/contracts';
import { testClickHouse } from '#tests/clickhouse';

warehouseContract('embedded engine', () => testClickHouse());
