import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import nunjucks from 'nunjucks';
import { resourcePath } from '../config/package-root.ts';

type Part = Readonly<Record<string, unknown>>;

interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly parameters: readonly Part[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Part }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema?: Part }>> }>>;
}

interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Part>> };
}

export interface ApiPage {
  readonly html: string;
  /** Value of the header Content-Security-Policy: the page has a style of its own and nothing else. */
  readonly policy: string;
}

const { escape: escaped } = nunjucks.lib as unknown as { escape: (text: string) => string };

/** A schema in words, as HTML. */
function typeOf(schema: Part): string {
  const { $ref: reference, enum: values, anyOf, type, items } = schema;
  if (typeof reference === 'string') {
    const name = escaped(reference.slice(reference.lastIndexOf('/') + 1));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (Array.isArray(values)) {
    return values.map((value) => `<code>${escaped(JSON.stringify(value))}</code>`).join(' or ');
  }
  if (Array.isArray(anyOf)) {
    return anyOf.map(typeOf).join(' or ');
  }
  if (type === undefined) {
    return 'any value';
  }
  const names = [type].flat().map(String);
  return names.map((name) => (name === 'array' && items ? `list of ${typeOf(items as Part)}` : name)).join(' or ');
}

function membersOf(schema: Part): { name: string; type: string; isRequired: boolean }[] {
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.entries((schema['properties'] ?? {}) as Record<string, Part>).map(([name, member]) => ({
    name,
    type: typeOf(member),
    isRequired: required.includes(name),
  }));
}

/** What comes back when all is well; a page of items is told as such. */
function answerOf({ responses }: Operation): string {
  const kinds = Object.entries(responses['2XX']?.content ?? {}).map(([contentType, { schema = {} }]) => {
    const { items, metadata } = (schema['properties'] ?? {}) as Record<string, Part>;
    if (items && metadata) {
      return `A page: <code>items</code> is ${typeOf(items)}, <code>metadata.pagination</code> tells total, size and offset`;
    }
    const inline = schema['properties'] === undefined ? [] : membersOf(schema);
    const members = inline.map(({ name, type }) => `<code>${escaped(name)}</code> (${type})`).join(', ');
    return members === '' ? `${escaped(contentType)}: ${typeOf(schema)}` : `An object: ${members}`;
  });
  return [...kinds, ...('204' in responses ? ['Status 204, no body'] : [])].join('; or ');
}

function bodyOf({ requestBody }: Operation): { type: string; members: ReturnType<typeof membersOf> } | undefined {
  const schema = requestBody?.content['application/json']?.schema;
  return schema && { type: typeOf(schema), members: membersOf(schema) };
}

function groupsOf(document: Document): { name: string; operations: object[] }[] {
  const groups = new Map<string, object[]>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [tag = ''] = operation.tags;
      const description = escaped(operation.description).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
      const shown = { ...operation, description, id: operation.operationId, path, method };
      groups.set(tag, [...(groups.get(tag) ?? []), { ...shown, body: bodyOf(operation), answer: answerOf(operation) }]);
    }
  }
  return [...groups]
    .map(([name, operations]) => ({ name, operations }))
    .sort((one, other) => one.name.localeCompare(other.name));
}

/** Makes the page on which people read an OpenAPI document; it needs no script and nothing from elsewhere. */
export function renderApiPage(openApi: object): ApiPage {
  const document = openApi as Document;
  const { schemas } = document.components;
  const style = readFileSync(resourcePath('pages', 'api.css'), 'utf8');
  const environment = new nunjucks.Environment(new nunjucks.FileSystemLoader(resourcePath('pages')), {
    autoescape: true,
    throwOnUndefined: false,
  });
  const html = environment.render('api.html', {
    ...document.info,
    base: document.servers[0]?.url,
    style,
    groups: groupsOf(document),
    schemas: Object.entries(schemas)
      .map(([name, schema]) => ({ name, members: membersOf(schema) }))
      .sort((one, other) => one.name.localeCompare(other.name)),
    errorCodes: (schemas['Error']?.['properties'] as Record<string, { enum?: string[] }>)['error_code']?.enum ?? [],
  });
  const hash = createHash('sha256').update(style).digest('base64');
  return {
    html,
    policy: `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}
