export { type HubSemantic, openSemantic } from './semantic.ts';
