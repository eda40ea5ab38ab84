import { expect } from 'chai';
import { load } from 'js-yaml';
import type { Command } from '../../../src/cli/command-tree.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { CommandLine } from '../../kit/command-line.ts';
import type { Outcome } from '../../kit/command-line.ts';
import { listAnswer } from '../../kit/fake-manager.ts';
import { fakeTerminal } from '../../kit/fake-terminal.ts';

function lists(): Command[] {
  const refuse = (): never => {
    throw new Error('Nothing is started to look at commands');
  };
  const setting = { terminal: fakeTerminal(), signal: new AbortController().signal };
  const program = buildProgram(setting, { start: refuse, migrate: refuse, keys: refuse });
  return [...program.tree()].filter(({ listing }) => listing !== undefined);
}

/** The words of a list with values for its arguments. */
function wordsOf(command: Command): string[] {
  return [...command.words, ...command.registeredArguments.filter(({ required }) => required).map(() => 'x')];
}

describe('lists', () => {
  let line: CommandLine;

  beforeEach(async () => {
    line = await CommandLine.open();
  });

  afterEach(async () => {
    await line.close();
  });

  for (const command of lists()) {
    const words = wordsOf(command);

    it(`gantry ${command.words.join(' ')} says that there is nothing, to people and programs`, async () => {
      await line.answer(() => listAnswer([]));
      expect(await line.run(words)).to.deep.equal({
        code: 0,
        output: `No ${command.listing?.things ?? ''}.\n`,
        errors: '',
      } satisfies Outcome);
      expect((await line.run([...words, '--json'])).output).to.equal('[]\n');
      expect((await line.run([...words, '--yaml'])).output).to.equal('[]\n');
    });

    it(`gantry ${command.words.join(' ')} hands its options to the manager`, async () => {
      const { seen } = await line.answer(() => listAnswer([]));
      const { isSortable, isSearchable, hasAllTenants } = command.listing ?? {};
      await line.run([
        ...words,
        ...['--size', '7', '--offset', '3'],
        ...(isSortable === true ? ['--sort', 'created_at', '--descending'] : []),
        ...(isSearchable === true ? ['--search', 'text'] : []),
        ...(hasAllTenants === true ? ['--all-tenants'] : []),
      ]);
      const { path, query } = seen.at(-1) ?? {};
      expect(path).to.equal(`/api/v3.1${(command.listing?.path ?? '').replace('*', 'x')}`);
      expect(query?.get('_size')).to.equal('7');
      expect(query?.get('_offset')).to.equal('3');
      expect(query?.get('_sort')).to.equal(isSortable === true ? '-created_at' : null);
      expect(query?.get('_search')).to.equal(isSearchable === true ? 'text' : null);
      expect(query?.get('_all_tenants')).to.equal(hasAllTenants === true ? 'true' : null);
    });
  }

  it('become searches with rules, fields among them', async () => {
    const { seen } = await line.answer(() => listAnswer([]));
    const rules = ['--label', 'env:test', '--label-rule', 'team is not null', '--attribute-rule', 'created_by=ann'];
    const { code, errors } = await line.run(['deployments', 'list', '-b', 'web', '--filter-id', 'mine', ...rules]);
    expect(code, errors).to.equal(0);
    expect(seen[0]).to.deep.include({ method: 'POST', path: '/api/v3.1/searches/deployments' });
    expect(seen[0]?.query.get('_filter_id')).to.equal('mine');
    expect(JSON.parse(String(seen[0]?.body))).to.deep.equal({
      filter_rules: [
        { type: 'label', key: 'env', operator: 'any_of', values: ['test'] },
        { type: 'label', key: 'team', operator: 'is_not_null', values: [] },
        { type: 'attribute', key: 'created_by', operator: 'any_of', values: ['ann'] },
        { type: 'attribute', key: 'blueprint_id', operator: 'any_of', values: ['web'] },
      ],
    });
  });

  it('say how to see the rest, and when there is none behind an offset', async () => {
    await line.answer(({ query }) => listAnswer(query.has('_offset') ? [] : [{ name: 'paris' }], 5));
    expect((await line.run(['sites', 'list'])).errors).to.contain('1 of 5 shown; see --size and --offset');
    expect((await line.run(['sites', 'list', '--offset', '9'])).output).to.contain('Only 5 in all');
  });

  it('want a field to sort by', async () => {
    await line.answer(() => listAnswer([]));
    const { code, errors } = await line.run(['sites', 'list', '--descending']);
    expect({ code, errors }).to.deep.equal({
      code: 2,
      errors: 'error: Say what to sort by: --sort FIELD --descending\n',
    });
  });

  it('are YAML that keeps every value, also for readers of YAML 1.1', async () => {
    const items = [
      'yes',
      'off',
      '2030-01-31',
      '12:30:00',
      '0x1f',
      '010',
      '1_000',
      '~',
      '',
      '<<',
      '- a',
      'a: b',
      'ü\nb ',
    ];
    const sites = items.map((name, index) => ({ name, location: null, index, nested: { [name]: [name] } }));
    await line.answer(() => listAnswer(sites));
    const { output } = await line.run(['sites', 'list', '--yaml']);
    expect(load(output)).to.deep.equal(sites);
    for (const word of ['yes', 'off', '2030-01-31', '12:30:00', '010', '1_000']) {
      expect(output).to.contain(`name: '${word}'`);
    }
  });
});
