import {
  GraphQLEnumType,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLFieldConfigMap,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
} from 'graphql';
import type { EntityModel } from '../definitions/index.ts';
import type { BulkOperation, Values, WriteOptions } from '../runtime/types.ts';
import { TimelineEntryType } from './common-types.ts';
import type { GraphqlContext } from './context.ts';
import type { InputTypes } from './input-types.ts';
import { actionName, namesOf, pathOf } from './names.ts';
import type { ObjectTypes } from './object-types.ts';
import { personalWrites } from './personal.ts';
import { JsonType } from './scalars.ts';
import { selectionOf } from './selection.ts';

type Fields = GraphQLFieldConfigMap<unknown, GraphqlContext>;

interface WriteArgs {
  readonly id: string;
  readonly version?: number | null;
  readonly idempotencyKey?: string | null;
  readonly input?: Values | null;
  readonly name?: string;
}

const id = { type: new GraphQLNonNull(GraphQLID) };
const version = {
  type: GraphQLInt,
  description: 'The version you have seen; refused with VERSION_STALE if it is another by now.',
};
const idempotencyKey = {
  type: GraphQLString,
  description: 'The same key with the same request acts once and answers the same, for 24 hours.',
};

const optionsOf = ({ version: seen, idempotencyKey: key }: WriteArgs): WriteOptions => ({
  ...(seen == null ? {} : { version: seen }),
  ...(key == null ? {} : { idempotencyKey: key }),
});

/** Writing: create, update, delete, transition, actions and amend of each entity; several at once; comments. */
export function mutationType(
  entities: readonly EntityModel[],
  objects: ObjectTypes,
  inputs: InputTypes,
): GraphQLObjectType {
  return new GraphQLObjectType({
    name: 'Mutation',
    fields: () => ({
      // Rows of a child table are written with their parent.
      ...Object.assign(
        {},
        ...entities.filter((entity) => !entity.owner).map((entity) => writes(entity, objects, inputs)),
      ),
      bulk: bulk(),
      comment: comment(),
      ...personalWrites(),
    }),
  });
}

function writes(entity: EntityModel, objects: ObjectTypes, inputs: InputTypes): Fields {
  const { type: typeName } = namesOf(entity);
  const path = pathOf(entity);
  const answer = new GraphQLNonNull(objects.type(path));
  const fields: Fields = {
    [`delete${typeName}`]: {
      type: new GraphQLNonNull(GraphQLID),
      args: { id, version, idempotencyKey },
      resolve: async (_, args: WriteArgs, { records }) => {
        await records.delete(path, args.id, optionsOf(args));
        return args.id;
      },
    },
  };
  if (inputs.isWritable(entity, 'create'))
    fields[`create${typeName}`] = {
      type: answer,
      description: `New ${entity.label}.`,
      args: { input: { type: new GraphQLNonNull(inputs.write(entity, 'create')) }, idempotencyKey },
      resolve: (_, args: WriteArgs, { records }, info) =>
        records.create(path, args.input ?? {}, { ...optionsOf(args), select: selectionOf(info, entity) }),
    };
  if (inputs.isWritable(entity, 'update'))
    fields[`update${typeName}`] = {
      type: answer,
      description: `Changes the fields given; null empties one. ${entity.label}.`,
      args: {
        id,
        version,
        input: { type: new GraphQLNonNull(inputs.write(entity, 'update')) },
        idempotencyKey,
      },
      resolve: (_, args: WriteArgs, { records }, info) =>
        records.update(path, args.id, args.input ?? {}, {
          ...optionsOf(args),
          select: selectionOf(info, entity),
        }),
    };
  if (entity.submittable)
    fields[`amend${typeName}`] = {
      type: answer,
      description: 'A new draft with the values of a cancelled document.',
      args: { id, idempotencyKey },
      resolve: (_, args: WriteArgs, { records }, info) =>
        records.amend(path, args.id, { ...optionsOf(args), select: selectionOf(info, entity) }),
    };
  return { ...fields, ...transitions(entity, answer), ...actions(entity, answer, inputs) };
}

