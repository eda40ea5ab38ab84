import { expect } from 'chai';
import fc from 'fast-check';
import { completionSpotAt } from '../../../src/language-server/completion.ts';
import { Names } from '../../../src/language-server/names.ts';
import { definitionOf, renameEdits, RenameRefusal } from '../../../src/language-server/navigation.ts';
import type { Unit } from '../../../src/language-server/workspace.ts';
import { YamlModel } from '../../../src/language-server/yaml-model.ts';

const main = `
node_templates:
  app:
    type: lib--Kind
    relationships: [{type: cloudify.relationships.depends_on, target: lib--base}]
outputs: {o: {value: {get_property: [lib--base, p]}}}
`;
const library = `
node_types:
  Kind: {properties: {p: {default: 1}}}
node_templates:
  base: {type: Kind}
outputs: {x: {value: {get_attribute: [base, p]}}}
`;

function units(): Unit[] {
  return [
    { file: { uri: 'file:///main.yaml', model: new YamlModel(main) }, prefix: '', imports: new Map() },
    { file: { uri: 'file:///library.yaml', model: new YamlModel(library) }, prefix: 'lib--', imports: new Map() },
  ];
}

function renamed(unit: Unit, piece: string, to: string, all: Unit[]): Record<string, string> {
  const { model, uri } = unit.file;
  const spot = model.spotAt(model.text.indexOf(piece))!;
  const texts: Record<string, string> = {};
  const edits = renameEdits(to, spot, uri, [all]).sort((left, right) => right.start - left.start);
  for (const { file, start, end, text } of edits) {
    const before = texts[file.uri] ?? file.model.text;
    texts[file.uri] = before.slice(0, start) + text + before.slice(end);
  }
  return texts;
}

describe('navigation in blueprints with namespaces', () => {
  it('finds a definition behind a namespace', () => {
    const all = units();
    const unit = all[0]!;
    const spot = unit.file.model.spotAt(main.indexOf('lib--base'))!;
    const span = definitionOf(spot, { unit, names: new Names(all) })!;
    expect(span.file.uri).to.equal('file:///library.yaml');
    expect(library.slice(span.start, span.end)).to.equal('base');
  });

  it('renames in every file as that file writes the name, wherever the renaming began', () => {
    const expected = {
      'file:///main.yaml': main.replaceAll('lib--base', 'lib--root'),
      'file:///library.yaml': library.replaceAll('base', 'root'),
    };
    const all = units();
    expect(renamed(all[1]!, 'base', 'root', all)).to.deep.equal(expected);
  });

  it('refuses names that could not be written', () => {
    const all = units();
    for (const name of ['', 'a: b', 'a--b', '[x', '#x']) {
      expect(() => renamed(all[1]!, 'base', name, all), name).to.throw(RenameRefusal);
    }
  });
});

describe('model of a text', () => {
  it('keeps what stands before and after a broken line', () => {
    const model = new YamlModel('inputs:\n  a: {type: string}\nnode_templates:\n  x\n  vm: {type: [}\noutputs: {}\n');
    expect(model.valueAt(['inputs', 'a', 'type'])).to.equal('string');
  });

  it('takes aliases and merge keys', () => {
    const model = new YamlModel('a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n');
    expect(model.valueAt(['b'])).to.deep.equal({ p: 1, q: 3 });
    expect(model.valueAt(['c', 'p'])).to.equal(1);
  });

  it('never fails, whatever is typed wherever the cursor is', () => {
    const piece = fc.constantFrom(
      'a:',
      ' ',
      '\n',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '*x',
      '&x',
      '"',
      '|',
      '<<: ',
      'type',
      ': ',
      '#',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(), (pieces, at) => {
        const text = pieces.join('');
        const model = new YamlModel(text);
        model.spotAt(at);
        completionSpotAt(text, text.length === 0 ? 0 : at % text.length);
      }),
      { numRuns: 300 },
    );
  });

  it('bounds texts that are nested without end', () => {
    expect(() => new YamlModel('['.repeat(50_000))).to.not.throw();
    expect(() => new YamlModel(`a: &a [${'*a, '.repeat(1000)}]`)).to.not.throw();
  });
});
