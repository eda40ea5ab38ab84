import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { JsonObject } from '../../src/domain/plan.ts';
import type { OperationContext, OperationOutcome } from '../../src/runtime/types.ts';
import { FakeHost } from './support/fake-host.ts';
import { errorOf, resultOf, scriptRequest, startRuntime, textOf } from './support/operations.ts';
import type { TestRuntime } from './support/operations.ts';

const relationship: Partial<OperationContext> = {
  related: { node_id: 'db_1', node_name: 'db', is_target: true },
  operation: { name: 'cloudify.interfaces.relationship_lifecycle.establish', relationship: 'source' },
};

describe('The ctx command in bash', () => {
  let test: TestRuntime;
  let host: FakeHost;

  before(async () => {
    test = await startRuntime();
  });
  after(() => test.stop());
  beforeEach(() => {
    host = new FakeHost()
      .addNode(
        'web',
        { port: 8080, name: 'grüße', flag: true, off: false, list: [1, 'two'], map: { a: { b: [{ c: 'deep' }] } } },
        { known: 'value', nested: { a: 1 }, list: ['x', { y: 'z' }] },
        { scalingGroups: [{ name: 'group', id: 'group_1' }] },
      )
      .addNode('db', { port: 5432 }, { url: 'postgres://db' });
  });

  function run(body: string, more: Partial<OperationContext> = {}, inputs: JsonObject = {}): Promise<OperationOutcome> {
    host.resources.set('script.sh', `#!/bin/bash\n${body}\n`);
    return test.runtime.run(scriptRequest({ script_path: 'script.sh', ...inputs }, more), host);
  }

  /** What a command prints. */
  async function printed(command: string, more: Partial<OperationContext> = {}): Promise<string> {
    const result = textOf(await run(`value="$(${command}; echo "[$?]")"; ctx returns "$value"`, more));
    return result.replace(/\[0\]$/, '');
  }

  const values: [string, string][] = [
    ['ctx node id', 'web'],
    ['ctx node name', 'web'],
    ['ctx node type', 'cloudify.nodes.Root'],
    ['ctx node type-hierarchy', "['cloudify.nodes.Root']"],
    ['ctx node number_of_instances', '1'],
    ['ctx node properties port', '8080'],
    ['ctx node properties name', 'grüße'],
    ['ctx node properties flag', 'True'],
    ['ctx node properties off', ''],
    ['ctx node properties list', "[1, 'two']"],
    ['ctx node properties map', "{'a': {'b': [{'c': 'deep'}]}}"],
    ['ctx node properties map.a.b[0].c', 'deep'],
    ['ctx -j node properties map', '{"a":{"b":[{"c":"deep"}]}}'],
    ['ctx node properties off --json-output', 'false'],
    ['ctx instance id', 'web_1'],
    ['ctx instance index', '1'],
    ['ctx instance runtime-properties known', 'value'],
    ['ctx instance runtime_properties list[1].y', 'z'],
    ['ctx instance relationships', ''],
    ['ctx -j instance scaling-groups', '[{"name":"group","id":"group_1"}]'],
    ['ctx instance runtime-properties get missing fallback', 'fallback'],
    ['ctx type', 'node-instance'],
    ['ctx execution-id', 'execution-1'],
    ['ctx workflow-id', 'install'],
    ['ctx task-id', 'task-1'],
    ['ctx tenant-name', 'default_tenant'],
    ['ctx blueprint id', 'blueprint-1'],
    ['ctx deployment id', 'deployment-1'],
    ['ctx operation name', 'cloudify.interfaces.lifecycle.start'],
    ['ctx operation retry-number', ''],
    ['ctx operation max-retries', '60'],
    ['ctx plugin name', 'script'],
    ['ctx rest-host', "['127.0.0.1']"],
    ['ctx -t 5 node id', 'web'],
    ['ctx --timeout=5 node id', 'web'],
    [
      'ctx --json-arg-prefix % node properties',
      "{'port': 8080, 'name': 'grüße', 'flag': True, 'off': False, " +
        "'list': [1, 'two'], 'map': {'a': {'b': [{'c': 'deep'}]}}}",
    ],
  ];
  for (const [command, expected] of values) {
    it(`prints ${JSON.stringify(expected)} for \`${command}\``, async () => {
      expect(await printed(command, { rest_host: ['127.0.0.1'] })).to.equal(expected);
    });
  }

  it('prints the token of the execution, which no result gives away', async () => {
    expect(await printed('ctx execution-token', { rest_host: [] })).to.equal('***');
    expect(await printed('ctx execution-token | tr t T', { rest_host: [] })).to.equal('Token-of-The-execuTion');
  });

  const refusals: [string, string][] = [
    ['ctx node properties nope', "RuntimeError: illegal path: nope'"],
    ['ctx node properties port 1', 'Cannot override read only properties'],
    ['ctx node properties a b c', 'Illegal argument while accessing dict'],
    ['ctx nonsense here', "nonsense cannot be processed in ['nonsense', 'here']"],
    ['ctx instance', 'TypeError: Object of type NodeInstanceContext is not JSON serializable'],
    ['ctx source node id', 'can only be used in a relationship-instance context'],
    ['ctx instance host-ip', 'could not find ip for host node instance'],
    ['ctx get-secret nope', 'Requested `Secret` with ID `nope` was not found'],
    ['ctx logger info @{broken', 'is not JSON'],
    ['ctx -t soon node id', 'must be a number of seconds'],
    ['CTX_SOCKET_URL= ctx node id', 'CTX_SOCKET_URL is not set'],
    ['CTX_SOCKET_URL=tcp://x:1 ctx node id', 'the socket URL must look like'],
    ['CTX_SOCKET_URL=http://127.0.0.1:1/x ctx node id', 'nothing answers at 127.0.0.1:1'],
    ['CTX_SOCKET_URL="${CTX_SOCKET_URL%/*}/wrong" ctx node id', 'the operation has ended'],
  ];
  for (const [command, expected] of refusals) {
    it(`fails with a message for \`${command}\``, async () => {
      const output = await printed(`${command} 2>&1`);
      expect(output)
        .to.include(expected)
        .and.to.match(/\[[12]\]$/);
    });
  }

  it('gives plugins and scripts a directory of the deployment', async () => {
    const directory = join(test.folder, 'work', 'deployments', 'default_tenant', 'deployment-1');
    expect(await printed('ctx plugin workdir')).to.equal(join(directory, 'plugins', 'script'));
    expect(await printed('pwd')).to.equal(`${directory}\n`);
  });

  it('names errors as the old client did, for scripts that look for the text', async () => {
    expect(await printed('ctx node properties nope 2>&1')).to.equal(
      "cloudify.proxy.client.RequestError: (RequestError(...), 'RuntimeError: illegal path: nope')\n[1]",
    );
  });

  it('sets runtime properties, nested ones too, and saves them once at the end', async () => {
    resultOf(
      await run(`
        ctx instance runtime-properties plain text
        ctx instance runtime-properties number '@42'
        ctx instance runtime-properties object '@{"a": [1, {"b": null}]}'
        ctx instance runtime-properties nested.b.c deep
        ctx instance runtime-properties list[0] changed
        ctx instance runtime-properties "ключ" "значение"
        ctx instance runtime-properties delete nested.a
        ctx instance runtime-properties pop known`),
    );
    expect(host.properties('web_1')).to.deep.equal({
      nested: { b: { c: 'deep' } },
      list: ['changed', { y: 'z' }],
      plain: 'text',
      number: 42,
      object: { a: [1, { b: null }] },
      ключ: 'значение',
    });
    expect(host.calls.filter((call) => call.startsWith('updateNodeInstance'))).to.have.length(1);
  });

  it('saves at once on `ctx instance update` and reads again on `ctx instance refresh`', async () => {
    host.onLog = (entry) => {
      if (entry.message === 'saved') {
        host.change('web_1', { other: 'hand' });
      }
    };
    const outcome = await run(`
      ctx instance runtime-properties mine 1
      ctx instance update
      ctx logger info saved
      ctx instance refresh
      ctx returns "$(ctx instance runtime-properties other)"`);
    expect(resultOf(outcome)).to.equal('hand');
  });

  it('passes values through unchanged', async () => {
    const nasty = 'line 1\nline 2\t"quoted" \'single\' $HOME `x` \\ ünïcödé 🚀 --flag %s *';
    const outcome = await run(
      'ctx instance runtime-properties nasty "$nasty"; ctx returns "$(ctx instance runtime-properties nasty)"',
      {},
      { nasty },
    );
    expect(resultOf(outcome)).to.equal(nasty);
    expect(host.properties('web_1')['nasty']).to.equal(nasty);
  });

  it('carries large values both ways', async () => {
    const outcome = await run(`
      ctx instance runtime-properties large "$(printf 'x%.0s' {1..100000})"
      value="$(ctx instance runtime-properties large)"
      ctx returns "\${#value}"`);
    expect(resultOf(outcome)).to.equal('100000');
    expect(host.properties('web_1')['large']).to.have.length(100_000);
  });

  it('knows both ends in relationship operations and saves each', async () => {
    const outcome = await run(
      `ctx source instance runtime-properties database "$(ctx target instance runtime-properties url)"
       ctx target instance runtime-properties client "$(ctx source node id)"
       ctx returns "$(ctx type) $(ctx source node properties port) $(ctx target node properties port)"`,
      relationship,
    );
    expect(resultOf(outcome)).to.equal('relationship-instance 8080 5432');
    expect(host.properties('web_1')['database']).to.equal('postgres://db');
    expect(host.properties('db_1')['client']).to.equal('web');
  });

  it('writes to the log with levels, and sends events', async () => {
    resultOf(
      await run(`
        ctx logger debug "a debug line"
        ctx logger info "an info line"
        ctx logger warning "a warning"
        ctx logger error "an error"
        ctx send-event "an event"`),
    );
    const lines = host.logs.map((entry) => `${entry.level} ${entry.message}`);
    expect(lines).to.include.members([
      'debug a debug line',
      'info an info line',
      'warning a warning',
      'error an error',
    ]);
    expect(host.events).to.deep.equal(['an event']);
  });

  it('downloads resources, to a place of its own and to a given one', async () => {
    host.resources.set('files/page.html', '<p>hello</p>');
    const outcome = await run(
      `
      first="$(ctx download-resource files/page.html)"
      mkdir sub && cd sub && second="$(ctx download-resource files/page.html here.html)"
      ctx returns "$(basename "$first") $(cat "$first") $(cat here.html) $(basename "$second")"`,
      {},
      { process: { cwd: test.folder } },
    );
    expect(resultOf(outcome)).to.equal('page.html <p>hello</p> <p>hello</p> here.html');
  });

  it('renders resources with ctx and variables', async () => {
    host.resources.set(
      'config.j2',
      '{{ ctx.node.properties.port }} {{ name }} {{ ctx.instance.runtime_properties.known }}\n',
    );
    const outcome = await run(`
      file="$(ctx download-resource-and-render config.j2 '@{"template_variables": {"name": "N"}}')"
      ctx returns "$(cat "$file")"`);
    expect(resultOf(outcome)).to.equal('8080 N value');
  });

  it('reads resources as text, and says when there is none', async () => {
    host.resources.set('text', 'content');
    expect(await printed('ctx get-resource text')).to.equal('content');
    expect(await printed('ctx get-resource nope 2>&1')).to.include('Resource not found: nope');
  });

  it('puts files into the deployment', async () => {
    resultOf(await run('echo data > local; ctx upload-deployment-file dir/remote local'));
    expect(Buffer.from(host.written.get('dir/remote') ?? '').toString()).to.equal('data\n');
  });

  it('reads secrets and keeps them out of the log', async () => {
    host.secrets.set('password', 'hunter2-and-more');
    const outcome = await run('ctx logger info "it is $(ctx get-secret password)"; echo "$(ctx get-secret password)"');
    resultOf(outcome);
    expect(host.text).to.include('it is ***').and.to.include('<out> ***').and.not.to.include('hunter2');
  });

  it('asks the manager', async () => {
    host.answers.set('tenant', { name: 'default_tenant', rabbitmq_vhost: 'v' });
    host.answers.set('execution', { id: 'execution-1', status: 'started' });
    expect(await printed('ctx tenant rabbitmq_vhost')).to.equal('v');
    expect(await printed('ctx -j get-execution')).to.equal('{"id":"execution-1","status":"started"}');
  });

  const results: [string, string, unknown][] = [
    ['text', 'ctx returns done', 'done'],
    ['JSON', `ctx returns '@{"a": [1, true, null]}' '@{}'`, { a: [1, true, null] }],
    ['JSON alone', `ctx returns '@{"a": 1}'`, { a: 1 }],
    ['a number', `ctx returns '@1.5'`, 1.5],
    ['nothing', ':', null],
  ];
  for (const [what, body, expected] of results) {
    it(`gives ${what} as the result of the operation`, async () => {
      expect(resultOf(await run(body))).to.deep.equal(expected);
    });
  }

  it('aborts: the script ends with the message, the operation fails for good', async () => {
    const error = errorOf(await run('ctx abort-operation "no way" || echo "code $?"; exit 7'));
    expect(error.known_exception_type).to.equal('NonRecoverableError');
    expect(error.message).to.equal('no way');
    expect(host.text).to.include('<err> no way').and.to.include('<out> code 1');
  });

  it('retries with a delay, whatever the exit code', async () => {
    const error = errorOf(await run('ctx retry-operation "not yet" 12; exit 3'));
    expect(error.known_exception_type).to.equal('OperationRetry');
    expect(error.known_exception_type_args).to.deep.equal([12]);
    expect(error.message).to.equal('not yet');
  });

  it('retries by `ctx operation retry` after the script has gone on', async () => {
    const error = errorOf(
      await run(`ctx operation retry '@{"message": "later", "retry_after": 3}'; echo went on; ctx returns lost`),
    );
    expect(error.known_exception_type).to.equal('OperationRetry');
    expect(error.known_exception_type_args).to.deep.equal([3]);
    expect(host.text).to.include('<out> went on');
  });

  it('takes one verdict only', async () => {
    const error = errorOf(await run('ctx returns 1; ctx returns 2 || echo "second: $?"'));
    expect(error.message).to.equal('ctx may only abort or return once');
    expect(error.known_exception_type).to.equal('NonRecoverableError');
    expect(host.text).to.include('<out> second: 1');
  });

  it('ends the script on failure when ctx-sh is sourced, also under strict shell options', async () => {
    const outcome = await run(
      `set -euo pipefail
       . ctx-sh
       ctx logger info "port $(ctx node properties port)"
       ctx node properties nope
       echo not reached`,
    );
    expect(errorOf(outcome).message).to.include('illegal path: nope');
    expect(host.text).to.include('port 8080').and.not.to.include('not reached');
  });

  it('serves Cloudify clients: JSON over HTTP', async () => {
    const outcome = await run(
      `body='{"args": ["node", "properties", "port"]}'
       exec 3<>"/dev/tcp/127.0.0.1/$(sed -E 's|.*:([0-9]+)/.*|\\1|' <<<"$CTX_SOCKET_URL")"
       printf 'POST %s HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n%s' "/\${CTX_SOCKET_URL##*/}" \${#body} "$body" >&3
       ctx returns "$(tail -n 1 <&3)"`,
    );
    expect(resultOf(outcome)).to.equal('{"type":"result","payload":8080}');
  });

  it('accepts no connection once the operation has ended', async () => {
    const url = textOf(await run('ctx returns "$CTX_SOCKET_URL"'));
    const answer = await fetch(url, { method: 'POST', body: '{"args": ["node", "id"]}' });
    expect(answer.status).to.equal(404);
  });

  it('is a bash program without other programs', async () => {
    const outcome = await run(
      `PATH="$(dirname "$(command -v ctx)")" && hash -r; "$BASH" "$(type -P ctx)" returns "$("$BASH" "$(type -P ctx)" -j node properties)"`,
    );
    expect(JSON.parse(textOf(outcome))).to.include({ port: 8080 });
    const program = await readFile(new URL('../../resources/runtime/bin/ctx', import.meta.url), 'utf8');
    expect(program).to.match(/^#!\/usr\/bin\/env bash\n/);
  });
});
