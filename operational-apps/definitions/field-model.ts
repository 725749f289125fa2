import type { Field } from './schema/fields.ts';

/** A field with its name and the label people see. */
export type FieldModel = Field & { readonly name: string; readonly label: string };
