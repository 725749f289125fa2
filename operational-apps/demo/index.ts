export { demoApps, type FillOptions, type FillProgress, type FillResult, fillDemo } from './fill.ts';
