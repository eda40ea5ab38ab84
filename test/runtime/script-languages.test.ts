import { expect } from 'chai';
import type { JsonObject } from '../../src/domain/plan.ts';
import type { OperationContext, OperationOutcome } from '../../src/runtime/types.ts';
import { FakeHost } from './support/fake-host.ts';
import { errorOf, resultOf, scriptRequest, startRuntime } from './support/operations.ts';
import type { TestRuntime } from './support/operations.ts';

describe('Scripts in other languages', () => {
  let test: TestRuntime;
  let host: FakeHost;

  before(async () => {
    test = await startRuntime();
  });
  after(() => test.stop());
  beforeEach(() => {
    host = new FakeHost()
      .addNode('web', { port: 8080 }, { known: 'value', nested: { a: 1 }, gone: 1 })
      .addNode('db', { port: 5432 }, { url: 'postgres://db' });
  });

  function run(
    path: string,
    body: string,
    inputs: JsonObject = {},
    more: Partial<OperationContext> = {},
  ): Promise<OperationOutcome> {
    host.resources.set(path, body);
    return test.runtime.run(scriptRequest({ script_path: path, ...inputs }, more), host);
  }

  describe('Python', () => {
    function python(body: string, inputs: JsonObject = {}, more: Partial<OperationContext> = {}) {
      return run('scripts/run.py', `from cloudify import ctx\n${body}\n`, inputs, more);
    }

    it('reads and writes through ctx', async () => {
      const outcome = await python(
        `
from cloudify.state import ctx_parameters as inputs
assert __name__ == '__main__'
ctx.logger.info('port %s', ctx.node.properties['port'])
properties = ctx.instance.runtime_properties
properties['plain'] = {'a': [1, None, 'é']}
properties['nested']['a'] = 2
properties['dotted.key'] = True
del properties['gone']
ctx.returns({'name': inputs.name, 'again': inputs['name'], 'known': properties.get('known'), 'id': ctx.instance.id,
             'deployment': ctx.deployment.id, 'execution': ctx.execution_id, 'operation': ctx.operation.name})`,
        { name: 'given' },
      );
      expect(resultOf(outcome)).to.deep.equal({
        name: 'given',
        again: 'given',
        known: 'value',
        id: 'web_1',
        deployment: 'deployment-1',
        execution: 'execution-1',
        operation: 'cloudify.interfaces.lifecycle.start',
      });
      expect(host.properties('web_1')).to.deep.equal({
        known: 'value',
        nested: { a: 2 },
        plain: { a: [1, null, 'é'] },
        'dotted.key': true,
      });
      expect(host.text).to.include('port 8080');
    });

    it('knows both ends of a relationship', async () => {
      const outcome = await python(
        `ctx.source.instance.runtime_properties['url'] = ctx.target.instance.runtime_properties['url']
ctx.returns(ctx.target.node.properties['port'])`,
        {},
        { related: { node_id: 'db_1', node_name: 'db', is_target: true } },
      );
      expect(resultOf(outcome)).to.equal(5432);
      expect(host.properties('web_1')['url']).to.equal('postgres://db');
    });

    it('prints to the log', async () => {
      resultOf(await python(`import sys\nprint('to out')\nprint('to err', file=sys.stderr)`));
      expect(host.text).to.include('<out> to out').and.to.include('<err> to err');
    });

    const failures: [string, string, string, string, unknown[]][] = [
      ['any exception', `raise ValueError('broken')`, 'RecoverableError', 'broken', [null]],
      [
        'a NonRecoverableError',
        `from cloudify.exceptions import NonRecoverableError\nraise NonRecoverableError('never')`,
        'NonRecoverableError',
        'never',
        [],
      ],
      [
        'a RecoverableError with a delay',
        `from cloudify.exceptions import RecoverableError\nraise RecoverableError('wait', retry_after=7)`,
        'RecoverableError',
        'wait [retry_after=7]',
        [7],
      ],
      [
        'an OperationRetry',
        `from cloudify.exceptions import OperationRetry\nraise OperationRetry('again', retry_after=2)`,
        'OperationRetry',
        'again',
        [2],
      ],
      ['abort_operation', `ctx.abort_operation('stop')`, 'NonRecoverableError', 'stop', []],
      ['retry_operation', `ctx.retry_operation('again', retry_after=4)`, 'OperationRetry', 'again', [4]],
      ['operation.retry', `ctx.operation.retry(message='later', retry_after=1)`, 'OperationRetry', 'later', [1]],
      [
        'two verdicts',
        `ctx.returns(1)\nctx.returns(2)`,
        'NonRecoverableError',
        'ctx may only abort or return once',
        [],
      ],
    ];
    for (const [what, body, kind, message, args] of failures) {
      it(`fails according to ${what}`, async () => {
        const error = errorOf(await python(body));
        expect(error.known_exception_type).to.equal(kind);
        expect(error.message).to.equal(message);
        expect(error.known_exception_type_args).to.deep.equal(args);
      });
    }

    it('describes an exception with its class and the lines of the script only', async () => {
      const error = errorOf(await python(`def inner():\n    raise KeyError('x')\ninner()`));
      const [cause] = error.known_exception_type_kwargs.causes;
      expect(cause?.type).to.equal('KeyError');
      expect(cause?.traceback).to.include('in inner').and.not.to.include('run_script.py');
    });

    it('fails by its exit code, and not by exit code 0', async () => {
      expect(errorOf(await python(`import sys\nsys.exit('bad')`)).message)
        .to.include('exit_code: 1')
        .and.to.include('bad');
      resultOf(await python(`import sys\nsys.exit(0)`));
    });

    it('saves runtime properties when it fails', async () => {
      errorOf(await python(`ctx.instance.runtime_properties['left'] = 'behind'\nraise Exception('x')`));
      expect(host.properties('web_1')['left']).to.equal('behind');
    });

    it('is recognised in inline text', async () => {
      const source = `
        from cloudify import ctx
        ctx.returns('inline')`;
      expect(resultOf(await test.runtime.run(scriptRequest({ script_source: source }), host))).to.equal('inline');
    });

    it('runs as a plain program when it is not to be evaluated', async () => {
      const body = '#!/usr/bin/env python3\nfrom cloudify import ctx\nctx.returns(ctx.node.properties["port"])\n';
      const outcome = await run('plain.py', body, { process: { eval_python: false } });
      expect(resultOf(outcome)).to.equal(8080);
    });

    it('is evaluated under any name when configured to', async () => {
      const body = 'from cloudify import ctx\nctx.returns("evaluated")\n';
      const outcome = await run('plain.txt', body, { process: { eval_python: true } });
      expect(resultOf(outcome)).to.equal('evaluated');
    });

    it('downloads and renders resources', async () => {
      host.resources.set('t.j2', '{{ ctx.node.properties.port }}-{{ x }}');
      const outcome = await python(
        `path = ctx.download_resource_and_render('t.j2', template_variables={'x': 'y'})
ctx.returns([open(path).read(), ctx.get_resource('t.j2').decode()])`,
      );
      expect(resultOf(outcome)).to.deep.equal(['8080-y', '{{ ctx.node.properties.port }}-{{ x }}']);
    });
  });

  describe('Node', () => {
    function node(body: string, inputs: JsonObject = {}, more: Partial<OperationContext> = {}) {
      const script = `const ctx = require('ctx');\n(async () => {\n${body}\n})();\n`;
      return run('scripts/run.js', script, inputs, more);
    }

    it('reads and writes through ctx', async () => {
      const outcome = await node(
        `
        const { name } = await ctx.inputs();
        await ctx.instance.runtimeProperties.set('a.b', { c: [1] });
        await ctx.instance.runtimeProperties.delete('gone');
        await ctx.logger.info('port ' + (await ctx.node.properties('port')));
        await ctx.returns({ name, known: await ctx('instance', 'runtime-properties', 'known') });`,
        { name: 'given' },
      );
      expect(resultOf(outcome)).to.deep.equal({ name: 'given', known: 'value' });
      expect(host.properties('web_1')).to.deep.equal({ known: 'value', nested: { a: 1 }, a: { b: { c: [1] } } });
      expect(host.text).to.include('port 8080');
    });

    it('knows both ends of a relationship', async () => {
      const outcome = await node(
        `await ctx.returns([await ctx.source.node.id(), await ctx.target.node.properties('port')]);`,
        {},
        { related: { node_id: 'db_1', node_name: 'db', is_target: true } },
      );
      expect(resultOf(outcome)).to.deep.equal(['web', 5432]);
    });

    it('rejects with the error of the other side', async () => {
      const outcome = await node(
        `await ctx.node.properties('nope').catch((error) => ctx.returns(error.type + ': ' + error.message));`,
      );
      expect(resultOf(outcome)).to.equal('RuntimeError: illegal path: nope');
    });

    it('ends with abort and retry', async () => {
      expect(errorOf(await node(`await ctx.abortOperation('stop'); console.log('on');`)).message).to.equal('stop');
      expect(host.text).to.not.include('<out> on');
      const error = errorOf(await node(`await ctx.retryOperation('again', 5);`));
      expect(error.known_exception_type_args).to.deep.equal([5]);
    });

    it('works in ES modules, with arguments', async () => {
      const body = `import { createRequire } from 'node:module';
const ctx = createRequire(import.meta.url)('ctx');
await ctx.returns(process.argv.slice(2));
`;
      expect(resultOf(await run('script.mjs', body, { process: { args: ['one', 2] } }))).to.deep.equal(['one', '2']);
    });
  });

  it('runs any program', async () => {
    const body = `#!/usr/bin/env perl\nmy $port = qx(ctx node properties port);\nsystem('ctx', 'returns', "perl $port");\n`;
    expect(resultOf(await run('script.pl', body))).to.equal('perl 8080');
  });
});
