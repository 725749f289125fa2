import type { FieldInfo } from '../model/catalogue.ts';
import { Unfit } from '../model/convert.ts';
import type { Json } from '../types.ts';

/** Lengths, ranges and patterns of a field's definition; `text` is the value as the database gets it. */
export function checkSettings(field: FieldInfo, value: Json, text: string): void {
  const model = field.model;
  if (!model) return;
  if (typeof value === 'string' && ('minLength' in model || 'maxLength' in model)) {
    const length = [...value].length;
    if (model.minLength !== undefined && length < model.minLength)
      throw new Unfit(`at least ${model.minLength} characters long`);
    if (model.maxLength !== undefined && length > model.maxLength)
      throw new Unfit(`at most ${model.maxLength} characters long`);
  }
  if ('pattern' in model && model.pattern !== undefined && !patternOf(model.pattern).test(text))
    throw new Unfit(`of the form ${model.pattern}`);
  if (model.type === 'date' || model.type === 'dateTime') {
    const at = Date.parse(text);
    if (model.min !== undefined && at < Date.parse(model.min)) throw new Unfit(`${model.min} or later`);
    if (model.max !== undefined && at > Date.parse(model.max)) throw new Unfit(`${model.max} or earlier`);
  } else if (model.type === 'integer' || model.type === 'decimal' || model.type === 'money') {
    if (model.min !== undefined && compareDecimals(text, String(model.min)) < 0)
      throw new Unfit(`${model.min} or more`);
    if (model.max !== undefined && compareDecimals(text, String(model.max)) > 0)
      throw new Unfit(`${model.max} or less`);
  }
}

const patterns = new Map<string, RegExp>();

function patternOf(text: string): RegExp {
  let pattern = patterns.get(text);
  if (!pattern) {
    pattern = new RegExp(text, 'u');
    patterns.set(text, pattern);
  }
  return pattern;
}

/** Numbers in plain digits, exactly: below zero, zero or above, as `a - b` is. */
export function compareDecimals(a: string, b: string): number {
  const digits = Math.max(...[a, b].map((text) => (text.split('.')[1] ?? '').length));
  const scaled = (text: string): bigint => {
    const [whole, fraction = ''] = text.split('.') as [string, string?];
    return BigInt(`${whole}${fraction.padEnd(digits, '0')}`);
  };
  return Number(scaled(a) > scaled(b)) - Number(scaled(a) < scaled(b));
}
