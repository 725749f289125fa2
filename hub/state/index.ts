export { type HubFile, openStateFolder, readHubFile, type StateFolder } from './folder.ts';
