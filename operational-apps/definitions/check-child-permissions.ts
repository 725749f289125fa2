import type { YamlSource } from '#kernel';
import type { EntityModel } from './model.ts';
import type { Report } from './problems.ts';
import type { AppDefinition } from './schema/app.ts';

/**
 * Rows of a child table are read and written as their parent is. Permissions of its own can say which of
 * its fields are hidden, masked or not written, and nothing else.
 */
export function checkChildPermissions(entity: EntityModel, source: YamlSource, report: Report): void {
  // The app's rules, which stand in where an entity has none of its own, are no mistake here.
  const own = (source.value as AppDefinition).entities[entity.name]?.permissions;
  if (!entity.owner || own === undefined) return;
  const parent = `rows of \`${entity.name}\` are read and written as the \`${entity.owner.entity}\` they belong to`;
  for (const [at, rule] of own.entries())
    if (rule.where !== undefined)
      report(['permissions', at, 'where'], `${parent}: say it in the permissions of that entity`);
  const limits = own.some((rule) => rule.hide || rule.mask || rule.readonly || rule.level !== undefined);
  if (!limits)
    report(
      ['permissions'],
      `${parent}, so these permissions say nothing: leave them out, or name fields to \`hide\`, \`mask\` or make \`readonly\``,
      'key',
    );
}
