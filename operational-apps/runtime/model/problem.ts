import { HubError } from '#kernel';

const NEXT: Readonly<Record<string, string>> = {
  ENTITY_UNKNOWN: 'Name one as `app.entity`, such as `crm.account`.',
  FIELD_UNKNOWN: 'Use a field that the entity has.',
  VALUE_INVALID: 'Give a value that fits the field.',
  VALUE_REQUIRED: 'Give the field a value.',
  VALUE_TAKEN: 'Use another value, or change the record that has it.',
  REFERENCE_UNKNOWN: 'Point to a record that is there.',
  RECORD_NOT_FOUND: 'See whether the record was deleted or is not yours to see.',
  RECORD_IN_USE: 'Change or delete first what refers to it.',
  RECORD_SUBMITTED: 'Cancel the document and amend it instead.',
  PERMISSION_DENIED: 'Ask somebody with the right to do it.',
  FIELD_DENIED: 'Leave the field out, or ask somebody with the right to it.',
  FIELD_IMMUTABLE: 'Leave the field out.',
  VERSION_STALE: 'Read the record again and repeat the change.',
  TRANSITION_UNKNOWN: 'Use a transition that the entity has.',
  TRANSITION_REFUSED: 'See the record’s state and what the transition asks for.',
  ACTION_UNKNOWN: 'Use an action that the entity has.',
  ACTION_REFUSED: 'See what the action asks for.',
  RULE_BROKEN: 'Mend the values that break the rule.',
  AUTOMATION_LOOP: 'Let one of them depend on a condition that ends the circle.',
  FILTER_INVALID: 'Mend the filter.',
  SORT_INVALID: 'Sort by at most three fields that can be compared.',
  CURSOR_INVALID: 'Begin at the first page again.',
  LIMIT_EXCEEDED: 'Ask for less at once.',
};

/** A user's mistake or a refusal. `path` names the field, as `lines.2.quantity`. */
export function problem(
  code: string,
  message: string,
  path?: string,
  details: Readonly<Record<string, unknown>> = {},
): HubError {
  const next = NEXT[code];
  return new HubError(code, message, {
    disposition: 'user',
    ...(next === undefined ? {} : { next }),
    details: { ...(path === undefined ? {} : { path }), ...details },
  });
}
