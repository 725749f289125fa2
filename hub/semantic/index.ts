export type { Advice } from './advise.ts';
export type { CuratedFiles } from './curated.ts';
export { type HubSemantic, openSemantic } from './semantic.ts';
