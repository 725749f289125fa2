import type { App, EntityModel, FieldModel } from '#apps';

type Schema = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Partial<Record<FieldModel['type'], Schema>>> = {
  integer: { oneOf: [{ type: 'integer' }, { type: 'string', pattern: '^-?\\d{1,19}$' }] },
  decimal: { type: 'string', pattern: '^-?\\d+(\\.\\d+)?$' },
  money: { type: 'string', pattern: '^-?\\d+(\\.\\d+)?$' },
  boolean: { type: 'boolean' },
  date: { type: 'string', format: 'date' },
  dateTime: { type: 'string', format: 'date-time' },
  email: { type: 'string', format: 'email' },
  url: { type: 'string', format: 'uri' },
  reference: { type: 'string', pattern: '^\\d{1,19}$' },
  anyReference: {
    type: 'object',
    required: ['entity', 'id'],
    properties: { entity: { type: 'string' }, id: { type: 'string' } },
  },
  address: {
    type: 'object',
    properties: Object.fromEntries(
      ['street', 'city', 'region', 'postal_code', 'country'].map((part) => [part, { type: 'string' }]),
    ),
  },
  json: {},
  file: {},
};

function valueSchema(field: FieldModel, app: string, form: 'Record' | 'Create' | 'Update'): Schema {
  if (field.type === 'select') return { type: 'string', enum: Object.keys(field.options) };
  if (field.type === 'multiSelect')
    return { type: 'array', items: { type: 'string', enum: Object.keys(field.options) } };
  if (field.type === 'childTable')
    return { type: 'array', items: { $ref: `#/components/schemas/${app}.${field.entity}.${form}` } };
  return TYPES[field.type] ?? { type: 'string' };
}

const isComputed = (field: FieldModel): boolean => 'computed' in field && field.computed !== undefined;

function schemaOf(entity: EntityModel, form: 'Record' | 'Create' | 'Update'): Schema {
  const fields = entity.fields.filter(
    (field) =>
      form === 'Record' ||
      !(isComputed(field) || (form === 'Update' && 'immutable' in field && field.immutable === true)),
  );
  const required = fields
    .filter(
      (field) =>
        'required' in field && field.required && !('default' in field && field.default !== undefined),
    )
    .map((field) => field.name);
  return {
    type: 'object',
    ...(entity.description ? { description: entity.description } : {}),
    ...(form === 'Create' && required.length > 0 ? { required } : {}),
    properties: {
      ...(form === 'Record' ? systemProperties(entity) : {}),
      ...Object.fromEntries(
        fields.map((field) => [
          field.name,
          {
            title: field.label,
            ...(field.description ? { description: field.description } : {}),
            ...valueSchema(field, entity.app, form),
          },
        ]),
      ),
    },
  };
}

const systemProperties = (entity: EntityModel): Schema => ({
  id: { type: 'string' },
  version: { type: 'integer' },
  created_at: { type: 'string', format: 'date-time' },
  updated_at: { type: 'string', format: 'date-time' },
  created_by: { type: 'string' },
  ...(entity.numbering ? { [entity.numbering.field]: { type: 'string' } } : {}),
  ...(entity.states
    ? { [entity.states.field]: { type: 'string', enum: entity.states.list.map((state) => state.name) } }
    : {}),
});

const json = (schema: Schema): Schema => ({ 'application/json': { schema } });
const ref = (entity: EntityModel, form: string): Schema => ({
  $ref: `#/components/schemas/${entity.app}.${entity.name}.${form}`,
});

/** Paths and schemas of every entity in force, to stand beside the general routes in the OpenAPI document. */
export function recordsOpenApi(apps: readonly App[]): { paths: Schema; schemas: Schema } {
  const entities = apps.flatMap((app) => app.entities);
  const paths = entities.filter((entity) => !entity.owner).flatMap(pathsOf);
  const schemas = entities.flatMap((entity) =>
    (['Record', 'Create', 'Update'] as const).map((form) => [
      `${entity.app}.${entity.name}.${form}`,
      schemaOf(entity, form),
    ]),
  );
  return { paths: Object.fromEntries(paths), schemas: Object.fromEntries(schemas) };
}

function pathsOf(entity: EntityModel): [string, Schema][] {
  const base = `/api/v1/records/${entity.app}/${entity.name}`;
  const answer = (form = 'Record'): Schema => ({
    200: { description: entity.label, content: json(ref(entity, form)) },
    default: { description: 'What went wrong.', content: json({ $ref: '#/components/schemas/Error' }) },
  });
  const idParameter = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
  const header = (name: string, description: string): Schema => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  });
  const key = header('Idempotency-Key', 'The same key with the same request acts once.');
  const match = header('If-Match', 'ETag of the record as you have seen it.');
  const write = (form: string): Schema => ({ required: true, content: json(ref(entity, form)) });
  const tags = [entity.app];
  const operation = (name: string): string => `${name}_${entity.app}_${entity.name}`;
  const page = {
    200: {
      description: 'A page.',
      content: json({
        type: 'object',
        properties: {
          records: { type: 'array', items: ref(entity, 'Record') },
          next: { type: ['string', 'null'] },
          previous: { type: ['string', 'null'] },
          total: { type: 'integer' },
        },
      }),
    },
  };
  const steps = (entity.states?.transitions ?? []).map((one): [string, Schema] => [
    `${base}/{id}/transitions/${one.name}`,
    {
      post: {
        tags,
        operationId: operation(`transition_${one.name}`),
        summary: one.label,
        parameters: [idParameter, match, key],
        responses: answer(),
      },
    },
  ]);
  const actions = entity.actions.map((one): [string, Schema] => [
    `${base}/{id}/actions/${one.name}`,
    {
      post: {
        tags,
        operationId: operation(`do_${one.name}`),
        summary: one.label,
        parameters: [idParameter, match, key],
        responses: answer(),
      },
    },
  ]);
  return [
    [
      base,
      {
        get: { tags, operationId: operation('list'), summary: entity.plural, responses: page },
        post: {
          tags,
          operationId: operation('create'),
          summary: `New ${entity.label}`,
          parameters: [key],
          requestBody: write('Create'),
          responses: answer(),
        },
      },
    ],
    [
      `${base}/{id}`,
      {
        parameters: [idParameter],
        get: { tags, operationId: operation('get'), summary: entity.label, responses: answer() },
        patch: {
          tags,
          operationId: operation('update'),
          summary: `Change ${entity.label}`,
          parameters: [match, key],
          requestBody: write('Update'),
          responses: answer(),
        },
        delete: {
          tags,
          operationId: operation('delete'),
          summary: `Delete ${entity.label}`,
          parameters: [match, key],
          responses: answer(),
        },
      },
    ],
    ...steps,
    ...actions,
  ];
}
