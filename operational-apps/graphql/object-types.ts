import {
  type GraphQLFieldConfig,
  GraphQLID,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  GraphQLUnionType,
} from 'graphql';
import { type EntityModel, type FieldModel, resolvePath } from '../definitions/index.ts';
import type { RecordRow } from '../runtime/types.ts';
import { AttachmentType, TimelineEntryType } from './common-types.ts';
import type { GraphqlContext } from './context.ts';
import { helpOf, isPlain, PLAIN } from './field-types.ts';
import type { InputTypes } from './input-types.ts';
import { namesOf, pathOf, plural } from './names.ts';
import { connectionArgs, connectionType, listQuery, toConnection } from './pages.ts';
import { DateTimeType } from './scalars.ts';
import { COLUMN, selectionOf } from './selection.ts';

type FieldConfig = GraphQLFieldConfig<RecordRow, GraphqlContext>;

/** Rows of a child table that come with their parent; more are read as a list of their own. */
const MAX_CHILDREN = 500;

/** Another entity's reference that points here, and the name it has from here. */
export interface BackReference {
  readonly name: string;
  readonly entity: EntityModel;
  readonly field: string;
}

/** The object types of all entities, made once per set of definitions. */
export class ObjectTypes {
  readonly #entities: ReadonlyMap<string, EntityModel>;
  readonly #types = new Map<string, GraphQLObjectType>();
  readonly #connections = new Map<string, GraphQLObjectType>();
  readonly #inputs: InputTypes;

  constructor(entities: readonly EntityModel[], inputs: InputTypes) {
    this.#entities = new Map(entities.map((entity) => [pathOf(entity), entity]));
    this.#inputs = inputs;
    for (const entity of entities) this.#types.set(pathOf(entity), this.#object(entity));
  }

  type(path: string): GraphQLObjectType {
    return this.#types.get(path)!;
  }

  connection(path: string): GraphQLObjectType {
    let found = this.#connections.get(path);
    if (!found) {
      found = connectionType(this.type(path));
      this.#connections.set(path, found);
    }
    return found;
  }

