import {
  GraphQLEnumType,
  GraphQLID,
  type GraphQLInputFieldConfigMap,
  GraphQLInputObjectType,
  GraphQLList,
  GraphQLNonNull,
} from 'graphql';
import { type EntityModel, type FieldModel, resolvePath } from '../definitions/index.ts';
import { CONDITIONS } from './common-types.ts';
import { helpOf, inputTypeOf, isPlain, PLAIN } from './field-types.ts';
import { inputName, namesOf, pathOf } from './names.ts';
import { systemFields } from './selection.ts';

const UNSORTABLE = new Set([
  'childTable',
  'json',
  'file',
  'address',
  'anyReference',
  'multiSelect',
  'richText',
]);

/** Filters, sorts and inputs of all entities; each is made when first asked for. */
export class InputTypes {
  readonly #entities: ReadonlyMap<string, EntityModel>;
  readonly #made = new Map<string, GraphQLInputObjectType | GraphQLEnumType>();

  constructor(entities: readonly EntityModel[]) {
    this.#entities = new Map(entities.map((entity) => [pathOf(entity), entity]));
  }

  filter(entity: EntityModel): GraphQLInputObjectType {
    const name = `${namesOf(entity).type}Filter`;
    return this.#once(name, () => {
      const self: GraphQLInputObjectType = new GraphQLInputObjectType({
        name,
        fields: () => ({
          and: { type: new GraphQLList(new GraphQLNonNull(self)) },
          or: { type: new GraphQLList(new GraphQLNonNull(self)) },
          not: { type: self },
          id: { type: CONDITIONS.id },
          created_at: { type: CONDITIONS.dateTime },
          updated_at: { type: CONDITIONS.dateTime },
          created_by: { type: CONDITIONS.text },
          ...(entity.numbering ? { [entity.numbering.field]: { type: CONDITIONS.text } } : {}),
          ...(entity.states ? { [entity.states.field]: { type: CONDITIONS.choice } } : {}),
          ...(entity.owner
            ? { [entity.owner.entity]: { type: this.filter(this.#at(entity.app, entity.owner.entity)) } }
            : {}),
          ...this.#conditions(entity),
        }),
      });
      return self;
    });
  }

  sort(entity: EntityModel): GraphQLEnumType {
    const name = `${namesOf(entity).type}Sort`;
    return this.#once(name, () => {
      const fields = [
        ...systemFields(entity).filter((field) => field !== entity.owner?.entity),
        ...entity.fields.filter((field) => !UNSORTABLE.has(field.type)).map((field) => field.name),
      ];
      return new GraphQLEnumType({
        name,
        values: Object.fromEntries(
          fields.flatMap((field) => [
            [`${field}_asc`, { value: field }],
            [`${field}_desc`, { value: `-${field}` }],
          ]),
        ),
      });
    });
  }

  /** Is there anything a client could give? Records that are only ever added have nothing to update. */
  isWritable(entity: EntityModel, operation: 'create' | 'update'): boolean {
    return entity.fields.some((field) => isWritable(field, operation));
  }

  /** What a client gives to create or update a record. */
  write(entity: EntityModel, operation: 'create' | 'update'): GraphQLInputObjectType {
    return this.#once(inputName(entity, operation), () => {
      const name = inputName(entity, operation);
      return new GraphQLInputObjectType({
        name,
        fields: () => ({
          ...(entity.owner && operation === 'update'
            ? { id: { type: GraphQLID, description: 'Of the row to keep; without it the row is new.' } }
            : {}),
          ...Object.fromEntries(
            entity.fields
              .filter((field) => isWritable(field, operation))
              .map((field) => [field.name, this.#writeField(entity, field, operation)]),
          ),
        }),
      });
    });
  }

  /** The input of an action or transition; null if it asks for nothing. */
  operation(entity: EntityModel, name: string, fields: readonly FieldModel[]): GraphQLInputObjectType | null {
    if (fields.length === 0) return null;
    return this.#once(inputName(entity, name), () => {
      return new GraphQLInputObjectType({
        name: inputName(entity, name),
        fields: () =>
          Object.fromEntries(fields.map((field) => [field.name, this.#writeField(entity, field, 'create')])),
      });
    });
  }

  #writeField(
    entity: EntityModel,
    field: FieldModel,
    operation: 'create' | 'update',
  ): GraphQLInputFieldConfigMap[string] {
    const type =
      field.type === 'childTable'
        ? new GraphQLList(new GraphQLNonNull(this.write(this.#at(entity.app, field.entity), operation)))
        : inputTypeOf(field)!;
    const needed =
      operation === 'create' &&
      field.type !== 'childTable' &&
      field.required === true &&
      !('default' in field && field.default !== undefined);
    return { type: needed ? new GraphQLNonNull(type) : type, description: helpOf(field) };
  }

  #conditions(entity: EntityModel): GraphQLInputFieldConfigMap {
    return Object.fromEntries(
      entity.fields.flatMap((field): [string, GraphQLInputFieldConfigMap[string]][] => {
        if (isPlain(field)) {
          const { condition } = PLAIN[field.type];
          return condition ? [[field.name, { type: condition }]] : [];
        }
        if (field.type !== 'reference') return [];
        const target = resolvePath(entity.app, field.entity);
        return [[field.name, { type: this.filter(this.#at(target.app, target.entity)) }]];
      }),
    );
  }

  #at(app: string, name: string): EntityModel {
    return this.#entities.get(`${app}.${name}`)!;
  }

  #once<T extends GraphQLInputObjectType | GraphQLEnumType>(name: string, make: () => T): T {
    const found = this.#made.get(name);
    if (found) return found as T;
    const made = make();
    this.#made.set(name, made);
    return made;
  }
}

const isWritable = (field: FieldModel, operation: 'create' | 'update'): boolean =>
  !('computed' in field && field.computed !== undefined) &&
  !(operation === 'update' && 'immutable' in field && field.immutable === true);
