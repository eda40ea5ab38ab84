import fc from 'fast-check';

/** A request made of random parts; everything is sent as it stands here. */
export interface FuzzRequest {
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

/** One operation of the OpenAPI document. */
export interface FuzzOperation {
  method: string;
  path: string;
  parameters: readonly { name: string; in: 'path' | 'query' | 'header' }[];
  /** Schema of the JSON body; undefined when the operation takes none, or something else. */
  body: Schema | undefined;
}

export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
}

/** Stands for a number that no language's float can hold; put into the text of a body after it was made. */
const hugeNumber = '@@huge@@';

const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udc00y',
  '￿',
  '\u202e\u200b',
  "'; drop table users; --",
  '%',
  '../../etc/passwd',
  '..',
  '%00',
  '{{ get_input }}',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  '-0',
  '9'.repeat(400),
  '1e999',
  '2147483648',
  '9223372036854775808',
  '-1',
  '0',
  '1.5',
  'true',
  '9999-99-99T99:99:99Z',
  '275760-09-13T00:00:00.001Z',
  '-000001-01-01T00:00:00Z',
  '0000-00-00',
  '(((((((((((((((((',
  '[',
  '\\',
  '"',
  'é'.repeat(300),
  'x'.repeat(3000),
];

const knownTexts: readonly string[] = [
  'known',
  'default_tenant',
  'private',
  'tenant',
  'global',
  'install',
  'blueprints',
  'deployments',
  'viewer',
  'default',
  'started',
  'failed',
  'uploaded',
  'cancel',
  'resume',
  '2030-01-01T00:00:00.000Z',
  '2030-01-01 00:00',
  '+1 day',
  '1 day',
  'false',
  '1',
  '10',
];

const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...knownTexts) },
  { weight: 3, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);

const number = fc.oneof(
  fc.integer({ min: -2, max: 12 }),
  fc.constantFrom(2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 63), 1e308, 0.5, -0.000_1),
);

function nested(depth: number, open: (inner: unknown) => unknown): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level += 1) {
    value = open(value);
  }
  return value;
}

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    hugeNumber,
    [],
    {},
    [null],
    { '': null },
    { __proto__: null, toString: 1, constructor: {} },
    nested(30, (inner) => [inner]),
    nested(3000, (inner) => ({ a: inner })),
    Array.from({ length: 500 }, (_, index) => index),
  ),
  number,
  text,
  fc.array(text, { maxLength: 3 }),
  fc.dictionary(text, text, { maxKeys: 3 }),
);

/** Values of a schema, mostly; some are of another kind. */
function valueOf(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 5, arbitrary: fittingValue(schema) }, { weight: 1, arbitrary: hostileValue });
}

function objectOf({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const members = Object.entries(properties);
  for (const name of required) {
    if (!(name in properties)) {
      members.push([name, {}]);
    }
  }
  const model = Object.fromEntries(members.map(([name, member]) => [name, valueOf(member)]));
  return fc.oneof(
    { weight: 4, arbitrary: fc.record(model, { requiredKeys: [...required] }) },
    { weight: 1, arbitrary: fc.record(model, { requiredKeys: [] }) },
  );
}

function fittingValue(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) {
    return fc.constantFrom(...schema.enum);
  }
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  const [first, ...more] = types.map((type): fc.Arbitrary<unknown> => {
    switch (type) {
      case 'object':
        return schema.properties || schema.required
          ? objectOf(schema)
          : fc.dictionary(text, hostileValue, { maxKeys: 3 });
      case 'array':
        return fc.array(valueOf(schema.items ?? {}), { maxLength: 3 });
      case 'string':
        return text;
      case 'integer':
      case 'number':
        return number;
      case 'boolean':
        return fc.boolean();
      default:
        return fc.constant(null);
    }
  });
  return first ? fc.oneof(first, ...more) : hostileValue;
}

function encoded(value: unknown): Buffer {
  return Buffer.from((JSON.stringify(value) ?? 'null').replaceAll(`"${hugeNumber}"`, '1e999'));
}

/** Bodies that are no JSON, or not only. */
const rawBodies: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from('null'),
  Buffer.from('"text"'),
  Buffer.from('[]'),
  Buffer.from('{}'),
  Buffer.from('{"a":'),
  Buffer.from('{"a":1}}'),
  Buffer.from('\ufeff{}'),
  Buffer.from([0xff, 0xfe, 0x00]),
  Buffer.from('{"a":"\xff"}', 'latin1'),
  Buffer.from('['.repeat(100_000)),
  Buffer.from(`${'['.repeat(50_000)}${']'.repeat(50_000)}`),
  Buffer.from(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
  Buffer.from('PK\x05\x06' + '\0'.repeat(18)),
];

