import { writeFileSync } from 'node:fs';
import { appJsonSchema } from './schema.ts';

/** Run after a change of the vocabulary: keeps the JSON Schema for editors current. */
const target = new URL('../app.schema.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(appJsonSchema(), null, 2)}\n`);
