import { Ajv } from 'ajv';
import { GantryError } from '../../domain/errors.ts';
import type { ZipReader } from '../../files/zip-reader.ts';
import type { WrittenEntry } from '../../files/zip-writer.ts';

export const manifestName = 'manifest.json';
export const snapshotFormat = 'gantry-snapshot';
/** Raised when programs that know only earlier versions could not read an archive any more. */
export const snapshotVersion = 1;

export interface TableEntry extends WrittenEntry {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
}

export interface FileEntry extends WrittenEntry {
  /** Path below the root of the file server. */
  readonly name: string;
}

/** What a snapshot consists of; the last entry of its archive. */
export interface SnapshotManifest {
  readonly format: typeof snapshotFormat;
  readonly version: number;
  readonly created_at: string;
  readonly snapshot_id: string;
  /** The execution that made it. */
  readonly execution_id: string;
  /** Migrations that its schema was made by. */
  readonly migrations: readonly string[];
  readonly includes: { readonly credentials: boolean; readonly events: boolean; readonly logs: boolean };
  /** Content in `tables/<name>.ndjson`, a JSON document per row and line. */
  readonly tables: readonly TableEntry[];
  /** Content in `files/<name>`. */
  readonly files: readonly FileEntry[];
  readonly directories: readonly string[];
}

const text = { type: 'string', minLength: 1, maxLength: 4096 };
const entry = {
  name: text,
  bytes: { type: 'integer', minimum: 0 },
  sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
};
const schema = {
  type: 'object',
  required: [
    ...['format', 'version', 'created_at', 'snapshot_id', 'execution_id', 'migrations', 'includes', 'tables', 'files'],
    'directories',
  ],
  properties: {
    created_at: text,
    snapshot_id: text,
    execution_id: text,
    migrations: { type: 'array', items: text, minItems: 1 },
    includes: {
      type: 'object',
      required: ['credentials', 'events', 'logs'],
      properties: { credentials: { type: 'boolean' }, events: { type: 'boolean' }, logs: { type: 'boolean' } },
    },
    tables: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'columns', 'rows', 'bytes', 'sha256'],
        properties: {
          ...entry,
          // they become part of statements
          name: { type: 'string', pattern: '^[a-z_0-9]{1,63}$' },
          columns: { type: 'array', items: { type: 'string', pattern: '^[a-z_0-9]{1,63}$' }, minItems: 1 },
          rows: { type: 'integer', minimum: 0 },
        },
      },
    },
    files: { type: 'array', items: { type: 'object', required: ['name', 'bytes', 'sha256'], properties: entry } },
    directories: { type: 'array', items: text },
  },
};
const validate = new Ajv({ allowUnionTypes: true }).compile(schema);

/** Largest manifest that is read: some hundred thousand files. */
const mostBytes = 256 * 1024 * 1024;

/**
 * Reads what a snapshot consists of.
 * @throws GantryError snapshot_action_error for an archive that is no snapshot, or one this program cannot read
 */
export async function readManifest(zip: ZipReader): Promise<SnapshotManifest> {
  if (!zip.has(manifestName)) {
    throw new GantryError(
      'snapshot_action_error',
      zip.has('metadata.json')
        ? 'This is a snapshot of a Cloudify Manager. Restore it there and bring its contents over through the REST API.'
        : `The archive is no snapshot: it has no ${manifestName}`,
    );
  }
  const manifest = parse(await zip.text(manifestName, mostBytes));
  if (manifest.format !== snapshotFormat || !Number.isInteger(manifest.version)) {
    throw new GantryError('snapshot_action_error', `The archive is not a snapshot: its ${manifestName} says otherwise`);
  }
  if (manifest.version > snapshotVersion) {
    throw new GantryError(
      'snapshot_action_error',
      `The snapshot has format ${manifest.version}, this program reads formats up to ${snapshotVersion}; restore it with a newer version`,
    );
  }
  if (!validate(manifest)) {
    const [first] = validate.errors ?? [];
    throw new GantryError(
      'snapshot_action_error',
      `The ${manifestName} of the snapshot is damaged at ${first?.instancePath ?? '?'}: ${first?.message ?? '?'}`,
    );
  }
  return manifest;
}

function parse(content: string): SnapshotManifest {
  try {
    return (JSON.parse(content) ?? {}) as SnapshotManifest;
  } catch (error) {
    throw new GantryError('snapshot_action_error', `The ${manifestName} of the snapshot is damaged`, { cause: error });
  }
}
