import { type Command, Option } from 'commander';
import { createClient, type HubClient } from './client.ts';
import { locateHub } from './locate.ts';

/** Options every command that talks to a hub has. */
export interface HubOptions {
  url?: string;
  key?: string;
}

/** Adds --url and --key; they are left out of `connect add`, whose --url is the database's. */
export function withHub(command: Command, names: { url: string } = { url: '--url <url>' }): Command {
  return command
    .addOption(new Option(names.url, 'address of the hub (or BAC_URL)').helpGroup('Hub:'))
    .addOption(new Option('--key <key>', 'API key (or BAC_KEY)').helpGroup('Hub:'));
}

export const connect = (options: HubOptions): HubClient => createClient(locateHub(options));
