import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

function packagesOf(file) {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')).packages ?? {}) : undefined;
}

/** Whether what package-lock.json asks for is what node_modules holds. */
export function arePackagesInstalled(root) {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  if (!wanted || !present) {
    return false;
  }
  return Object.entries(wanted).every(([path, { version, optional, extraneous }]) => {
    const found = present[path];
    // packages for other platforms are optional and absent, extraneous ones are never installed
    const isNeeded = path !== '' && extraneous !== true && !(optional === true && !found);
    return !isNeeded || found?.version === version;
  });
}

/**
 * Installs the npm packages when they are missing or older than package-lock.json.
 * @returns whether anything was installed
 */
export function ensurePackages(root) {
  if (arePackagesInstalled(root)) {
    return false;
  }
  console.log('Installing packages (npm ci) ...');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error('npm ci failed; see its message above.');
    process.exit(1);
  }
  return true;
}

/** Ends with one clear sentence on a Node.js that is too old. */
export function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Node.js 20.19 or newer is needed; this is ${process.version}.`);
    process.exit(1);
  }
}
