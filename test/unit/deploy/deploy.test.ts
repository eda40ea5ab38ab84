import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';
import { loadConfig, roleNames } from '../../../src/config/config.ts';
import { packageRoot } from '../../../src/config/package-root.ts';

const root = packageRoot();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Compose {
  services: Record<
    string,
    {
      command?: string[];
      environment?: Record<string, string>;
      volumes?: string[];
      depends_on?: Record<string, unknown>;
      build?: string;
    }
  >;
  volumes: Record<string, unknown>;
}

/** What compose would make of `${NAME:?text}` and `${NAME:-default}`. */
function filled(text: string): string {
  return text.replaceAll(/\$\{\w+:(\?[^}]*|-([^}]*))\}/g, (_match, _all, fallback?: string) => fallback ?? 'filled');
}

function settings(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

describe('the files for production', () => {
  const compose = parse(filled(read('compose.yaml')), { merge: true }) as Compose;
  const managers = Object.values(compose.services).filter(({ build }) => build !== undefined);

  it('run every role with settings that exist', () => {
    const run = new Set<string>();
    const image = settings(read('Dockerfile').replaceAll(/^(?:ENV)?\s+|\s*\\$/gm, ''));
    expect(image).to.include({ GANTRY_METRICS_PORT: '9464' });
    for (const { command = [], environment = {} } of managers) {
      const roles = command[command.indexOf('--roles') + 1]?.split(',') ?? [];
      const config = loadConfig({ ...image, ...environment }, { roles });
      expect(config.probes.port).to.equal(9464);
      config.roles.forEach((role) => run.add(role));
    }
    expect([...run].sort()).to.deep.equal([...roleNames].sort());
  });

  it('name services, volumes and settings of compose that are there', () => {
    for (const { depends_on: needed = {}, volumes = [] } of Object.values(compose.services)) {
      expect(compose.services).to.include.keys(...Object.keys(needed), 'nginx');
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        const isThere = source.startsWith('./') ? existsSync(join(root, source)) : source in compose.volumes;
        expect(isThere, volume).to.equal(true);
      }
    }
    const offered = Object.keys(settings(read('deploy/compose.env')));
    const used = [...read('compose.yaml').matchAll(/\$\{(\w+):/g)].map(([, name]) => name);
    expect(offered).to.have.members([...new Set(used)]);
    const placeholders = [...read('nginx.conf').matchAll(/\$\{(GANTRY_NGINX_\w+)\}/g)].map(([, name]) => name ?? '');
    expect(compose.services['nginx']?.environment).to.include.keys(...new Set(placeholders));
  });

  it('copy what the image needs', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY --from=build \/build\/(\S+)/gm)].map(([, name]) => name);
    expect(copied).to.include.members(['bin', 'dist', 'resources', 'node_modules', 'package.json']);
  });

  it('give systemd settings that exist, and ports of their own', () => {
    const ports = roleNames.map((role) => {
      const environment = { ...settings(read('deploy/systemd/gantry.env')), GANTRY_ROLES: role };
      return loadConfig({ ...environment, ...settings(read(`deploy/systemd/${role}.env`)) }).probes.port;
    });
    expect(new Set(ports).size).to.equal(roleNames.length);
    const targets = ports.map((port) => `127.0.0.1:${port}`);
    expect(targets.every((target) => read('deploy/prometheus/prometheus.yml').includes(target))).to.equal(true);
    for (const role of roleNames) {
      expect(read('deploy/systemd/gantry.target')).to.include(`gantry@${role}.service`);
    }
  });

  it('are units that systemd accepts', async function () {
    try {
      execFileSync('systemd-analyze', ['--version']);
    } catch {
      this.skip();
    }
    const folder = await mkdtemp(join(tmpdir(), 'gantry-units-'));
    try {
      const unit = read('deploy/systemd/gantry@.service').replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`);
      // whoever verifies need not have the account
      const known = unit.replace(/^(User|Group)=gantry$/gm, '$1=root').replace(/^Documentation=.*$/m, '');
      await writeFile(join(folder, 'gantry@.service'), known);
      await writeFile(join(folder, 'gantry.target'), read('deploy/systemd/gantry.target'));
      for (const name of ['gantry@rest.service', 'gantry.target']) {
        execFileSync('systemd-analyze', ['verify', '--recursive-errors=no', '--man=no', join(folder, name)], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('show and watch numbers that are measured', () => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const sources = ['src/observation.ts', 'src/manager.ts', 'src/metrics/metrics.ts'].map(read).join('\n');
    const own = [...sources.matchAll(/name: '(gantry_\w+)'/g)].map(([, name]) => name ?? '');
    const known = new Set([...own, ...registry.getMetricsAsArray().map(({ name }) => name)]);
    const dashboard = JSON.parse(read('deploy/grafana/gantry.json')) as { panels: { targets: { expr: string }[] }[] };
    const rules = parse(read('deploy/prometheus/gantry-rules.yml')) as { groups: { rules: { expr: string }[] }[] };
    const expressions = [
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr)),
    ];
    const used = expressions.flatMap((expression) =>
      [...expression.matchAll(/\b((?:gantry|nodejs|process)_\w+?)(?:_bucket|_count|_sum)?\b(?![_"])/g)].map(
        ([, name]) => name ?? '',
      ),
    );
    expect(used.length).to.be.greaterThan(20);
    expect(used.filter((name) => !known.has(name))).to.deep.equal([]);
    // and every number of ours can be seen
    expect(own.filter((name) => !used.includes(name) && name !== 'gantry_broker_connected')).to.deep.equal([]);
  });
});
