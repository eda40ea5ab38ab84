import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import type { TestManager } from '../kit/manager.ts';
import { freePort } from '../kit/ports.ts';

const blueprint = join(packageRoot(), 'blueprints', 'hello-world');

/** Text of the page, or undefined when nobody answers. */
export async function fetchPage(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url);
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

/** The first output that is an address. */
export function addressIn(outputs: Record<string, unknown>): string {
  const found = Object.values(outputs).find((value) => typeof value === 'string' && value.startsWith('http'));
  return String(found);
}

/** Installs the example through the command line, looks at what it made, and takes it away again. */
export async function proveHelloWorld(manager: TestManager, id: string): Promise<void> {
  const port = await freePort();
  const installed = await manager.gantry('install', blueprint, '-b', id, '-d', id, '-i', `port=${port}`);
  expect(installed.code, installed.stderr).to.equal(0);
  expect(installed.stderr).to.match(/workflow execution succeeded/);
  const outputs = await manager.client.deployments.outputs(id);
  const url = addressIn(outputs);
  expect(new URL(url).port).to.equal(String(port));
  expect(await fetchPage(url)).to.match(/hello/i);
  const { items: instances } = await manager.client.deployments.nodeInstances({ filters: { deployment_id: id } });
  expect(instances.map(({ state }) => state)).to.deep.equal(instances.map(() => 'started'));
  const removed = await manager.gantry('uninstall', id);
  expect(removed.code, removed.stderr).to.equal(0);
  expect(await fetchPage(url)).to.equal(undefined);
  const deployments = await manager.client.deployments.list({ filters: { id } });
  expect(deployments.items).to.deep.equal([]);
}
