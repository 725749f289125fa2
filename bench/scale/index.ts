export { inputTable, planTable, scaleDocument, usageTable } from './render.ts';
