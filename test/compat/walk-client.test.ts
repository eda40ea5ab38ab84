import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { clientEnvironment } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';
import { runProgram } from '../kit/program.ts';
import { clientMethods, differences, unwalked } from './client_walk/methods.ts';

/** What the walk tells: the methods there are, and by method what was wrong with the calls that were made. */
interface Walk {
  readonly methods: readonly string[];
  readonly problems: Readonly<Record<string, readonly string[]>>;
  /** Sections that ended before their last step. */
  readonly interruptions: readonly string[];
}

describe('every method of the unmodified Python REST client', function () {
  this.timeout(600_000);
  let manager: TestManager;
  let walk: Walk;

  before(async () => {
    manager = await startEmbeddedManager();
    const python = join(await clientEnvironment(), 'python');
    const { hostname, port } = new URL(manager.url);
    const { stdout, stderr } = await runProgram(python, [
      join(packageRoot(), 'test', 'compat', 'walk_client.py'),
      ...[hostname, port, 'admin', manager.password, join(packageRoot(), 'test', 'fixtures')],
    ]);
    expect(stderr).to.equal('');
    walk = JSON.parse(stdout) as Walk;
  });

  after(async () => {
    await manager?.stop();
  });

  it('is in the list of methods', () => {
    expect(walk.methods).to.deep.equal(clientMethods);
  });

  it('is called, or it is said why not', () => {
    const missing = clientMethods.filter((method) => !(method in walk.problems) && !Object.hasOwn(unwalked, method));
    expect(missing, walk.interruptions.join('\n')).to.deep.equal([]);
  });

  it('is named rightly where something is said about it', () => {
    const named = [...Object.keys(unwalked), ...Object.keys(differences)];
    expect(named.filter((method) => !clientMethods.includes(method))).to.deep.equal([]);
    expect(Object.keys(unwalked).filter((method) => method in walk.problems)).to.deep.equal([]);
  });

  it('is followed by all others of its section', () => {
    expect(walk.interruptions.join('\n')).to.equal('');
  });

  for (const method of clientMethods.filter((name) => !Object.hasOwn(unwalked, name))) {
    it(`answers ${method} as it did on Cloudify`, () => {
      expect(walk.problems[method]).to.deep.equal([]);
    });
  }
});
