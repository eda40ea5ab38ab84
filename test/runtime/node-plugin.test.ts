import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { JsonObject } from '../../src/domain/plan.ts';
import type { InstalledPlugin, OperationContext, OperationOutcome } from '../../src/runtime/types.ts';
import { FakeHost } from './support/fake-host.ts';
import { contextOf, errorOf, resultOf, startRuntime, textOf } from './support/operations.ts';
import type { TestRuntime } from './support/operations.ts';

const pluginSource = `
export const tasks = {
  async everything(ctx) {
    const runtime = await ctx.instance.runtimeProperties();
    runtime.set('a.b', (await ctx.node.properties()).port);
    runtime.delete('gone');
    ctx.logger.info('info of ' + ctx.taskName);
    ctx.sendEvent('event');
    console.log('printed');
    return {
      inputs: ctx.inputs,
      known: runtime.get('known'),
      id: ctx.instance.id,
      plugin: ctx.plugin.properties,
      secret: (await ctx.getSecret('password')).length,
      resource: Buffer.from(await ctx.getResource('file')).toString(),
      rendered: await ctx.getResourceAndRender('template', { x: 'y' }),
      environment: process.env.FROM_EXECUTION,
      isPrivate: process.env.GANTRY_TEST_PRIVATE === undefined,
    };
  },
  nothing() {},
  pid: () => process.pid,
  recoverable() {
    throw Object.assign(new Error('wait'), { name: 'RecoverableError', retryAfter: 5 });
  },
  subclass() {
    class NonRecoverableError extends Error {}
    class Special extends NonRecoverableError {}
    throw new Special('never');
  },
  anything() {
    throw new TypeError('oops');
  },
  retry(ctx) {
    ctx.operation.retry({ message: 'later', retryAfter: 3 });
  },
  async dirtyFailure(ctx) {
    (await ctx.instance.runtimeProperties()).set('left', 'behind');
    throw new Error('failed');
  },
  crash() {
    process.kill(process.pid, 'SIGSEGV');
    return new Promise(() => {});
  },
  exit() {
    process.exit(7);
  },
  loop(ctx) {
    ctx.logger.info('looping');
    setTimeout(() => { for (;;); }, 5);
    return new Promise(() => {});
  },
  cooperative(ctx) {
    return new Promise((resolve, reject) => {
      ctx.signal.addEventListener('abort', () => {
        ctx.logger.info('cleaned up');
        reject(new Error('aborted'));
      });
      ctx.logger.info('waiting');
    });
  },
  async secretly(ctx) {
    const secret = await ctx.getSecret('password');
    console.log('it is ' + secret);
    throw new Error('wrong: ' + secret);
  },
  unserialisable: () => 10n,
  floating() {
    Promise.reject(new Error('nobody cares'));
    return new Promise((resolve) => setTimeout(() => resolve('done'), 20));
  },
  async relationship(ctx) {
    const url = (await ctx.target.instance.runtimeProperties()).get('url');
    (await ctx.source.instance.runtimeProperties()).set('url', url);
    return ctx.operation.relationship;
  },
};
export const resumable = Object.assign(() => 'resumed', { resumable: true });
`;

