import { HubError, type Principal } from '#kernel';
import type { Call } from './types.ts';

/** A refusal for want of a right, for the audit. */
export interface Denied {
  readonly principal: Principal;
  readonly call: Call;
  readonly entity: string;
  readonly operation: string;
  readonly code: string;
}

export const isDenial = (error: unknown): error is HubError =>
  error instanceof HubError && (error.code === 'PERMISSION_DENIED' || error.code === 'FIELD_DENIED');
