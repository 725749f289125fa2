import { Command } from 'commander';
import { stringify } from 'yaml';
import { loadConfig, publicConfig } from '#kernel';
import { print, printJson } from '../output.ts';

export const configCommand = (): Command =>
  new Command('config')
    .description('print the effective configuration: defaults, bac.yaml, BAC_* variables; secrets hidden')
    .option('--json', 'print one JSON document')
    .action((options: { json?: boolean }) => {
      const config = publicConfig(loadConfig());
      options.json ? printJson(config) : print(stringify(config));
    });