describe('Node plugins', () => {
  let test: TestRuntime;
  let host: FakeHost;
  let plugin: InstalledPlugin | undefined;

  before(async () => {
    test = await startRuntime({ maxProcessesPerPlugin: 2, finder: { find: async () => plugin } });
    const directory = join(test.folder, 'plugin');
    await mkdir(directory);
    await writeFile(join(directory, 'plugin.mjs'), pluginSource);
    plugin = {
      id: 'p1',
      kind: 'node',
      name: 'my-plugin',
      version: '1.0.0',
      directory,
      entry: join(directory, 'plugin.mjs'),
    };
  });
  after(() => test.stop());
  beforeEach(() => {
    host = new FakeHost().addNode('web', { port: 8080 }, { known: 'value', gone: 1 }).addNode('db', {}, { url: 'u' });
    host.secrets.set('password', 'hunter2-and-more');
    host.resources.set('file', 'content');
    host.resources.set('template', '{{ ctx.node.properties.port }}{{ x }}');
  });

  function run(
    taskName: string,
    inputs: JsonObject = {},
    more: Partial<OperationContext> = {},
    signal?: AbortSignal,
  ): Promise<OperationOutcome> {
    const context = contextOf(taskName, {
      plugin: { name: 'my', package_name: 'my-plugin', properties: { region: { value: 'eu' } } },
      ...more,
    });
    return test.runtime.run({ context, inputs }, host, signal);
  }

  it('are given a context for everything they need', async () => {
    process.env['GANTRY_TEST_PRIVATE'] = 'private';
    const outcome = await run('tasks.everything', { size: 2 }, { execution_env: { FROM_EXECUTION: 'yes' } });
    delete process.env['GANTRY_TEST_PRIVATE'];
    expect(resultOf(outcome)).to.deep.equal({
      inputs: { size: 2 },
      known: 'value',
      id: 'web_1',
      plugin: { region: 'eu' },
      secret: 16,
      resource: 'content',
      rendered: '8080y',
      environment: 'yes',
      isPrivate: true,
    });
    expect(host.properties('web_1')).to.deep.equal({ known: 'value', a: { b: 8080 } });
    expect(host.text).to.equal('info of tasks.everything\n<out> printed');
    expect(host.events).to.deep.equal(['event']);
  });

  it('read nothing that they do not ask for', async () => {
    expect(resultOf(await run('tasks.nothing'))).to.equal(null);
    expect(host.calls).to.deep.equal([]);
  });

  it('run in a warm process of their own', async () => {
    const first = resultOf(await run('tasks.pid'));
    expect(resultOf(await run('tasks.pid'))).to.equal(first);
    expect(first).to.not.equal(process.pid);
  });

  it('know both ends of a relationship', async () => {
    const outcome = await run(
      'tasks.relationship',
      {},
      {
        related: { node_id: 'db_1', node_name: 'db', is_target: true },
        operation: { name: 'establish', relationship: 'source' },
      },
    );
    expect(resultOf(outcome)).to.equal('source');
    expect(host.properties('web_1')['url']).to.equal('u');
  });

  const failures: [string, string, string, unknown[], string][] = [
    ['tasks.recoverable', 'RecoverableError', 'wait [retry_after=5]', [5], 'RecoverableError'],
    ['tasks.subclass', 'NonRecoverableError', 'never', [], 'Special'],
    ['tasks.anything', 'RecoverableError', 'oops', [null], 'TypeError'],
    ['tasks.retry', 'OperationRetry', 'later', [3], 'OperationRetry'],
  ];
  for (const [task, kind, message, args, type] of failures) {
    it(`end ${task} as ${kind}`, async () => {
      const error = errorOf(await run(task));
      expect(error.known_exception_type).to.equal(kind);
      expect(error.message).to.equal(message);
      expect(error.known_exception_type_args).to.deep.equal(args);
      expect(error.known_exception_type_kwargs.causes[0]?.type).to.equal(type);
    });
  }

  it('show where an error came from, without frames of the program', async () => {
    const [cause] = errorOf(await run('tasks.anything')).known_exception_type_kwargs.causes;
    expect(cause?.traceback).to.include('plugin.mjs').and.not.to.include('src/runtime');
  });

  it('save runtime properties when they fail', async () => {
    errorOf(await run('tasks.dirtyFailure'));
    expect(host.properties('web_1')['left']).to.equal('behind');
  });

  const crashes: [string, string][] = [
    ['tasks.crash', 'signal SIGSEGV'],
    ['tasks.exit', 'exit code 7'],
  ];
  for (const [task, reason] of crashes) {
    it(`may crash (${reason}) without harm to the next operation`, async () => {
      const error = errorOf(await run(task));
      expect(error.known_exception_type).to.equal('RecoverableError');
      expect(error.message).to.include(`ended in the middle of the operation (${reason})`);
      expect(resultOf(await run('tasks.nothing'))).to.equal(null);
    });
  }

  it('are killed when their time is over, even in an endless loop, and tried again only if that may be', async () => {
    const error = errorOf(await run('tasks.loop', {}, { timeout: 0.5 }));
    expect(error.message).to.equal('Process killed due to timeout of 0.5 seconds');
    expect(error.known_exception_type).to.equal('NonRecoverableError');
    const again = errorOf(await run('tasks.loop', {}, { timeout: 0.5, timeout_recoverable: true }));
    expect(again.known_exception_type).to.equal('RecoverableError');
    expect(resultOf(await run('tasks.nothing'))).to.equal(null);
  }).timeout(20_000);

  it('are told of an abort and may clean up', async () => {
    const controller = new AbortController();
    host.onLog = (entry) => {
      if (entry.message === 'waiting') {
        controller.abort();
      }
    };
    const error = errorOf(await run('tasks.cooperative', {}, {}, controller.signal));
    expect(error.message).to.equal('Process terminated (rc=-9)');
    expect(host.text).to.include('cleaned up');
  });

  it('print no secrets', async () => {
    const error = errorOf(await run('tasks.secretly'));
    expect(error.message).to.equal('wrong: ***');
    expect(host.text).to.equal('<out> it is ***');
    expect(JSON.stringify(error)).to.not.include('hunter2');
  });

  it('may leave a promise behind, which is logged', async () => {
    expect(resultOf(await run('tasks.floating'))).to.equal('done');
    expect(host.text).to.include('nobody cares');
  });

  const refusals: [string, string][] = [
    ['tasks.unserialisable', 'The result is not JSON'],
    ['tasks.missing', "Plugin 'my-plugin' has no function 'tasks.missing'"],
    ['constructor', "has no function 'constructor'"],
  ];
  for (const [task, message] of refusals) {
    it(`refuse ${task} for good`, async () => {
      const error = errorOf(await run(task));
      expect(error.message).to.include(message);
      expect(error.known_exception_type).to.equal('NonRecoverableError');
    });
  }

  it('go on after a restart only when they say that they can, and fail for good otherwise', async () => {
    expect(resultOf(await run('resumable', {}, { resume: true }))).to.equal('resumed');
    const error = errorOf(await run('tasks.nothing', {}, { resume: true }));
    expect(error.message).to.include('ended in the middle of it');
  });

  it('share a limited number of processes', async () => {
    const pids = await Promise.all(Array.from({ length: 20 }, async () => resultOf(await run('tasks.pid'))));
    expect(new Set(pids).size).to.be.at.most(2);
  });

  it('explain a module that cannot be loaded', async () => {
    const good = plugin as InstalledPlugin;
    const entry = join(good.directory, 'broken.mjs');
    await writeFile(entry, 'import "no-such-package";');
    plugin = { ...good, id: 'p2', entry };
    const error = errorOf(await run('tasks.nothing'));
    plugin = good;
    expect(error.message).to.include("Plugin 'my-plugin' cannot be loaded").and.to.include('no-such-package');
    expect(error.known_exception_type).to.equal('NonRecoverableError');
  });

  it('must be installed', async () => {
    const good = plugin;
    plugin = undefined;
    const error = errorOf(await run('tasks.nothing'));
    plugin = good;
    expect(error.message).to.match(/^Plugin was not installed: 'my' \(package my-plugin\)/);
    expect(error.known_exception_type).to.equal('NonRecoverableError');
  });

  it('are not Python', async () => {
    const good = plugin as InstalledPlugin;
    plugin = { ...good, kind: 'python', entry: undefined };
    const error = errorOf(await run('tasks.nothing'));
    plugin = good;
    expect(error.message).to.include('is written in Python').and.to.include('Python 3');
    expect(error.known_exception_type).to.equal('NonRecoverableError');
  });

  it('end with the runtime', async () => {
    const own = await startRuntime({ finder: { find: async () => plugin } });
    const context = contextOf('tasks.pid', { plugin: { name: 'my' } });
    const pid = resultOf(await own.runtime.run({ context, inputs: {} }, host));
    await own.stop();
    const status = await readFile(`/proc/${String(pid as number)}/stat`, 'utf8').catch(() => ') Z');
    expect(status).to.match(/\) [ZX]/);
  });

  it('render templates without reaching the program', async () => {
    const attack = "{{ ''.constructor.constructor('return process.pid')() }}{{ ctx.node.__proto__ }}";
    host.resources.set('attack', attack);
    host.resources.set('script.sh', '#!/bin/bash\nctx returns "[$(ctx get-resource-and-render attack 2>&1)]"\n');
    const context = contextOf('script_runner.tasks.run');
    const outcome = await test.runtime.run({ context, inputs: { script_path: 'script.sh' } }, host);
    expect(textOf(outcome)).to.include('Unable to call');
  });

  it('stop rendering a template that never ends', async () => {
    host.resources.set('endless', '{% for i in range(1000000) %}{% for j in range(1000000) %}{% endfor %}{% endfor %}');
    host.resources.set('script.sh', '#!/bin/bash\nctx get-resource-and-render endless\n');
    const context = contextOf('script_runner.tasks.run', { timeout: 0.5 });
    const outcome = await test.runtime.run({ context, inputs: { script_path: 'script.sh' } }, host);
    expect(errorOf(outcome).message).to.include('timeout of 0.5 seconds');
  });
});
