import { tmpdir } from 'node:os';
import { expect } from 'chai';
import type { JsonObject } from '../../../src/domain/plan.ts';
import { builtinPlugins } from '../../../src/runtime/node/builtins.ts';
import { makeRuntime } from '../../../src/runtime/runtime.ts';
import type { PluginContext } from '../../../src/runtime/sdk.ts';
import type { OperationContext, OperationOutcome, Runtime } from '../../../src/runtime/types.ts';
import { FakeHost } from '../../runtime/support/fake-host.ts';
import { contextOf, errorOf, resultOf } from '../../runtime/support/operations.ts';

describe('Built-in plugins', () => {
  let runtime: Runtime;
  let host: FakeHost;
  let seen: PluginContext | undefined;

  before(() => {
    const extra = new Map([
      [
        'extra',
        new Map([
          ['look', (ctx: PluginContext): void => void (seen = ctx)],
          ['hang', (): Promise<null> => new Promise(() => undefined)],
          [
            'set',
            async (ctx: PluginContext): Promise<void> => {
              (await ctx.instance.runtimeProperties()).set('mine', 1);
              host.change('web_1', ctx.inputs['meanwhile'] as JsonObject);
            },
          ],
        ]),
      ],
    ]);
    runtime = makeRuntime({ defaultTimeoutSeconds: 60, temporaryDirectory: tmpdir(), builtins: builtinPlugins(extra) });
  });
  after(() => runtime.stop());
  beforeEach(() => {
    host = new FakeHost().addNode('web', {}, { old: 1 });
  });

  function run(
    taskName: string,
    inputs: JsonObject = {},
    more: Partial<OperationContext> = {},
    signal?: AbortSignal,
  ): Promise<OperationOutcome> {
    return runtime.run({ context: contextOf(taskName, more), inputs }, host, signal);
  }
  const extra = { plugin: { name: 'extra' } };

  it('do nothing without touching the manager', async () => {
    expect(resultOf(await run('noop'))).to.equal(null);
    expect(host.calls).to.deep.equal([]);
    expect(host.logs).to.deep.equal([]);
  });

  it('answer with their inputs, evaluated first where they hold functions, but never with secrets', async () => {
    host.secrets.set('key', 'the secret');
    const inputs = { a: { get_secret: 'key' } };
    expect(resultOf(await run('echo', inputs))).to.deep.equal(inputs);
    expect(resultOf(await run('echo', inputs, { has_intrinsic_functions: true }))).to.deep.equal({ a: '***' });
    const nested = { a: [{ get_secret: 'key' }, 'say the secret'], 'the secret': 1 };
    expect(resultOf(await run('echo', nested, { has_intrinsic_functions: true }))).to.deep.equal({
      a: ['***', 'say ***'],
      '***': 1,
    });
  });

  it('write to the log without secrets', async () => {
    resultOf(await run('log', { message: 'with token-of-the-execution' }));
    expect(host.logs).to.deep.equal([{ level: 'info', message: 'with ***' }]);
  });

  it('set runtime properties', async () => {
    resultOf(await run('set_runtime_properties', { properties: { a: 1, 'b.c': 2 } }));
    expect(host.properties('web_1')).to.deep.equal({ old: 1, a: 1, b: { c: 2 } });
  });

  it('fail as configured', async () => {
    expect(errorOf(await run('fail', { message: 'x' })).known_exception_type).to.equal('NonRecoverableError');
    expect(errorOf(await run('fail', { recoverable: true })).known_exception_type).to.equal('RecoverableError');
    const operation = { name: 'start', retry_number: 2 };
    expect(
      errorOf(await run('fail', { attempts: 3, retry_after: 1 }, { operation })).known_exception_type_args,
    ).to.deep.equal([1]);
    expect(resultOf(await run('fail', { attempts: 2 }, { operation }))).to.equal(null);
  });

  it('retry as often as configured', async () => {
    expect(errorOf(await run('retry', { retry_after: 2 })).known_exception_type).to.equal('OperationRetry');
    expect(resultOf(await run('retry', {}, { operation: { name: 'start', retry_number: 1 } }))).to.equal(null);
  });

  it('stop waiting when they are aborted or late', async () => {
    const controller = new AbortController();
    const running = run('sleep', { seconds: 100 }, {}, controller.signal);
    controller.abort();
    expect(errorOf(await running).message).to.equal('Process terminated (rc=-9)');
    const late = errorOf(await run('hang', {}, { ...extra, timeout: 0.01 }));
    expect(late.message).to.equal('Process killed due to timeout of 0.01 seconds');
  });

  it('may be joined by further ones', async () => {
    resultOf(
      await run('look', { size: 1 }, { ...extra, operation: { name: 'start', retry_number: 3, max_retries: 5 } }),
    );
    expect(seen?.inputs).to.deep.equal({ size: 1 });
    expect(seen?.operation).to.include({ name: 'start', retryNumber: 3, maxRetries: 5 });
    expect([seen?.taskName, seen?.tenantName, seen?.deploymentId]).to.deep.equal([
      'look',
      'default_tenant',
      'deployment-1',
    ]);
    expect(() => seen?.source).to.throw('can only be used in a relationship-instance context');
  });

  it('keep concurrent changes, and conflict over the same property', async () => {
    resultOf(await run('set', { meanwhile: { old: 2, theirs: 3 } }, extra));
    expect(host.properties('web_1')).to.deep.equal({ old: 2, theirs: 3, mine: 1 });
    const error = errorOf(await run('set', { meanwhile: { mine: 'theirs' } }, extra));
    expect(error.message).to.include("Runtime properties 'mine' of node instance 'web_1' were changed by another");
    expect(error.known_exception_type).to.equal('RecoverableError');
  });

  it('list their functions when one is missing', async () => {
    const error = errorOf(await run('nope'));
    expect(error.message).to.include("Plugin 'gantry' has no function 'nope'; it has noop, echo");
    expect(error.known_exception_type).to.equal('NonRecoverableError');
  });

  it('need a node where they use one', async () => {
    const error = errorOf(await run('set_runtime_properties', { properties: {} }, { node_id: null }));
    expect(error.message).to.include('but used in a deployment context');
  });
});