function bodyOf(operation: FuzzOperation): fc.Arbitrary<Buffer | undefined> {
  const raw = fc.constantFrom(...rawBodies);
  if (!operation.body) {
    return operation.method === 'get' ? fc.constant(undefined) : fc.option(raw, { nil: undefined });
  }
  return fc.oneof({ weight: 6, arbitrary: valueOf(operation.body).map(encoded) }, { weight: 1, arbitrary: raw });
}

/** What a segment or a value looks like in a URL: percent-encoded, or with codes that mean no text. */
const urlText = fc.oneof(
  { weight: 8, arbitrary: text.map((value) => encodeURIComponent(value.toWellFormed())) },
  { weight: 1, arbitrary: fc.constantFrom('%', '%zz', '%ff%fe', '%c0%ae', '%ed%a0%80', '%00', '%2f', '%25', '+', ';') },
);

/** Fields that lists are often filtered by. */
const filterNames = [
  'id',
  'created_at',
  'visibility',
  'tenant_name',
  'status',
  'version',
  'deployment_id',
  'key',
  '%00',
];
const listNames = ['_include', '_size', '_offset', '_sort', '_search', '_all_tenants', '_get_all_results', '_get_data'];

function queryOf(operation: FuzzOperation): fc.Arbitrary<string> {
  const named = operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const name = fc.constantFrom(...named, ...named, ...listNames, ...filterNames);
  return fc
    .array(fc.tuple(name, urlText), { maxLength: 3 })
    .map((pairs) => pairs.map(([key, value]) => `${key}=${value}`).join('&'));
}

/** Header values as they may travel: no line breaks, no characters beyond one byte. */
const headerText = text.map((value) => value.replaceAll(/[^\x20-\x7e\x80-\xff]/g, '?').slice(0, 2000));

/** Credentials that are none; names of nobody, so that nobody is locked out. */
const otherCredentials: fc.Arbitrary<Record<string, string>> = fc.oneof(
  fc.constantFrom<Record<string, string>>(
    {},
    { authorization: 'Basic' },
    { authorization: 'Basic !!!!' },
    { authorization: 'Bearer abc' },
    { authorization: `Basic ${Buffer.from('1nobody:x').toString('base64')}` },
    { 'execution-token': 'f'.repeat(32) },
    { 'authentication-token': `ctok-${'a'.repeat(10)}-${'b'.repeat(40)}` },
  ),
  headerText.map((value) => ({ authorization: value })),
  headerText.map((value) => ({ 'execution-token': value })),
  headerText.map((value) => ({ 'authentication-token': value })),
);

function headersOf(login: Record<string, string>): fc.Arbitrary<Record<string, string>> {
  return fc
    .record({
      credentials: fc.oneof({ weight: 15, arbitrary: fc.constant(login) }, { weight: 1, arbitrary: otherCredentials }),
      tenant: fc.oneof(
        { weight: 12, arbitrary: fc.constant('default_tenant') },
        { weight: 1, arbitrary: fc.oneof(fc.constant(undefined), headerText) },
      ),
      type: fc.oneof(
        { weight: 12, arbitrary: fc.constant('application/json') },
        {
          weight: 1,
          arbitrary: fc.constantFrom('text/plain', 'application/json; charset=utf-16', 'multipart/form-data', '', '/'),
        },
      ),
      more: fc.oneof(
        { weight: 12, arbitrary: fc.constant({}) },
        {
          weight: 1,
          arbitrary: fc.oneof(
            headerText.map((value) => ({ 'x-forwarded-for': value })),
            headerText.map((value) => ({ 'x-original-uri': value })),
            headerText.map((value) => ({ 'x-request-id': value })),
            fc.constant({ 'x-bypass-maintenance': '1', range: 'bytes=5-1', 'if-none-match': '*' }),
          ),
        },
      ),
    })
    .map(({ credentials, tenant, type, more }) => ({
      ...credentials,
      ...(tenant === undefined ? {} : { tenant }),
      'content-type': type,
      ...more,
    }));
}

/**
 * Requests to an operation.
 * @param login headers of somebody who may do everything
 */
export function requestsTo(operation: FuzzOperation, login: Record<string, string>): fc.Arbitrary<FuzzRequest> {
  const names = operation.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
  const segment = fc.oneof({ weight: 3, arbitrary: fc.constant('known') }, { weight: 2, arbitrary: urlText });
  return fc
    .record({
      segments: fc.tuple(...names.map(() => segment)),
      query: queryOf(operation),
      headers: headersOf(login),
      body: bodyOf(operation),
    })
    .map(({ segments, query, headers, body }) => {
      let path = operation.path;
      names.forEach((name, index) => (path = path.replace(`{${name}}`, String(segments[index] ?? ''))));
      return { path: `/api/v3.1${path}${query === '' ? '' : `?${query}`}`, headers, body };
    });
}
