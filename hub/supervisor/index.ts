export { benchCommand } from './bench-command.ts';
export { upCommand } from './command.ts';
export { type Hub, type UpOptions, up } from './up.ts';
