export { debeziumScalar } from './debezium.ts';
export { type Encoded, encodeSourceText, encodeValue } from './encode.ts';
export type { ExactJson } from './exact-json.ts';
export { type FieldReader, fieldReader } from './interchange.ts';
export { canBeOdd, decimalOf, NULL_ARRAY, warehouseType, warehouseTypeOf } from './map.ts';
export { escapeField, NULL_FIELD, parseRawField, rawField } from './text.ts';
