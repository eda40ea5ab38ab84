import type { PlanVersion } from '../domain/plan.ts';
import { formatError, logicError } from './errors.ts';
import { typeNameOf } from './schema/element.ts';

/** A version of the language as numbers, `[1, 5]`. */
export type Version = readonly [major: number, minor: number];

export const versionKey = 'tosca_definitions_version';
const prefix = 'cloudify_dsl_';

/** Every version of the language, oldest first. */
export const supportedVersions: readonly string[] = ['1_0', '1_1', '1_2', '1_3', '1_4', '1_5'].map(
  (version) => prefix + version,
);

/**
 * Reads the version a main blueprint declares.
 *
 * @throws DslError 27 when it is missing, 29 when there is no such version, 1 when it is not text
 */
export function readVersion(value: unknown): PlanVersion {
  const path = [versionKey];
  if (value === null || value === undefined) {
    throw logicError(27, `${versionKey} field must appear in the main blueprint file`, {
      path,
      remedy: `Begin the file with "${versionKey}: ${supportedVersions.at(-1) ?? ''}"`,
    });
  }
  if (typeof value !== 'string') {
    throw formatError(1, `Expected 'string' type but found '${typeNameOf(value)}' type`, { path });
  }
  const numbers = versionNumbers(value);
  if (!numbers) {
    const known = supportedVersions.map((version) => `'${version}'`).join(', ');
    throw logicError(29, `Unexpected ${versionKey} ${value}; Currently supported versions are: [${known}]`, { path });
  }
  return { raw: value, definitions_name: prefix.slice(0, -1), definitions_version: [...numbers] };
}

/** The numbers of a supported version text, undefined for any other text. */
export function versionNumbers(text: string): Version | undefined {
  if (!supportedVersions.includes(text)) {
    return undefined;
  }
  const [major, minor] = text.slice(prefix.length).split('_').map(Number);
  return [major ?? 1, minor ?? 0];
}

/** Whether `version` is older than `minimum`. */
export function isOlder(version: Version, minimum: Version): boolean {
  return version[0] < minimum[0] || (version[0] === minimum[0] && version[1] < minimum[1]);
}

/** The version as a blueprint writes it. */
export function describeVersion(version: Version): string {
  return `${prefix}${String(version[0])}_${String(version[1])}`;
}
