export type { Advice } from './advise.ts';
export { type HubSemantic, openSemantic } from './semantic.ts';
