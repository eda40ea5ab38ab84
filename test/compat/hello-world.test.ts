import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { fetchPage } from '../e2e/hello-world.ts';
import { Cfy } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';

const blueprint = join(packageRoot(), 'blueprints', 'hello-world', 'blueprint.yaml');

interface Event {
  event_type?: string;
}

describe('hello-world with the unmodified cfy', function () {
  this.timeout(600_000);
  let manager: TestManager;
  let cfy: Cfy;
  let page: string;

  before(async () => {
    [manager, cfy] = await Promise.all([startEmbeddedManager(), Cfy.make()]);
    const { hostname, port } = new URL(manager.url);
    const credentials = ['-u', 'admin', '-p', manager.password, '-t', 'default_tenant'];
    await cfy.must('profiles', 'use', hostname, '--rest-port', port, ...credentials);
  });

  after(async () => {
    await cfy?.dispose();
    await manager?.stop();
  });

  it('uploads, deploys and installs it: the web server answers', async () => {
    await cfy.must('blueprints', 'upload', blueprint, '-b', 'hello');
    await cfy.must('deployments', 'create', 'hello', '-b', 'hello');
    const output = await cfy.must('executions', 'start', 'install', '-d', 'hello');
    expect(output).to.contain("'install' workflow execution succeeded");
    const answer = await cfy.json<Record<string, unknown>>('deployments', 'outputs', 'hello');
    page = /http:[^"]+/.exec(JSON.stringify(answer))?.[0] ?? '';
    expect(await fetchPage(page)).to.match(/hello/i);
  });

  it('shows every event of the installation in order', async () => {
    const executions = await cfy.json<{ id: string; workflow_id: string }[]>('executions', 'list', '-d', 'hello');
    const install = executions.find((execution) => execution.workflow_id === 'install');
    // cfy prints a JSON document a line
    const lines = (await cfy.must('events', 'list', install?.id ?? '', '--json')).split('\n');
    const events = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Event);
    const types = events.map((event) => event.event_type).filter(Boolean);
    expect(types[0]).to.equal('workflow_started');
    expect(types.at(-1)).to.equal('workflow_succeeded');
    const count = (text: string) => lines.filter((line) => line.includes(text)).length;
    expect(count("Sending task '")).to.be.greaterThan(0);
    expect(count("Task succeeded '")).to.equal(count("Sending task '"));
  });

  it('uninstalls and deletes it: the web server is gone', async () => {
    await cfy.must('executions', 'start', 'uninstall', '-d', 'hello');
    expect(await fetchPage(page)).to.equal(undefined);
    await cfy.must('deployments', 'delete', 'hello');
    await cfy.must('blueprints', 'delete', 'hello');
    expect(await cfy.json<unknown[]>('blueprints', 'list')).to.deep.equal([]);
  });
});
