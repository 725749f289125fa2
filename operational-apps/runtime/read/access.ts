import { type Catalogue, type EntityInfo, type FieldInfo, fieldOf } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { Param } from '../sessions/index.ts';
import type { Rights } from '../types.ts';

/** What a query may touch: the definitions, and one principal's rights. */
export interface Access {
  readonly catalogue: Catalogue;
  rights(entity: EntityInfo): Rights;
  /** The principal's, with all they include; absent: the database's policies alone decide. */
  readonly roles?: readonly string[];
  /** Keeps what was compiled for these rights; absent: everything is compiled anew. */
  readonly compiled?: {
    get(key: string): object | undefined;
    set(key: string, value: object): void;
  };
}

/** What `make` compiles from what `key` says in full, besides the definitions and the rights. */
export function compiledOnce<T extends object>(access: Access, key: string, make: () => T): T {
  const found = access.compiled?.get(key) as T | undefined;
  if (found) return found;
  const made = make();
  access.compiled?.set(key, made);
  return made;
}

/** Parameters of one statement, numbered as they come, and its table aliases. */
export class Params {
  readonly values: Param[] = [];
  private aliases = 0;

  /** `$3::bigint` */
  add(value: Param, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }

  alias(): string {
    this.aliases += 1;
    return `r${this.aliases}`;
  }
}

/** A field that may be seen and compared: FIELD_UNKNOWN, FIELD_DENIED otherwise. */
export function comparable(access: Access, entity: EntityInfo, name: string, path: string): FieldInfo {
  const field = fieldOf(entity, name, path);
  const right = access.rights(entity).fields[name];
  if (right === 'hidden' || right === 'masked' || right === undefined)
    throw problem('FIELD_DENIED', `${entity.path}.${name} may not be used here.`, path);
  return field;
}

export function assertReadable(access: Access, entity: EntityInfo, path?: string): void {
  if (!access.rights(entity).read)
    throw problem('PERMISSION_DENIED', `${entity.model.plural} may not be read.`, path, {
      entity: entity.path,
    });
}
