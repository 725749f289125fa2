export { demoApps, type FillOptions, type FillProgress, type FillResult, fillDemo } from './fill.ts';
export { type Simulator, type SimulatorOptions, type SimulatorStats, startSimulator } from './simulator.ts';
export { TENANTS as DEMO_TENANTS } from './tenants.ts';
