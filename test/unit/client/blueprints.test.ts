import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import * as tar from 'tar';
import { multipartUpload, packBlueprint } from '../../../src/client/archive.ts';
import { GantryClient } from '../../../src/client/client.ts';
import { followExecution } from '../../../src/client/follow.ts';
import { eachItem } from '../../../src/client/pages.ts';
import { FakeManager, listAnswer } from '../../kit/fake-manager.ts';

describe('blueprint archives', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-unit-'));
    await mkdir(join(folder, 'web', 'scripts'), { recursive: true });
    await mkdir(join(folder, 'web', '.git'), { recursive: true });
    await writeFile(join(folder, 'web', 'main.yaml'), 'node_templates: {}\n');
    await writeFile(join(folder, 'web', 'scripts', 'start.sh'), '#!/bin/sh\n');
    await writeFile(join(folder, 'web', '.git', 'HEAD'), 'x');
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function entriesOf(path: string): Promise<string[]> {
    const names: string[] = [];
    await tar.list({ file: path, onReadEntry: (entry) => names.push(entry.path) });
    return names.sort();
  }

  it('packs the folder of a YAML file with one top folder and without version control', async () => {
    const archive = await packBlueprint(join(folder, 'web', 'main.yaml'));
    expect(archive.mainFile).to.equal('main.yaml');
    expect(await entriesOf(archive.path)).to.deep.equal([
      './web/',
      './web/main.yaml',
      './web/scripts/',
      './web/scripts/start.sh',
    ]);
    await archive.dispose();
  });

  it('finds the only YAML file of a folder', async () => {
    const archive = await packBlueprint(join(folder, 'web'));
    expect(archive.mainFile).to.equal('main.yaml');
    await archive.dispose();
  });

  it('asks which file is meant when there are several', async () => {
    await writeFile(join(folder, 'web', 'other.yaml'), '');
    const error = await packBlueprint(join(folder, 'web')).catch((thrown: unknown) => thrown);
    expect(String(error)).to.match(/several YAML files: .*Name one of them/);
  });

  it('names the path that is not there', async () => {
    const error = await packBlueprint(join(folder, 'nothing')).catch((thrown: unknown) => thrown);
    expect(String(error)).to.contain('There is no file or folder');
  });

  it('makes a multipart body of exactly the length it announces', async () => {
    const archive = await packBlueprint(join(folder, 'web'));
    const body = multipartUpload({ async_upload: true }, archive);
    const chunks: Buffer[] = [];
    for await (const chunk of body.open()) {
      chunks.push(chunk as Buffer);
    }
    const bytes = Buffer.concat(chunks);
    expect(bytes).to.have.length(body.length);
    expect(bytes.includes(await readFile(archive.path))).to.equal(true);
    expect(bytes.toString('latin1')).to.contain('name="params"\r\n\r\n{"async_upload":true}\r\n');
    await archive.dispose();
  });
});

describe('client', () => {
  it('walks all pages of a list', async () => {
    const all = Array.from({ length: 5 }, (_, index) => ({ id: `b${index}` }));
    const manager = await FakeManager.start(({ query }) => {
      const offset = Number(query.get('_offset'));
      const size = Number(query.get('_size'));
      return listAnswer(all.slice(offset, offset + size), all.length, offset);
    });
    const client = new GantryClient({ url: manager.url, credentials: { kind: 'none' } });
    const seen: unknown[] = [];
    for await (const item of eachItem(client.transport, '/blueprints', { size: 2 })) {
      seen.push(item);
    }
    client.close();
    await manager.stop();
    expect(seen).to.deep.equal(all);
    expect(manager.seen).to.have.length(3);
  });

  it('follows an execution over a restart of the manager and hands over every event once', async () => {
    const events = Array.from({ length: 250 }, (_, index) => ({ _storage_id: index, message: `e${index}` }));
    let asked = 0;
    const manager = await FakeManager.start(({ path, query }) => {
      if (path.endsWith('/executions/x')) {
        asked += 1;
        if (asked === 2) {
          return { status: 502, body: {} };
        }
        return { body: { id: 'x', status: asked < 4 ? 'started' : 'terminated', error: '' } };
      }
      const visible = asked < 4 ? 120 : 250;
      const offset = Number(query.get('_offset'));
      return listAnswer(events.slice(offset, Math.min(offset + 100, visible)));
    });
    const client = new GantryClient({ url: manager.url, credentials: { kind: 'none' }, retries: 0 });
    const seen: unknown[] = [];
    const ended = await followExecution(client, 'x', { onEvents: (batch) => seen.push(...batch) });
    client.close();
    await manager.stop();
    expect(ended.status).to.equal('terminated');
    expect(seen).to.deep.equal(events);
  });
});