  #object(entity: EntityModel): GraphQLObjectType {
    return new GraphQLObjectType({
      name: namesOf(entity).type,
      description: entity.description ?? entity.label,
      fields: () => ({
        id: column('id', new GraphQLNonNull(GraphQLID)),
        version: column(
          'version',
          new GraphQLNonNull(GraphQLInt),
          'Give it back with an update to be told if somebody was faster.',
        ),
        created_at: column('created_at', DateTimeType),
        updated_at: column('updated_at', DateTimeType),
        created_by: column('created_by', GraphQLString),
        ...(entity.numbering
          ? { [entity.numbering.field]: column(entity.numbering.field, GraphQLString, 'Running number.') }
          : {}),
        ...(entity.states
          ? {
              [entity.states.field]: column(
                entity.states.field,
                GraphQLString,
                `State: ${entity.states.list.map((state) => state.name).join(', ')}.`,
              ),
            }
          : {}),
        ...Object.fromEntries(entity.fields.map((field) => [field.name, this.#field(entity, field)])),
        ...this.#backReferences(entity),
        ...(entity.owner ? this.#parent(entity, entity.owner.entity) : this.#timeline(entity)),
      }),
    });
  }

  #field(entity: EntityModel, field: FieldModel): FieldConfig {
    const description = helpOf(field);
    if (isPlain(field)) return column(field.name, PLAIN[field.type].output, description);
    const extensions = { [COLUMN]: field.name };
    if (field.type === 'reference') {
      const target = resolvePath(entity.app, field.entity);
      return this.#reference(field.name, `${target.app}.${target.entity}`, description);
    }
    if (field.type === 'anyReference') {
      const targets = field.entities
        .map((path) => resolvePath(entity.app, path))
        .map(({ app, entity: name }) => `${app}.${name}`);
      return {
        type: new GraphQLUnionType({
          name: `${namesOf(entity).type}${namesOf({ app: field.name, name: '' }).type}`,
          types: targets.map((path) => this.type(path)),
          resolveType: (row: { readonly __type: string }) => row.__type,
        }),
        description,
        extensions,
        resolve: async (row, _, context) => {
          const value = row[field.name] as { entity: string; id: string } | null | undefined;
          if (!value) return null;
          const target = this.#entities.get(value.entity);
          if (!target) return null;
          const found = await context.loaders.one(value.entity, value.id, allOf(target));
          return found && { ...found, __type: namesOf(target).type };
        },
      };
    }
    const child = `${entity.app}.${field.entity}`;
    return {
      type: new GraphQLList(new GraphQLNonNull(this.type(child))),
      description,
      resolve: async (row, _, context, info) => {
        const select = selectionOf(info, this.#entities.get(child)!);
        const page = await context.loaders.related(child, entity.name, row.id, {
          first: MAX_CHILDREN,
          sort: ['position'],
          select,
        });
        return page.rows.map((one) => one.record);
      },
    };
  }

  #reference(name: string, path: string, description: string): FieldConfig {
    return {
      type: this.type(path),
      description,
      extensions: { [COLUMN]: name },
      resolve: (row, _, context, info) => {
        const id = row[name] as string | null | undefined;
        return id ? context.loaders.one(path, id, selectionOf(info, this.#entities.get(path)!)) : null;
      },
    };
  }

  #parent(entity: EntityModel, owner: string): Record<string, FieldConfig> {
    return {
      [owner]: this.#reference(owner, `${entity.app}.${owner}`, 'The record it belongs to.'),
      position: column('position', GraphQLInt, 'Place in the parent, from 1.'),
    };
  }

  #backReferences(entity: EntityModel): Record<string, FieldConfig> {
    return Object.fromEntries(
      backReferencesOf(entity, [...this.#entities.values()]).map(({ name, entity: from, field }) => [
        name,
        {
          type: new GraphQLNonNull(this.connection(pathOf(from))),
          description: `${from.plural} whose ${field} it is.`,
          args: connectionArgs(this.#inputs, from, 'nested'),
          resolve: async (row, args, context, info) => {
            const query = listQuery(args, info, from);
            return toConnection(await context.loaders.related(pathOf(from), field, row.id, query), query);
          },
        } satisfies FieldConfig,
      ]),
    );
  }

  #timeline(entity: EntityModel): Record<string, FieldConfig> {
    const path = pathOf(entity);
    return {
      timeline: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(TimelineEntryType))),
        description: 'What happened to the record, newest first.',
        args: { first: { type: GraphQLInt }, after: { type: GraphQLString } },
        resolve: (row, args: { first?: number; after?: string }, context) =>
          context.records.timeline.list(path, row.id, args),
      },
      attachments: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(AttachmentType))),
        resolve: (row, _, context) => context.records.timeline.attachments(path, row.id),
      },
    };
  }
}

const column = (name: string, type: FieldConfig['type'], description?: string): FieldConfig => ({
  type,
  ...(description === undefined ? {} : { description }),
  extensions: { [COLUMN]: name },
});

const allOf = (entity: EntityModel): Record<string, true> =>
  Object.fromEntries(
    entity.fields.filter((field) => field.type !== 'childTable').map((field) => [field.name, true]),
  );

/** `contacts` of an account; with two references from one entity `orders_by_customer`; never a name that is taken. */
function backReferencesOf(entity: EntityModel, all: readonly EntityModel[]): BackReference[] {
  const path = pathOf(entity);
  const taken = new Set([...entity.fields.map((field) => field.name), 'timeline', 'attachments']);
  return all.flatMap((from) => {
    const pointing = from.fields.filter((field) => {
      if (field.type !== 'reference') return false;
      const target = resolvePath(from.app, field.entity);
      return `${target.app}.${target.entity}` === path;
    });
    return pointing.map((field) => {
      const base = from.app === entity.app ? plural(from.name) : `${from.app}_${plural(from.name)}`;
      let name = pointing.length === 1 ? base : `${base}_by_${field.name}`;
      while (taken.has(name)) name = `${name}_`;
      taken.add(name);
      return { name, entity: from, field: field.name };
    });
  });
}
