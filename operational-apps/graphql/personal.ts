import {
  GraphQLBoolean,
  type GraphQLFieldConfigMap,
  GraphQLID,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
} from 'graphql';
import type { NewSavedFilter, NotificationPage } from '../runtime/types.ts';
import type { GraphqlContext } from './context.ts';
import { DateTimeType, JsonType } from './scalars.ts';

type Fields = GraphQLFieldConfigMap<unknown, GraphqlContext>;

const text = new GraphQLNonNull(GraphQLString);
const id = new GraphQLNonNull(GraphQLID);
const flag = new GraphQLNonNull(GraphQLBoolean);
const texts = new GraphQLNonNull(new GraphQLList(text));

const SavedFilterType = new GraphQLObjectType({
  name: 'SavedFilter',
  fields: {
    id: { type: id },
    entity: { type: text },
    name: { type: text },
    owner: { type: text },
    own: { type: flag },
    shared: { type: flag },
    filter: { type: JsonType },
    sort: { type: texts, description: '`name`, `-created_at`.' },
    columns: { type: texts, description: 'Fields or paths such as `owner.email`; none: all.' },
    updatedAt: { type: new GraphQLNonNull(DateTimeType) },
    problem: { type: JsonType, description: 'Code and message of why it cannot be used any more.' },
  },
});

const NotificationType = new GraphQLObjectType({
  name: 'Notification',
  fields: {
    id: { type: id },
    at: { type: new GraphQLNonNull(DateTimeType) },
    entity: { type: text },
    record: { type: id },
    text: { type: text },
    role: { type: GraphQLString, description: 'The role it was sent to; null: to the user.' },
    read: { type: flag },
  },
});

const unread: GraphQLFieldConfigMap<Pick<NotificationPage, 'unread' | 'unreadIsMore'>, GraphqlContext> = {
  unread: { type: new GraphQLNonNull(GraphQLInt), description: 'Of all, counted up to 100.' },
  unreadIsMore: { type: flag },
};
const NotificationPageType = new GraphQLObjectType<NotificationPage, GraphqlContext>({
  name: 'NotificationPage',
  fields: {
    nodes: {
      type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(NotificationType))),
      resolve: (page) => page.notifications,
    },
    next: { type: GraphQLID, description: '`after` of the next page; null at the end.' },
    ...unread,
  },
});
const UnreadType = new GraphQLObjectType({ name: 'UnreadNotifications', fields: unread });

/** What is the caller's own: saved filters and notifications. */
export const personalReads = (): Fields => ({
  savedFilters: {
    type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(SavedFilterType))),
    description: 'One’s own, then what others share.',
    args: { entity: { type: text } },
    resolve: (_, { entity }: { entity: string }, { records }) => records.savedFilters.list(entity),
  },
  notifications: {
    type: new GraphQLNonNull(NotificationPageType),
    description: 'What effects and mentions tell the user or the user’s roles, newest first.',
    args: { first: { type: GraphQLInt }, after: { type: GraphQLID } },
    resolve: (_, { first, after }: { first?: number | null; after?: string | null }, { records }) =>
      records.notifications.list({
        ...(first == null ? {} : { first }),
        ...(after == null ? {} : { after }),
      }),
  },
});

interface SaveArgs {
  readonly entity: string;
  readonly name: string;
  readonly filter?: NewSavedFilter['filter'];
  readonly sort?: string[] | null;
  readonly columns?: string[] | null;
  readonly shared?: boolean | null;
}

export const personalWrites = (): Fields => ({
  saveFilter: {
    type: new GraphQLNonNull(SavedFilterType),
    description: 'Keeps filter, order and columns of a list; takes the place of one’s own of that name.',
    args: {
      entity: { type: text },
      name: { type: text },
      filter: { type: JsonType, description: 'As in `filter` of the entity’s list.' },
      sort: { type: new GraphQLList(text), description: '`name`, `-created_at`.' },
      columns: { type: new GraphQLList(text) },
      shared: { type: GraphQLBoolean, description: 'For everybody who may see the fields it names.' },
    },
    resolve: (_, { entity, name, filter, sort, columns, shared }: SaveArgs, { records }) =>
      records.savedFilters.save(entity, {
        name,
        filter: filter ?? null,
        sort: sort ?? [],
        columns: columns ?? [],
        shared: shared ?? false,
      }),
  },
  deleteFilter: {
    type: id,
    args: { id: { type: id } },
    resolve: async (_, args: { id: string }, { records }) => {
      await records.savedFilters.delete(args.id);
      return args.id;
    },
  },
  markNotificationsRead: {
    type: new GraphQLNonNull(UnreadType),
    description: 'All up to and with this one; answers how many are left.',
    args: { upTo: { type: id } },
    resolve: (_, { upTo }: { upTo: string }, { records }) => records.notifications.markRead(upTo),
  },
});
