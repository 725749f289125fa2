import type { FieldModel } from './field-model.ts';

/** Expressions are texts here, checked when the apps were loaded; `parseExpression` gives their tree. */
type Assignments = Readonly<Record<string, string>>;

interface Repeated {
  /** Once for each of these rows, which `$each` then is: `lines`, `crm.activity[account]`. */
  readonly each: string | undefined;
  readonly if: string | undefined;
}

export interface ChildRows extends Repeated {
  readonly values: Assignments;
}

/** One thing an operation does besides. Entities are full names. */
export type Effect =
  | { readonly kind: 'set'; readonly values: Assignments; readonly if: string | undefined }
  | { readonly kind: 'require'; readonly rule: string; readonly message: string | undefined }
  | (Repeated & {
      readonly kind: 'create';
      readonly entity: string;
      readonly values: Assignments;
      /** By child table. */
      readonly children: Readonly<Record<string, readonly ChildRows[]>>;
      readonly as: string | undefined;
    })
  | (Repeated & {
      readonly kind: 'update';
      readonly entity: string;
      readonly match: Assignments;
      readonly set: Assignments;
      readonly add: Assignments;
      readonly orCreate: Assignments | undefined;
      readonly optional: boolean;
    })
  | (Repeated & {
      readonly kind: 'transition';
      /** undefined = the row of `each`, else this record. */
      readonly record: string | undefined;
      readonly name: string;
      readonly input: Assignments;
    })
  | (Repeated & {
      readonly kind: 'notify';
      readonly to: string | undefined;
      readonly role: string | undefined;
      readonly text: string;
    })
  | (Repeated & { readonly kind: 'webhook'; readonly url: string; readonly body: Assignments });

export interface StateModel {
  readonly name: string;
  readonly label: string;
  readonly description: string | undefined;
  readonly color: string | undefined;
}

export interface TransitionModel {
  readonly name: string;
  readonly label: string;
  readonly description: string | undefined;
  readonly from: readonly string[];
  readonly to: string;
  /** undefined = whoever may update. */
  readonly roles: readonly string[] | undefined;
  readonly guard: string | undefined;
  readonly guardMessage: string | undefined;
  readonly input: readonly FieldModel[];
  readonly effects: readonly Effect[];
}

export interface StatesModel {
  readonly field: string;
  readonly initial: string;
  readonly list: readonly StateModel[];
  readonly terminal: readonly string[];
  readonly transitions: readonly TransitionModel[];
}

export interface CheckModel {
  readonly name: string;
  readonly rule: string;
  readonly when: string | undefined;
  readonly message: string | undefined;
}

export interface ActionModel extends Omit<TransitionModel, 'from' | 'to'> {}

/** When an automation acts. `minutes` may be negative: before the time in `field`. */
export type Trigger =
  | { readonly kind: 'time'; readonly field: string; readonly minutes: number }
  | { readonly kind: 'created' }
  | { readonly kind: 'changed'; readonly fields: readonly string[] }
  | { readonly kind: 'enters'; readonly state: string }
  | { readonly kind: 'deleted' };

export interface AutomationModel {
  readonly name: string;
  readonly label: string;
  readonly description: string | undefined;
  readonly when: Trigger;
  readonly if: string | undefined;
  readonly effects: readonly Effect[];
}
