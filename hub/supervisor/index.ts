export { benchCommand } from './bench-command.ts';
export { upCommand } from './command.ts';
