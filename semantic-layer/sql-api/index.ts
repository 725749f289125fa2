export { openSqlApi, type SqlApi, type SqlApiOptions } from './server.ts';
