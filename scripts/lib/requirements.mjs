import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isOnPath(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return directories.some((directory) => isExecutable(join(directory, name)));
}

function hasVirtualEnvironments() {
  return spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0;
}

/** What suites need of the machine besides Node.js and npm. */
const requirements = {
  rabbitmq: {
    packages: ['rabbitmq-server'],
    isPresent: () => isExecutable('/usr/lib/rabbitmq/bin/rabbitmq-server'),
  },
  nginx: { packages: ['nginx-light'], isPresent: () => isOnPath('nginx') },
  shells: { packages: ['fish', 'zsh'], isPresent: () => isOnPath('fish') && isOnPath('zsh') },
  python: { packages: ['python3', 'python3-venv'], isPresent: hasVirtualEnvironments },
};

const policyFile = '/usr/sbin/policy-rc.d';

/** Installs Debian packages without starting the services they bring. */
function installPackages(packages) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...words) => spawnSync('apt-get', words, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
  const isGuarded = existsSync(policyFile);
  if (!isGuarded) {
    writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  }
  try {
    console.log(`Installing ${packages.join(', ')} (apt-get) ...`);
    apt('update', '-qq');
    return apt('install', '-y', '-qq', '--no-install-recommends', ...packages).status === 0;
  } finally {
    if (!isGuarded) {
      rmSync(policyFile, { force: true });
    }
  }
}

/**
 * Looks for what the suites need, and installs what is missing where that is possible (Debian, as root).
 * @param {readonly string[]} names
 * @returns {Map<string, string>} what is still missing -> how to get it
 */
export function ensureRequirements(names) {
  const missing = () => names.filter((name) => !requirements[name].isPresent());
  const packages = missing().flatMap((name) => requirements[name].packages);
  if (packages.length > 0 && process.getuid?.() === 0 && isOnPath('apt-get')) {
    installPackages(packages);
  }
  return new Map(missing().map((name) => [name, `apt-get install ${requirements[name].packages.join(' ')}`]));
}