function transitions(entity: EntityModel, answer: Fields[string]['type']): Fields {
  const list = entity.states?.transitions ?? [];
  if (list.length === 0) return {};
  const { type } = namesOf(entity);
  const names = new GraphQLEnumType({
    name: `${type}Transition`,
    values: Object.fromEntries(
      list.map((one) => [
        one.name,
        { value: one.name, description: `${one.label}: ${one.from.join(', ')} → ${one.to}` },
      ]),
    ),
  });
  return {
    [`transition${type}`]: {
      type: answer,
      description: 'Moves the record to another state, with all that follows from it.',
      args: {
        id,
        name: { type: new GraphQLNonNull(names) },
        version,
        input: { type: JsonType, description: 'What the transition asks for, by field.' },
        idempotencyKey,
      },
      resolve: (_, args: WriteArgs, { records }, info) =>
        records.transition(pathOf(entity), args.id, args.name!, args.input ?? {}, {
          ...optionsOf(args),
          select: selectionOf(info, entity),
        }),
    },
  };
}

function actions(entity: EntityModel, answer: Fields[string]['type'], inputs: InputTypes): Fields {
  return Object.fromEntries(
    entity.actions.map((action) => {
      const input = inputs.operation(entity, action.name, action.input);
      const args: GraphQLFieldConfigArgumentMap = {
        id,
        version,
        ...(input
          ? {
              input: {
                type: action.input.some((field) => 'required' in field && field.required)
                  ? new GraphQLNonNull(input)
                  : input,
              },
            }
          : {}),
        idempotencyKey,
      };
      const field: Fields[string] = {
        type: answer,
        description: action.label,
        args,
        resolve: (_, given: WriteArgs, { records }, info) =>
          records.act(pathOf(entity), given.id, action.name, given.input ?? {}, {
            ...optionsOf(given),
            select: selectionOf(info, entity),
          }),
      };
      return [actionName(entity, action.name), field];
    }),
  );
}

const bulk = (): Fields[string] => ({
  type: new GraphQLNonNull(new GraphQLList(JsonType)),
  description: 'Up to 500 operations in order, all or none; answers each record, null for deleted ones.',
  args: {
    operations: {
      type: new GraphQLNonNull(
        new GraphQLList(
          new GraphQLNonNull(
            new GraphQLInputObjectType({
              name: 'BulkOperation',
              fields: {
                op: {
                  type: new GraphQLNonNull(
                    new GraphQLEnumType({
                      name: 'BulkKind',
                      values: { create: {}, update: {}, delete: {}, transition: {} },
                    }),
                  ),
                },
                entity: { type: new GraphQLNonNull(GraphQLString), description: '`app.entity`.' },
                id: { type: GraphQLID },
                version: { type: GraphQLInt },
                name: { type: GraphQLString, description: 'Of the transition.' },
                values: { type: JsonType },
                input: { type: JsonType },
              },
            }),
          ),
        ),
      ),
    },
    idempotencyKey,
  },
  resolve: (
    _,
    { operations, idempotencyKey: key }: { operations: BulkOperation[]; idempotencyKey?: string },
    { records },
  ) => records.bulk(operations, key === undefined ? {} : { idempotencyKey: key }),
});

const comment = (): Fields[string] => ({
  type: new GraphQLNonNull(TimelineEntryType),
  description:
    'Adds a comment; `@user@company.example` in it notifies that user, if they may read the record.',
  args: {
    entity: { type: new GraphQLNonNull(GraphQLString) },
    id,
    text: { type: new GraphQLNonNull(GraphQLString) },
  },
  resolve: (_, args: { entity: string; id: string; text: string }, { records }) =>
    records.timeline.comment(args.entity, args.id, args.text),
});
