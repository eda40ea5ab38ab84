import { GantryError } from '../domain/errors.ts';

/** Directories of the file server whose second segment is a tenant. */
const tenantDirectories = new Set(['blueprints', 'uploaded-blueprints', 'deployments', 'tenant-resources']);

export interface ResourcePath {
  /** Segments below the root; none is empty, `.` or `..`. */
  readonly parts: readonly string[];
  /** Whether the request named a directory (trailing slash). */
  readonly isDirectory: boolean;
  /** The tenant the path belongs to, for the directories that have one. */
  readonly tenant: string | undefined;
  /** The blueprint or deployment the path belongs to. */
  readonly owner: string | undefined;
}

function refuse(uri: string): never {
  throw new GantryError('forbidden_error', `Not a path of the file server: ${JSON.stringify(uri.slice(0, 200))}`);
}

function decode(uri: string): string {
  try {
    return decodeURIComponent(uri);
  } catch {
    return refuse(uri);
  }
}

/**
 * Turns the part of a URL after `/resources/` into a path that is both checked and served, so that the two can never
 * differ. It is percent-decoded once and empty segments are dropped.
 * @param uri path without scheme, host and query string
 * @throws GantryError forbidden_error for `..`, control characters and whatever still is encoded
 */
export function parseResourcePath(uri: string): ResourcePath {
  const decoded = decode(uri.split(/[?#]/, 1)[0] ?? '');

  if (/[\u0000-\u001f\u007f\\]/.test(decoded) || /%2e|%2f|%5c|%00/i.test(decoded)) {
    refuse(uri);
  }
  const parts = decoded.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) {
    refuse(uri);
  }
  const [first = '', tenant, owner] = parts;
  const hasTenant = tenantDirectories.has(first);
  return {
    parts,
    isDirectory: decoded.endsWith('/') || parts.length === 0,
    tenant: hasTenant ? tenant : undefined,
    owner: hasTenant ? owner : undefined,
  };
}
