import { GraphQLSchema } from 'graphql';
import type { App } from '../definitions/index.ts';
import { InputTypes } from './input-types.ts';
import { mutationType } from './mutation.ts';
import { ObjectTypes } from './object-types.ts';
import { queryType } from './query.ts';
import { subscriptionType } from './subscription.ts';

/**
 * The GraphQL schema of all apps: one for everybody, since names are no secret; what a principal may do with them
 * is decided by the records engine. The same definitions give the same schema, in the same order.
 */
export function buildSchema(apps: readonly App[]): GraphQLSchema {
  const entities = apps.flatMap((app) => app.entities);
  const inputs = new InputTypes(entities);
  const objects = new ObjectTypes(entities, inputs);
  return new GraphQLSchema({
    query: queryType(entities, objects, inputs),
    mutation: mutationType(entities, objects, inputs),
    subscription: subscriptionType(
      entities.filter((entity) => !entity.owner),
      objects,
      inputs,
    ),
  });
}
