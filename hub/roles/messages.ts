import type { HubErrorOptions } from '#kernel';
import type { Readiness } from '../http/index.ts';
import type { Figure } from './figures.ts';
import type { RoleSettings } from './settings.ts';

/** What the supervisor says to a role's process. */
export type ToRole =
  | { readonly type: 'start'; readonly settings: RoleSettings }
  /** Asks whether what the role stands on answers; the reply carries the same id. */
  | { readonly type: 'probe'; readonly id: number };

/** What a role's process says to the supervisor. */
export type FromRole =
  | { readonly type: 'ready'; readonly facts: Readonly<Record<string, unknown>> }
  | {
      readonly type: 'failed';
      readonly error: { readonly code: string; readonly message: string } & HubErrorOptions;
    }
  | { readonly type: 'probed'; readonly id: number; readonly readiness: Readiness }
  /** Every second. */
  | { readonly type: 'figures'; readonly figures: readonly Figure[] };
