import { readFile, readdir, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import type { JsonObject } from '../../src/domain/plan.ts';
import type { OperationContext, OperationOutcome } from '../../src/runtime/types.ts';
import { FakeHost } from './support/fake-host.ts';
import { errorOf, resultOf, scriptRequest, startRuntime } from './support/operations.ts';
import type { TestRuntime } from './support/operations.ts';

describe('Scripts', () => {
  let test: TestRuntime;
  let host: FakeHost;

  before(async () => {
    test = await startRuntime({ allowedScriptHosts: ['127.0.0.1'] });
  });
  after(() => test.stop());
  beforeEach(() => {
    host = new FakeHost().addNode('web', { port: 8080 });
  });

  function run(body: string, inputs: JsonObject = {}, more: Partial<OperationContext> = {}): Promise<OperationOutcome> {
    host.resources.set('scripts/run.sh', body.startsWith('#!') ? body : `#!/bin/bash\n${body}\n`);
    return test.runtime.run(scriptRequest({ script_path: 'scripts/run.sh', ...inputs }, more), host);
  }

  /** The first line a script prints. */
  async function output(body: string, inputs: JsonObject = {}): Promise<string> {
    resultOf(await run(body, inputs));
    return outputLines().join('\n');
  }

  function outputLines(): string[] {
    return host.logs.map((entry) => entry.message).flatMap((message) => /^<out> (.*)$/s.exec(message)?.[1] ?? []);
  }

  describe('environment', () => {
    const conversions: [string, JsonObject[string], string][] = [
      ['text', 'plain', 'plain'],
      ['a number', 12, '12'],
      ['a fraction', 1.5, '1.5'],
      ['true', true, 'true'],
      ['null', null, 'None'],
      ['a mapping', { k: [1, 'é'] }, '{"k": [1, "\\u00e9"]}'],
      ['a list', [], '[]'],
      ['text of several lines', 'a\nb', 'a\nb'],
    ];
    for (const [what, value, expected] of conversions) {
      it(`passes ${what} as an input`, async () => {
        expect(await output('printf "%s\\n" "$given"', { given: value })).to.equal(expected);
      });
    }

    it('lets process.env win over inputs and passes the environment of the execution', async () => {
      resultOf(
        await run(
          'echo "$a $b"',
          { a: 'input', process: { env: { a: 'env' } } },
          { execution_env: { b: 'execution' } },
        ),
      );
      expect(outputLines()).to.deep.equal(['env execution']);
    });

    it('keeps the environment of the program to itself', async () => {
      process.env['GANTRY_TEST_PRIVATE'] = 'private';
      try {
        expect(await output('echo "${GANTRY_TEST_PRIVATE-unset} ${DATABASE_URL-unset}"')).to.equal('unset unset');
      } finally {
        delete process.env['GANTRY_TEST_PRIVATE'];
      }
    });

    it('names the Node that runs it', async () => {
      expect(await output('"$GANTRY_NODE" --version')).to.equal(process.version);
    });

    it('does not pass its own inputs on', async () => {
      expect(await output('echo "${script_path-unset} ${process-unset}"')).to.equal('unset unset');
    });

    const refusals: [string, JsonObject, string][] = [
      ['a name with an equals sign', { 'a=b': '1' }, "The input 'a=b' cannot be an environment variable"],
      ['a zero byte', { zero: 'a\0b' }, "The input 'zero' holds a zero byte"],
      ['a value the system cannot take', { huge: 'x'.repeat(200_000) }, 'its largest variable is huge'],
      ['a process that is no mapping', { process: 'x' }, "The input 'process' must be a mapping"],
      ['arguments that are no list', { process: { args: 'x' } }, "'process.args' must be a list"],
      ['an unknown proxy', { process: { ctx_proxy_type: 'unix' } }, 'Unsupported proxy type: unix'],
      [
        'a missing working directory',
        { process: { cwd: '/no/such' } },
        'The working directory /no/such does not exist',
      ],
      ['two scripts', { script_source: 'ls' }, 'Only provide script_path or script_source, not both'],
    ];
    for (const [what, inputs, expected] of refusals) {
      it(`refuses ${what} for good`, async () => {
        const error = errorOf(await run('true', inputs));
        expect(error.message).to.include(expected);
        expect(error.known_exception_type).to.equal('NonRecoverableError');
      });
    }
  });

  describe('start', () => {
    it('runs a script without a first line by the shell', async () => {
      host.resources.set('plain', 'echo "from $0" | sed "s|/.*/||"\n');
      resultOf(await test.runtime.run(scriptRequest({ script_path: 'plain' }), host));
      expect(outputLines()).to.deep.equal(['from plain']);
    });

    it('gives arguments and a prefix to the shell', async () => {
      host.resources.set('body', 'echo "$0 $1 $2" | sed "s|/.*/||"\n');
      const process = { command_prefix: 'FLAG=1 bash', args: ['one', '$((1+1))'] };
      resultOf(await test.runtime.run(scriptRequest({ script_path: 'body', process }), host));
      expect(outputLines()).to.deep.equal(['body one 2']);
    });

    it('runs in the given directory', async () => {
      expect(await output('pwd', { process: { cwd: test.folder } })).to.equal(test.folder);
    });

    it('runs text as a shell script, with its common indent removed', async () => {
      const source = `
        cat <<END
        first
          second
        END`;
      resultOf(await test.runtime.run(scriptRequest({ script_source: source }), host));
      expect(outputLines()).to.deep.equal(['first', '  second']);
    });

    it('fetches a script by URL from an allowed host', async () => {
      const server = createServer((request, response) => {
        response.writeHead(request.url === '/dir/a.sh' ? 200 : 404).end('#!/bin/sh\necho fetched\n');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      try {
        resultOf(await test.runtime.run(scriptRequest({ script_path: `${base}/dir/a.sh` }), host));
        expect(outputLines()).to.deep.equal(['fetched']);
        const error = errorOf(await test.runtime.run(scriptRequest({ script_path: `${base}/other` }), host));
        expect(error.message).to.include('status code: 404');
      } finally {
        server.close();
      }
    });

    it('fetches nothing from other hosts', async () => {
      const request = scriptRequest({ script_path: 'http://169.254.169.254/latest' });
      expect(errorOf(await test.runtime.run(request, host)).message).to.include('not allowed');
    });

    const missing: [string, JsonObject, string][] = [
      ['no script', {}, 'Either script_path or script_source must be provided'],
      ['a resource that does not exist', { script_path: 'nope.sh' }, 'Resource not found: nope.sh'],
      ['a scheme nobody knows', { script_path: 'ftp://x/y' }, 'cannot be fetched'],
    ];
    for (const [what, inputs, expected] of missing) {
      it(`fails for good with ${what}`, async () => {
        const error = errorOf(await test.runtime.run(scriptRequest(inputs), host));
        expect(error.message).to.include(expected);
        expect(error.known_exception_type).to.equal('NonRecoverableError');
      });
    }

    it('explains a script whose interpreter does not exist', async () => {
      const error = errorOf(await run('#!/no/such/interpreter\n'));
      expect(error.message).to.include('its interpreter (first line) or the program itself does not exist');
    });

    it('counts one failed attempt, to be made again at once, when it is to go on after a restart', async () => {
      const error = errorOf(await run('echo never', {}, { resume: true }));
      expect(error.known_exception_type).to.equal('RecoverableError');
      expect(error.known_exception_type_args).to.deep.equal([0]);
      expect(host.text).to.equal('');
    });
  });

  describe('end', () => {
    it('describes a failure with exit code and output, to be tried again', async () => {
      const error = errorOf(await run('echo to out; echo to err >&2; exit 3'));
      expect(error.known_exception_type).to.equal('RecoverableError');
      expect(error.message).to.match(/^command: .*run\.sh, exit_code: 3, stdout: to out\n, stderr: to err\n$/);
      expect(error.known_exception_type_kwargs.causes[0]?.type).to.equal('ProcessException');
    });

    it('fails after `ctx returns` when the exit code says so', async () => {
      expect(errorOf(await run('ctx returns fine; exit 1')).message).to.include('exit_code: 1');
    });

    it('saves runtime properties of a script that fails', async () => {
      errorOf(await run('ctx instance runtime-properties left behind; exit 1'));
      expect(host.properties('web_1')).to.deep.equal({ left: 'behind' });
    });

    it('reports a script that kills itself', async () => {
      expect(errorOf(await run('kill -9 $$')).message).to.include('exit_code: -9');
    });

    it('removes its files', async () => {
      resultOf(await run('ctx download-resource scripts/run.sh >/dev/null; touch "$TMPDIR/more"; pwd'));
      const left = await readdir(join(test.folder), { recursive: true });
      expect(left.filter((name) => /run\.sh|more|operation-/.test(name))).to.deep.equal([]);
    });

    it('leaves background processes alone and does not wait for their output', async () => {
      const [go, alive] = [join(test.folder, 'go'), join(test.folder, 'alive')];
      resultOf(
        await run(`
          mkfifo "${go}" "${alive}"
          (trap "" PIPE; read -r _ <"${go}"; echo "$BASHPID" >"${alive}"; exec sleep 60) &
          echo done`),
      );
      expect(outputLines()).to.deep.equal(['done']);
      await writeFile(go, 'go\n');
      process.kill(Number(await readFile(alive, 'utf8')), 'SIGKILL');
    });
  });

  describe('output', () => {
    it('goes to the log line by line, in order, with its stream', async () => {
      resultOf(await run('echo one; echo; printf "two\\r\\nthree"; echo four >&2'));
      expect(outputLines()).to.deep.equal(['one', '', 'two', 'three']);
      expect(host.text).to.include('<err> four');
    });

    it('arrives while the script runs', async () => {
      const fifo = join(test.folder, 'fifo');
      host.onLog = (entry) => {
        if (entry.message === '<out> waiting') {
          void writeFile(fifo, 'go\n');
        }
      };
      resultOf(await run(`mkfifo "${fifo}"; echo waiting; read -r word <"${fifo}"; echo "$word"`));
      expect(outputLines()).to.deep.equal(['waiting', 'go']);
    });

    it('can be joined, or kept out of the log', async () => {
      resultOf(await run('echo a; echo b >&2', { process: { stderr_to_stdout: true } }));
      expect(outputLines()).to.have.members(['a', 'b']);
      host.logs.length = 0;
      resultOf(await run('echo a; echo b >&2', { process: { log_stdout: false, log_stderr: 'false' } }));
      expect(host.text).to.not.match(/<out>|<err>/);
    });

    it('is kept as text when it is unicode, and made text when it is not', async () => {
      expect(await output(`printf 'grüße 🚀\\n\\xff\\xfe\\x00end\\n'`)).to.equal('grüße 🚀\n\ufffd\ufffd<NUL>end');
    });

    it('is complete when it is large', async () => {
      resultOf(await run('for ((i = 0; i < 20000; i++)); do echo "line $i of many that are written"; done'));
      const lines = outputLines();
      expect(lines).to.have.length(20_000);
      expect(lines.at(-1)).to.equal('line 19999 of many that are written');
    });

    it('is cut when a line is long, and dropped when it never ends', async () => {
      resultOf(await run('head -c 100000 /dev/zero | tr "\\0" x; echo; head -c 50000000 /dev/zero | tr "\\0" y'));
      const lines = outputLines();
      expect(lines.filter((line) => line.startsWith('x')).join('')).to.equal('x'.repeat(100_000));
      expect(Math.max(...lines.map((line) => line.length))).to.be.at.most(32 * 1024);
      expect(host.logs.filter((entry) => entry.message.includes('the rest is not logged'))).to.have.length(1);
    });

    it('holds a script back when the log cannot keep up', async () => {
      let pending = 0;
      let most = 0;
      host.pause = () => {
        pending += 1;
        most = Math.max(most, pending);
        return new Promise((resolve) =>
          setImmediate(() => {
            pending -= 1;
            resolve();
          }),
        );
      };
      resultOf(await run('for ((i = 0; i < 500; i++)); do echo $i; done'));
      expect(outputLines()).to.have.length(500);
      expect(most).to.be.at.most(4);
    });

    it('holds no secrets, not in logs and not in errors', async () => {
      host.secrets.set('key', '-----BEGIN KEY-----\nMIIabcdefgh12345\n-----END KEY-----');
      host.secrets.set('word', 'correct horse');
      const outcome = await run(
        'echo "$key"; echo "pass=$word"; echo "$word" >&2; echo "$CTX_SOCKET_URL" >/dev/null; ctx execution-token; exit 1',
        { key: { get_secret: 'key' }, word: { get_secret: 'word' } },
        { has_intrinsic_functions: true },
      );
      const everything = `${host.text}\n${JSON.stringify(errorOf(outcome))}`;
      expect(everything).to.include('pass=***');
      for (const secret of ['MIIabcdefgh12345', 'correct horse', 'token-of-the-execution']) {
        expect(everything).to.not.include(secret);
      }
    });
  });

  describe('limits', () => {
    /** Whether a process exists and is no zombie. */
    async function isRunning(pid: number): Promise<boolean> {
      const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
      return !/\) [ZX]/.test(status);
    }

    /** A script that starts children and grandchildren which ignore polite signals, and tells their ids. */
    const stubborn = `
      trap "" TERM
      (trap "" TERM; sleep 300 & echo "pid $!"; wait) &
      echo "pid $!"
      echo "pid $$"
      wait`;

    function collectPids(count: number): Promise<number[]> {
      const pids: number[] = [];
      return new Promise((resolve) => {
        host.onLog = (entry) => {
          const pid = /^<out> pid (\d+)$/.exec(entry.message)?.[1];
          if (pid !== undefined && pids.push(Number(pid)) === count) {
            resolve(pids);
          }
        };
      });
    }

    it('kills the whole process group when it is aborted', async () => {
      const controller = new AbortController();
      const pids = collectPids(3);
      host.resources.set('stubborn.sh', `#!/bin/bash\n${stubborn}\n`);
      const running = test.runtime.run(scriptRequest({ script_path: 'stubborn.sh' }), host, controller.signal);
      const started = await pids;
      controller.abort();
      const error = errorOf(await running);
      expect(error.message).to.equal('Process terminated (rc=-9)');
      for (const pid of started) {
        expect(await isRunning(pid), `process ${pid}`).to.equal(false);
      }
    });

    it('kills a script whose time is over, which is not tried again', async () => {
      const error = errorOf(await run('sleep 300', {}, { timeout: 0.2 }));
      expect(error.message).to.equal('Process killed due to timeout of 0.2 seconds');
      expect(error.known_exception_type).to.equal('NonRecoverableError');
    });

    it('kills a script whose time is over, which is tried again where timeout_recoverable says so', async () => {
      const error = errorOf(await run('sleep 300', {}, { timeout: 0.2, timeout_recoverable: true }));
      expect(error.message).to.contain('Process killed due to timeout of 0.2 seconds');
      expect(error.known_exception_type).to.equal('RecoverableError');
    });

    it('lets a script that is late clean up', async () => {
      errorOf(await run('trap "echo cleaned; exit" TERM; while :; do sleep 0.05; done', {}, { timeout: 0.3 }));
      expect(outputLines()).to.include('cleaned');
    });

    it('starts nothing when it was aborted before', async () => {
      const outcome = await test.runtime.run(scriptRequest({ script_source: 'echo x' }), host, AbortSignal.abort());
      expect(errorOf(outcome).message).to.equal('Process terminated (rc=-9)');
      expect(host.text).to.equal('');
    });

    it('runs fifty scripts at once without mixing them up', async () => {
      host.resources.set(
        'many.sh',
        '#!/bin/bash\nsleep 0.0$((RANDOM % 9))\nctx returns "$number $(ctx node id) $(ctx task-id)"\n',
      );
      const results = await Promise.all(
        Array.from({ length: 50 }, async (_unused, number) =>
          resultOf(
            await test.runtime.run(
              scriptRequest({ script_path: 'many.sh', number }, { task_id: `task-${number}` }),
              host,
            ),
          ),
        ),
      );
      expect(results).to.deep.equal(Array.from({ length: 50 }, (_unused, number) => `${number} web task-${number}`));
    });

    it('kills the processes that a killed runtime left behind', async () => {
      const shared = await startRuntime();
      const program = join(import.meta.dirname, 'support', 'killed-runtime.ts');
      const child = spawn(process.execPath, ['--import=tsx', program, shared.folder], {
        cwd: packageRoot(),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
      const pid = Number(chunk.toString());
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await isRunning(pid)).to.equal(true);
      resultOf(await shared.runtime.run(scriptRequest({ script_source: 'true' }), host));
      expect(await isRunning(pid)).to.equal(false);
      await shared.stop();
    }).timeout(20_000);

    it('aborts running scripts when it is stopped, and starts no new ones', async () => {
      const own = await startRuntime();
      const pids = collectPids(3);
      host.resources.set('stubborn.sh', `#!/bin/bash\n${stubborn}\n`);
      const running = own.runtime.run(scriptRequest({ script_path: 'stubborn.sh' }), host);
      const started = await pids;
      await own.stop();
      expect(errorOf(await running).message).to.include('Process terminated');
      for (const pid of started) {
        expect(await isRunning(pid)).to.equal(false);
      }
      const late = await own.runtime.run(scriptRequest({ script_source: 'echo x' }), host);
      expect(errorOf(late).message).to.include('Process terminated');
    });
  });
});
