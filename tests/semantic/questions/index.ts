import { CUSTOMERS } from './customers.ts';
import { DELIVERY } from './delivery.ts';
import { FINANCE } from './finance.ts';
import { INVENTORY } from './inventory.ts';
import { MARKETING } from './marketing.ts';
import { PIPELINE } from './pipeline.ts';
import type { Question } from './question.ts';
import { SALES } from './sales.ts';
import { SERVICE } from './service.ts';

export type { Question };

/** The metric questions, area by area. */
export const QUESTIONS: readonly Question[] = [
  ...SALES,
  ...CUSTOMERS,
  ...PIPELINE,
  ...INVENTORY,
  ...FINANCE,
  ...SERVICE,
  ...MARKETING,
  ...DELIVERY,
];
