import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { IncomingMessage } from 'node:http';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { pythonTypeName } from '../domain/python-text.ts';

/** A JSON schema; kept as data so that the OpenAPI document is made of the same one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, verbose: true, strict: false });
const compiled = new WeakMap<JsonSchema, ValidateFunction>();

const pythonTypes: Readonly<Record<string, string>> = {
  object: 'dict',
  array: 'list',
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  null: 'NoneType',
};

function describe(error: ErrorObject): string {
  const place = error.instancePath.slice(1).replaceAll('/', '.');
  const parameters = error.params as Record<string, unknown>;
  if (error.keyword === 'required') {
    const name = String(parameters['missingProperty']);
    return place === '' ? `Missing ${name} in json request body` : `Missing ${name} in ${place}`;
  }
  if (error.keyword === 'type') {
    const wanted = [parameters['type']].flat().map((type) => pythonTypes[String(type)] ?? String(type));
    const found = pythonTypeName(error.data);
    return place === ''
      ? `The request body is expected to be of type ${wanted.join(' or ')} but is of type ${found}`
      : `${place} parameter is expected to be of type ${wanted.join(' or ')} but is of type ${found}`;
  }
  if (error.keyword === 'enum') {
    return `${place} must be one of ${JSON.stringify(parameters['allowedValues'])}`;
  }
  if (error.keyword === 'additionalProperties') {
    return `Unknown parameters: ${String(parameters['additionalProperty'])}`;
  }
  return `${place === '' ? 'The request body' : place} ${error.message ?? 'is not valid'}`;
}

/** Checks a body. @throws GantryError bad_parameters_error naming the first member that is wrong */
export function checkBody(schema: JsonSchema, body: unknown): void {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  if (!validate(body)) {
    const [first] = validate.errors ?? [];
    throw new GantryError('bad_parameters_error', first ? describe(first) : 'The request body is not valid');
  }
}

/** Reads a body whatever it is made of. @throws GantryError request_too_large */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new GantryError('request_too_large', `The request body is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Deepest nesting of a JSON body: plans have 100 levels at most. */
const deepestNesting = 500;

/** @throws GantryError bad_parameters_error before anything that calls itself meets a document that is too deep for it */
function refuseDeepNesting(text: string): void {
  let depth = 0;
  let isInText = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (isInText) {
      if (code === 0x5c) {
        index += 1;
      } else if (code === 0x22) {
        isInText = false;
      }
    } else if (code === 0x22) {
      isInText = true;
    } else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > deepestNesting) {
        throw new GantryError(
          'bad_parameters_error',
          `The request body is nested deeper than ${deepestNesting} levels`,
        );
      }
    } else if (code === 0x7d || code === 0x5d) {
      depth -= 1;
    }
  }
}

/** Removes `__proto__`, which would otherwise change what objects made of the body inherit. */
function reviver(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}

/**
 * Reads a JSON body; no body at all counts as `undefined`.
 * @throws GantryError unsupported_content_type_error, request_too_large, bad_parameters_error
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const content = await readBody(request, maxBytes);
  if (content.length === 0) {
    return undefined;
  }
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new GantryError('unsupported_content_type_error', 'Content type must be application/json');
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
    refuseDeepNesting(text);
    return JSON.parse(text, text.includes('__proto__') ? reviver : undefined) as unknown;
  } catch (error) {
    throw error instanceof GantryError
      ? error
      : new GantryError('bad_parameters_error', 'The request body is not valid JSON', { cause: error });
  }
}

/** Whether a parsed body is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text member that the schema has made sure of; numbers are taken as their text. */
export function textMember(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value === 'string') {
    return value;
  }
  if (typeof value === 'number') {
    return String(value);
  }
  throw new GantryError(
    'bad_parameters_error',
    `${name} parameter is expected to be of type str but is of type ${pythonTypeName(value)}`,
  );
}
