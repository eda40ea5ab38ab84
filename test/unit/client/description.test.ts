import { join } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';
import { GantryClient } from '../../../src/client/client.ts';
import { openApiDocument } from '../../../src/rest/openapi.ts';
import { everyRoute, routeOf } from '../../kit/answer-check.ts';

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

const document = openApiDocument(everyRoute, 'test') as { components: { schemas: Readonly<Record<string, Schema>> } };
const { schemas } = document.components;

/** Interface of the client -> component of the document. */
const described: Readonly<Record<string, string>> = {
  BlueprintShape: 'Blueprint',
  DeploymentShape: 'Deployment',
  DeploymentGroupShape: 'DeploymentGroup',
  ExecutionGroupShape: 'ExecutionGroup',
  DeploymentUpdateShape: 'DeploymentUpdate',
  ExecutionShape: 'Execution',
  BreakpointShape: 'Breakpoint',
  PlannedOperationShape: 'PlannedOperation',
  PlannedGraphShape: 'PlannedGraph',
  ExecutionPlanShape: 'ExecutionPlan',
  OperationShape: 'OperationHistory',
  EventShape: 'Event',
  NodeShape: 'Node',
  NodeInstanceShape: 'NodeInstance',
  TokenShape: 'Token',
  TenantShape: 'Tenant',
  UserShape: 'User',
  SecretShape: 'SecretWithValue',
  PluginShape: 'Plugin',
  VersionShape: 'Version',
};

function jsonTypes(type: ts.Type): string[] {
  if (type.isUnion()) {
    return type.types.flatMap(jsonTypes);
  }
  const { flags } = type;
  if (flags & ts.TypeFlags.StringLike) {
    return ['string'];
  }
  if (flags & ts.TypeFlags.NumberLike) {
    return ['number'];
  }
  if (flags & ts.TypeFlags.BooleanLike) {
    return ['boolean'];
  }
  return flags & (ts.TypeFlags.Null | ts.TypeFlags.Undefined) ? [] : ['any'];
}

/** What the client takes the members of an answer for, by interface. */
function readInterfaces(): Map<string, Map<string, string[]>> {
  const file = join(import.meta.dirname, '../../../src/client/types.ts');
  const program = ts.createProgram([file], {
    strict: true,
    noLib: false,
    allowImportingTsExtensions: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const found = new Map<string, Map<string, string[]>>();
  source?.forEachChild((node) => {
    if (ts.isInterfaceDeclaration(node)) {
      const members = checker.getTypeAtLocation(node).getProperties();
      const read = members.map(
        (member) => [member.name, jsonTypes(checker.getTypeOfSymbolAtLocation(member, node))] as const,
      );
      found.set(node.name.text, new Map(read));
    }
  });
  return found;
}

/** Whether values of the schema can be of one of the types. */
function agrees(schema: Schema, types: readonly string[]): boolean {
  const told = [schema.type ?? []].flat().map((type) => (type === 'integer' ? 'number' : type));
  const plain = told.filter((type) => ['string', 'number', 'boolean'].includes(type));
  return types.includes('any') ? plain.length === 0 : plain.length === 0 || plain.some((type) => types.includes(type));
}

/** Stands for any argument: text, number, list or object. */
const anything: unknown = new Proxy(() => undefined, {
  get: (_target, key) => {
    if (key === Symbol.toPrimitive) {
      return () => 'anything';
    }
    if (key === Symbol.iterator) {
      return [][Symbol.iterator];
    }
    return key === 'then' ? undefined : anything;
  },
  apply: () => anything,
});

/** The first request that a method of the client sends. */
async function requestOf(call: (client: GantryClient) => unknown): Promise<[string, string] | undefined> {
  const client = new GantryClient({ url: 'http://127.0.0.1:1', tenant: 'default_tenant' } as never);
  let request: [string, string] | undefined;
  const note = async (method: string, path: string): Promise<never> => {
    request ??= [method, path];
    throw new Error('noted');
  };
  Object.assign(client.transport, {
    json: note,
    download: (path: string) => note('GET', path),
    open: (path: string) => note('GET', path),
  });
  const result = call(client) as AsyncIterator<unknown> | Promise<unknown>;
  const last = 'next' in result ? result.next() : result;
  await Promise.resolve(last).catch(() => undefined);
  return request;
}

/** Methods that only look at what they are given. */
const asksNothing = new Set(['constructor', 'close', 'uploadExecution']);

type Method = (...values: unknown[]) => unknown;

const groups = Object.entries(new GantryClient({ url: 'http://127.0.0.1:1' } as never))
  .filter(([name]) => name !== 'transport')
  .map(([name, api]) => [name, Object.getOwnPropertyNames(Object.getPrototypeOf(api))] as const);

/** A file that is there is what an upload takes. */
function argumentsOf(method: string): unknown[] {
  const files: Readonly<Record<string, unknown[]>> = {
    'plugins.upload': [import.meta.filename],
    'blueprints.setIcon': ['anything', import.meta.filename],
  };
  return files[method] ?? Array.from({ length: 6 }, () => anything);
}

describe('the client of the command line', () => {
  for (const [group, names] of groups) {
    for (const name of names.filter((entry) => !asksNothing.has(entry))) {
      it(`${group}.${name} asks for what the API has`, async () => {
        const request = await requestOf((client) => {
          const api = Reflect.get(client, group) as Record<string, Method>;
          return api[name]?.(...argumentsOf(`${group}.${name}`));
        });
        expect(request, 'a request').to.not.equal(undefined);
        const [method = '', path = ''] = request ?? [];
        expect(routeOf(method, path), `${method} ${path}`).to.not.equal(undefined);
      });
    }
  }

  const interfaces = readInterfaces();
  for (const [name, component] of Object.entries(described)) {
    it(`takes the members of ${component} for what they are`, () => {
      const members = interfaces.get(name);
      const properties = schemas[component]?.properties;
      expect(members, name).to.not.equal(undefined);
      expect(properties, component).to.not.equal(undefined);
      for (const [member, types] of members ?? []) {
        const schema = properties?.[member];
        expect(schema, `${component}.${member}`).to.not.equal(undefined);
        expect(
          agrees(schema ?? {}, types),
          `${component}.${member} is ${JSON.stringify(schema)}, not ${types.join()}`,
        ).to.equal(true);
      }
    });
  }
});
