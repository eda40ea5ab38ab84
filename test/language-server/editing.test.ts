import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type {
  CompletionItem,
  DocumentSymbol,
  Hover,
  Location,
  Position,
  WorkspaceEdit,
} from 'vscode-languageserver/node';
import { EditorClient } from './client.ts';

const types = `
node_types:
  # Serves pages.
  my.Web:
    derived_from: cloudify.nodes.Root
    properties:
      port:
        type: integer
        description: Where it listens.
        default: 80
      mode: {type: boolean, default: false}
    interfaces:
      shop.interfaces.stock:
        refill: {implementation: ''}
`;
const main = `tosca_definitions_version: cloudify_dsl_1_5
imports:
  - cloudify/types/types.yaml
  - types.yaml
inputs:
  size: {type: integer, default: 1}
node_templates:
  host:
    type: cloudify.nodes.Compute
  web:
    type: my.Web
    properties:
      port: {get_input: size}
    relationships:
      - type: cloudify.relationships.contained_in
        target: host
groups:
  all: {members: [web, "host"]}
outputs:
  ip: {value: {get_attribute: [host, ip]}}
  port: {value: {get_property: [web, port]}}
`;

/** The position of the cursor: `|` in a piece of the text that occurs once. */
function cursor(text: string, piece: string): Position {
  const offset = text.indexOf(piece.replace('|', '')) + piece.indexOf('|');
  const before = text.slice(0, offset).split('\n');
  return { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
}

/** The text with edits applied. */
function applied(text: string, edit: WorkspaceEdit | null, uri: string): string {
  const lines = text.split('\n');
  const edits = [...(edit?.changes?.[uri] ?? [])].sort(
    (a, b) => b.range.start.line - a.range.start.line || b.range.start.character - a.range.start.character,
  );
  for (const { range, newText } of edits) {
    const line = lines[range.start.line] ?? '';
    lines[range.start.line] = line.slice(0, range.start.character) + newText + line.slice(range.end.character);
  }
  return lines.join('\n');
}

describe('language server', () => {
  let folder: string;
  let uri: string;
  let typesUri: string;
  let editor: EditorClient;

  before(async function () {
    this.timeout(60_000);
    folder = await mkdtemp(join(tmpdir(), 'gantry-language-'));
    uri = pathToFileURL(join(folder, 'blueprint.yaml')).href;
    typesUri = pathToFileURL(join(folder, 'types.yaml')).href;
    await writeFile(join(folder, 'types.yaml'), types);
    await writeFile(join(folder, 'blueprint.yaml'), main);
    editor = await EditorClient.start();
    await editor.open(uri);
  });

  after(async () => {
    expect(await editor.stop()).to.equal(0);
    await rm(folder, { recursive: true, force: true });
  });

  let version = 1;
  async function type(text: string): Promise<void> {
    version += 1;
    await editor.change(uri, text, version);
  }

  async function completions(from: string, to: string): Promise<CompletionItem[]> {
    const text = main.replace(from, to.replace('|', ''));
    expect(text).to.not.equal(main);
    await type(text);
    const items = await editor.ask<CompletionItem[]>('textDocument/completion', uri, cursor(text, to));
    await type(main);
    return items;
  }

  it('finds nothing wrong in a valid blueprint, and mistakes while they are made', async () => {
    await editor.diagnostics(uri, (found) => found.length === 0);
    await type(main.replace('my.Web', 'my.Wob').replace('cloudify.nodes.Compute', 'cloudify.nodes.Computer'));
    const found = await editor.diagnostics(uri, (all) => all.length === 2);
    const [, wrong] = found;
    expect(wrong?.message).to.match(/my\.Wob[^]*Did you mean 'my\.Web'/);
    expect(wrong?.range).to.deep.equal({ start: { line: 10, character: 4 }, end: { line: 10, character: 8 } });
    await type(main);
    await editor.diagnostics(uri, (all) => all.length === 0);
  });

  it('finds mistakes of imported files in those files, as they are in the editor', async () => {
    await editor.open(typesUri, types.replace('cloudify.nodes.Root', 'cloudify.nodes.Wrong'));
    const found = await editor.diagnostics(typesUri, (all) => all.length === 1);
    expect(found[0]?.message).to.contain('cloudify.nodes.Wrong');
    await editor.connection.sendNotification('textDocument/didClose', { textDocument: { uri: typesUri } });
    await type(`${main}# changed\n`);
    await editor.diagnostics(typesUri, (all) => all.length === 0);
  });

  const proposals: { title: string; from: string; to: string; has: string[]; hasNot?: string[] }[] = [
    { title: 'node types', from: 'type: my.Web', to: 'type: my.|', has: ['my.Web', 'cloudify.nodes.Compute'] },
    {
      title: 'node types where nothing stands',
      from: '  web:\n    type: my.Web',
      to: '  web:\n    type: |',
      has: ['my.Web'],
    },
    {
      title: 'relationship types',
      from: 'type: cloudify.relationships.contained_in',
      to: 'type: cloudify.rel|',
      has: ['cloudify.relationships.connected_to'],
      hasNot: ['my.Web'],
    },
    { title: 'targets', from: 'target: host', to: 'target: h|', has: ['host', 'web'] },
    {
      title: 'properties that are not there yet',
      from: 'port: {get_input: size}',
      to: 'port: 1\n      |',
      has: ['mode'],
      hasNot: ['port'],
    },
    { title: 'values a property may have', from: 'port: {get_input: size}', to: 'mode: |', has: ['true', 'false'] },
    { title: 'inputs', from: 'get_input: size', to: 'get_input: |', has: ['size'], hasNot: ['web'] },
    { title: 'functions', from: '{get_input: size}', to: '{get_|}', has: ['get_input', 'get_attribute'] },
    { title: 'nodes in functions', from: '[web, port]', to: '[|, port]', has: ['web', 'SELF'] },
    { title: 'properties in functions', from: '[web, port]', to: '[web, |]', has: ['port', 'mode'] },
    { title: 'members of groups', from: '[web, "host"]', to: '[w|]', has: ['web', 'host'] },
    {
      title: 'fields of a node template',
      from: '    type: my.Web',
      to: '    type: my.Web\n    in|',
      has: ['interfaces', 'instances'],
      hasNot: ['type'],
    },
    {
      title: 'interfaces',
      from: '    type: my.Web',
      to: '    type: my.Web\n    interfaces:\n      |',
      has: ['cloudify.interfaces.lifecycle', 'shop.interfaces.stock'],
    },
    {
      title: 'operations',
      from: '    type: my.Web',
      to: '    type: my.Web\n    interfaces:\n      cloudify.interfaces.lifecycle:\n        |',
      has: ['create', 'start'],
    },
    { title: 'sections', from: 'groups:', to: 'pol|\ngroups:', has: ['policies', 'plugins'], hasNot: ['inputs'] },
    {
      title: 'node types in a broken document',
      from: 'type: my.Web\n    properties:',
      to: 'type: my.|\n    broken: [1, {\n    properties:',
      has: ['cloudify.nodes.Compute'],
    },
  ];
  for (const { title, from, to, has, hasNot = [] } of proposals) {
    it(`proposes ${title}`, async () => {
      const labels = (await completions(from, to)).map(({ label }) => label);
      expect(labels).to.include.members(has);
      expect(labels).to.not.include.members(hasNot.length > 0 ? hasNot : ['Zz9zZ']);
    });
  }

  const hovers: { title: string; at: string; says: RegExp }[] = [
    {
      title: 'a type with its properties',
      at: 'type: my.|Web',
      says: /Serves pages\.[^]*port: integer[^]*Where it listens/,
    },
    { title: 'the schema of a property', at: '|port: {get_input', says: /Where it listens\.[^]*default: `80`/ },
    { title: 'a function', at: '{get_|attribute', says: /get_attribute: \[node, attribute/ },
    { title: 'an input', at: 'get_input: si|ze', says: /size\*\* \(input\)/ },
    { title: 'a section', at: 'gro|ups:', says: /Groups of nodes/ },
  ];
  for (const { title, at, says } of hovers) {
    it(`explains ${title}`, async () => {
      const hover = await editor.ask<Hover>('textDocument/hover', uri, cursor(main, at));
      expect((hover.contents as { value: string }).value).to.match(says);
    });
  }

  it('goes to definitions, across files', async () => {
    const go = (at: string): Promise<Location> => editor.ask('textDocument/definition', uri, cursor(main, at));
    const lineOf = (text: string, piece: string): number => cursor(text, `|${piece}`).line;
    const type = await go('type: my.W|eb');
    expect([type.uri, type.range.start.line]).to.deep.equal([typesUri, lineOf(types, 'my.Web:')]);
    const property = await go('[web, po|rt]');
    expect([property.uri, property.range.start.line]).to.deep.equal([typesUri, lineOf(types, 'port:')]);
    const node = await go('[ho|st, ip]');
    expect([node.uri, node.range.start.line]).to.deep.equal([uri, lineOf(main, 'host:')]);
    const input = await go('get_input: s|ize');
    expect([input.uri, input.range.start.line]).to.deep.equal([uri, lineOf(main, 'size:')]);
    expect((await go('type: cloudify.nodes.Com|pute')).uri).to.match(/resources\/types\/types/);
    expect((await go('- typ|es.yaml')).uri).to.equal(typesUri);
  });

  it('renames a node template everywhere', async () => {
    const edit = await editor.ask<WorkspaceEdit>('textDocument/rename', uri, cursor(main, 'target: ho|st'), {
      newName: 'machine',
    });
    const expected = main
      .replace('  host:', '  machine:')
      .replace('target: host', 'target: machine')
      .replace('"host"', '"machine"')
      .replace('[host, ip]', '[machine, ip]');
    expect(applied(main, edit, uri)).to.equal(expected);
  });

  it('renames an input everywhere', async () => {
    const edit = await editor.ask<WorkspaceEdit>('textDocument/rename', uri, cursor(main, 's|ize: {'), {
      newName: 'amount',
    });
    expect(applied(main, edit, uri)).to.equal(main.replace('size: {', 'amount: {').replace(': size}', ': amount}'));
  });

  it('refuses to rename to a name that is taken, or what is part of the product', async () => {
    const refusal = async (at: string, newName: string): Promise<string> =>
      editor.ask('textDocument/rename', uri, cursor(main, at), { newName }).then(
        () => 'renamed',
        (error: Error) => error.message,
      );
    expect(await refusal('target: ho|st', 'web')).to.contain('web already');
    expect(await refusal('type: cloudify.nodes.Com|pute', 'x')).to.contain('part of the product');
    expect(await refusal('target: ho|st', 'a: b')).to.contain('cannot be a name');
  });

  it('lists the symbols of a document', async () => {
    const symbols = await editor.connection.sendRequest<DocumentSymbol[]>('textDocument/documentSymbol', {
      textDocument: { uri },
    });
    const nodes = symbols.find(({ name }) => name === 'node_templates');
    expect(nodes?.children?.map(({ name, detail }) => [name, detail])).to.deep.equal([
      ['host', 'cloudify.nodes.Compute'],
      ['web', 'my.Web'],
    ]);
  });
});
