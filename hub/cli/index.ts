export { buildCli, runCli } from './cli.ts';
export { createClient, type HubClient } from './client.ts';
export { connect, type HubOptions, withHub } from './context.ts';
export { locateHub, type Target } from './locate.ts';
export { colourful, errorText, note, print, printJson } from './output.ts';
