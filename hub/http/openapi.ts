import { z } from 'zod';
import type { Route, Shape } from './route.ts';

/** OpenAPI 3.1 of the route table, generated from the very schemas that check requests. */
export function openApi(
  routes: readonly Route[],
  version: string,
  more: { readonly paths: object; readonly schemas: object } = { paths: {}, schemas: {} },
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const entry of routes) {
    const path = entry.path.replace(/:(\w+)/g, '{$1}');
    const parameters = [...parametersOf(entry.params, 'path'), ...parametersOf(entry.query, 'query')];
    paths[path] = {
      ...paths[path],
      [entry.method.toLowerCase()]: {
        operationId: `${entry.method.toLowerCase()}${path.replace('/api/v1', '').replace(/\W+(\w)?/g, (_, letter?: string) => letter?.toUpperCase() ?? '')}`,
        summary: entry.summary,
        'x-scope': entry.scope,
        ...(entry.public ? { security: [] } : {}),
        ...(parameters.length ? { parameters } : {}),
        ...(entry.body
          ? {
              requestBody: {
                required: true,
                content: { 'application/json': { schema: jsonSchema(entry.body) } },
              },
            }
          : {}),
        responses: {
          200: { description: entry.answer, content: { [entry.contentType ?? 'application/json']: {} } },
          default: {
            description: 'What went wrong and what to do next.',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
          },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'BAC Hub', version },
    paths: { ...paths, ...more.paths },
    security: [{ key: [] }],
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR_SCHEMA, ...more.schemas },
    },
  };
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        next: { type: 'string' },
        details: { type: 'object' },
      },
    },
  },
};

const jsonSchema = (schema: z.ZodObject): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
};

function parametersOf(schema: Shape, place: 'path' | 'query'): Record<string, unknown>[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}
