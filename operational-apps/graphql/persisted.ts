import { createHash } from 'node:crypto';
import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';

/** Bytes of query texts kept, over all clients. */
const MAX_BYTES = 8 * 1024 * 1024;
const HASH = /^[0-9a-f]{64}$/;

/**
 * Automatic persisted queries: a client sends the SHA-256 of a query instead of its text; if this process does not
 * know it, PERSISTED_QUERY_NOT_FOUND asks for both, once. Source: Apollo's "Automatic Persisted Queries".
 */
export function persistedQueries(): Plugin {
  const texts = new LRUCache<string, string>({
    maxSize: MAX_BYTES,
    sizeCalculation: (text) => text.length || 1,
  });
  return {
    onParams({ params, setParams }) {
      const extension = params.extensions?.persistedQuery as
        | { version?: unknown; sha256Hash?: unknown }
        | undefined;
      if (!extension) return;
      const hash = extension.sha256Hash;
      if (extension.version !== 1 || typeof hash !== 'string' || !HASH.test(hash))
        throw refused(
          'PERSISTED_QUERY_INVALID',
          'The persisted query needs version 1 and a SHA-256 in hexadecimal.',
        );
      if (!params.query) {
        const query = texts.get(hash);
        if (query === undefined) throw refused('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound');
        setParams({ ...params, query });
      } else {
        if (createHash('sha256').update(params.query).digest('hex') !== hash)
          throw refused('PERSISTED_QUERY_INVALID', 'The hash is not that of the query.');
        texts.set(hash, params.query);
      }
    },
  };
}

const refused = (code: string, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code, http: { status: 200 } } });
