import type { Param } from '../sessions/index.ts';

export interface GivenColumn {
  readonly value: Param;
  readonly type: string;
}

export interface GivenChild {
  /** undefined = a new one. */
  readonly id: string | undefined;
  readonly given: Given;
  readonly path: string;
}

/** Values of a request, checked and in the form of the database. */
export interface Given {
  readonly columns: ReadonlyMap<string, GivenColumn>;
  /** By child table: all its rows as they shall be, in order. */
  readonly children: ReadonlyMap<string, readonly GivenChild[]>;
  /** Records pointed to, children's included: looked at before they are written. */
  readonly references: readonly GivenReference[];
}

export interface GivenReference {
  readonly entity: string;
  readonly id: string;
  readonly path: string;
}
