import type { EntityDescription, WarehouseTable } from '#kernel';

/** A name that Cube takes for a cube or member: letters, digits, underscores. */
export function memberName(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[A-Za-z_]/.test(plain) ? plain : `_${plain}`;
}

/** `<app>_<entity>` for an app's entity, else `<source>_<table>`. */
export const cubeName = (table: WarehouseTable, entity: EntityDescription | undefined): string =>
  memberName(entity ? `${entity.app}_${entity.name}` : `${table.database}_${table.table}`);

/** `unit_price` -> `Unit price`. */
export function humanize(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_\s]+/g, ' ')
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Gives out names, each once; what is taken gets the next free number. */
export function uniqueNames(taken: Iterable<string> = []): (wanted: string) => string {
  const used = new Set(taken);
  return (wanted) => {
    let name = wanted;
    for (let count = 2; used.has(name); count += 1) name = `${wanted}_${count}`;
    used.add(name);
    return name;
  };
}
