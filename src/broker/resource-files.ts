import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { GantryError } from '../domain/errors.ts';
import type { FileStore } from '../files/file-store.ts';
import { parseResourcePath } from '../files/resource-path.ts';
import { getBlueprint, getPlan } from '../store/blueprints.ts';
import type { Session } from '../store/session.ts';
import type { ExecutionFact } from './execution-facts.ts';

const namespaceDelimiter = '--';
const keptBlueprints = 500;
/** A blueprint's id may be given to another one later, under another tenant. */
const keptFor = 10_000;

interface BlueprintPlace {
  tenantName: string;
  id: string;
}

/** Finds the files that operations ask for: first in the deployment's folder, then in the blueprint's, then anywhere. */
export class ResourceFiles {
  readonly #session: Session;
  readonly #files: FileStore;
  readonly #places = new LRUCache<string, BlueprintPlace>({ max: keptBlueprints, ttl: keptFor });

  constructor(session: Session, files: FileStore) {
    this.#session = session;
    this.#files = files;
  }

  /** @throws GantryError not_found_error */
  async read(fact: ExecutionFact, path: string): Promise<Uint8Array> {
    return readFile(await this.#find(fact, path));
  }

  /** @throws GantryError not_found_error */
  async copy(fact: ExecutionFact, path: string, target: string): Promise<void> {
    const source = await this.#find(fact, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
  }

  /** @throws GantryError forbidden_error for a path that leaves the deployment's folder */
  async write(fact: ExecutionFact, path: string, content: Uint8Array): Promise<void> {
    const target = this.#deploymentFile(fact, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }

  async remove(fact: ExecutionFact, path: string): Promise<void> {
    await rm(this.#deploymentFile(fact, path), { force: true });
  }

  #deploymentFile(fact: ExecutionFact, path: string): string {
    const { parts } = parseResourcePath(encodePath(path));
    if (parts.length === 0 || fact.deploymentId === undefined) {
      throw new GantryError('bad_parameters_error', `Not a file of a deployment: ${path}`);
    }
    return join(this.#files.deploymentDirectory(fact.tenantName, fact.deploymentId), ...parts);
  }

  async #find(fact: ExecutionFact, path: string): Promise<string> {
    const { parts } = parseResourcePath(encodePath(path));
    for (const place of await this.#candidates(fact, parts)) {
      const found = await this.#files.find(place);
      if (found && !found.isDirectory) {
        return found.path;
      }
    }
    throw new GantryError('not_found_error', `Resource not found: ${path}`);
  }

  async #candidates(fact: ExecutionFact, parts: readonly string[]): Promise<string[][]> {
    const places: string[][] = [];
    if (fact.deploymentId !== undefined) {
      places.push(['deployments', fact.tenantName, fact.deploymentId, ...parts]);
    }
    if (fact.blueprintId !== undefined) {
      const { blueprint, rest } = await this.#blueprintOf(fact, fact.blueprintId, parts);
      places.push(['blueprints', blueprint.tenantName, blueprint.id, ...rest]);
    }
    const isTenants = ['blueprints', 'uploaded-blueprints', 'deployments', 'tenant-resources', 'plugins'];
    // whole directories of tenants are not for everybody
    if (!isTenants.includes(parts[0] ?? '') || parts[1] === fact.tenantName) {
      places.push([...parts]);
    }
    return places;
  }

  /** A name with a namespace stands in the blueprint that was imported under it. */
  async #blueprintOf(
    fact: ExecutionFact,
    blueprintId: string,
    parts: readonly string[],
  ): Promise<{ blueprint: BlueprintPlace; rest: readonly string[] }> {
    const own = await this.#placeOf(fact, blueprintId);
    const [first = '', ...others] = parts;
    const end = first.lastIndexOf(namespaceDelimiter);
    if (end === -1) {
      return { blueprint: own, rest: parts };
    }
    const plan = await getPlan(this.#session, { tenantId: fact.tenantId }, blueprintId);
    const imported = plan?.namespaces_mapping[first.slice(0, end)];
    return imported === undefined
      ? { blueprint: own, rest: parts }
      : {
          blueprint: await this.#placeOf(fact, imported),
          rest: [first.slice(end + namespaceDelimiter.length), ...others],
        };
  }

  async #placeOf(fact: ExecutionFact, id: string): Promise<BlueprintPlace> {
    const key = `${fact.tenantId}\n${id}`;
    let place = this.#places.get(key);
    if (!place) {
      const { tenantName } = await getBlueprint(this.#session, { tenantId: fact.tenantId }, id, { fields: ['id'] });
      place = { tenantName, id };
      this.#places.set(key, place);
    }
    return place;
  }
}

/** Paths of operations are plain; those of requests are encoded. */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
