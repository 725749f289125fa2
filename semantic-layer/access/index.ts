export { type AdmitQuery, createQueryLimits, type QueryLimits, type QueryLimitsOptions } from './limits.ts';
