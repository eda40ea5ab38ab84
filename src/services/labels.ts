import { GantryError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';

/** A label before it is stored. */
export interface NewLabel {
  readonly key: string;
  readonly value: string;
}

const longestText = 256;
const reservedPrefix = 'csys-';

/** Reserved keys that clients may use all the same. */
export const allowedReservedKeys = [
  'csys-obj-name',
  'csys-obj-type',
  'csys-env-type',
  'csys-wrcp-services',
  'csys-location-name',
  'csys-location-lat',
  'csys-location-long',
  'csys-obj-parent',
  'csys-environment',
  'csys-consumer-id',
  'csys-wrcp-group-id',
] as const;

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/** Checks and normalises a key. @throws GantryError bad_parameters_error */
function normaliseLabelKey(key: string): string {
  if (key.length === 0 || key.length > longestText) {
    refuse('The key or value is too long. Maximum allowed length is 256 characters, and neither may be empty');
  }
  if (!/^[A-Za-z0-9._~-]+$/.test(key)) {
    refuse(
      `The key \`${key}\` contains illegal characters. Only letters, digits and the characters "-", "." and "_" are allowed`,
    );
  }
  const lower = key.toLowerCase();
  if (lower.startsWith(reservedPrefix) && !allowedReservedKeys.some((allowed) => allowed === lower)) {
    refuse(
      'All labels with a `csys-` prefix are reserved for internal use. Allowed `csys-` prefixed labels are: ' +
        allowedReservedKeys.join(', '),
    );
  }
  return lower;
}

const coordinateLimits: Readonly<Record<string, number>> = {
  'csys-location-lat': 90,
  'csys-location-long': 180,
};

/** Checks and normalises a value of a label. @throws GantryError bad_parameters_error */
export function normaliseLabelValue(key: string, value: string): string {
  if (value.length > longestText) {
    refuse('The key or value is too long. Maximum allowed length is 256 characters');
  }
  const normalised = value.normalize('NFKC');
  if (normalised === '' || /["\p{Cc}]/u.test(normalised)) {
    refuse(`The value \`${value}\` of the label \`${key}\` is empty or has control characters or quotes`);
  }
  const limit = coordinateLimits[key];
  const isOutside = limit !== undefined && !(Math.abs(Number(normalised)) <= limit);
  if (isOutside) {
    refuse(`The value of the label \`${key}\` must be a number from -${limit} to ${limit}, got ${value}`);
  }
  return key === 'csys-obj-type' ? normalised.toLowerCase() : normalised;
}

function entryOf(element: Json): [string, Json] {
  const entries =
    typeof element === 'object' && element !== null && !Array.isArray(element) ? Object.entries(element) : [];
  const [entry] = entries;
  if (entries.length !== 1 || !entry) {
    return refuse(
      'Labels must be a list of 1-entry dictionaries: [{<key1>: <value1>}, {<key2>: [<value2>, <value3>]}, ...]',
    );
  }
  return entry;
}

function isKeyAndValue(element: Json): element is { key: string; value: string } {
  return (
    typeof element === 'object' &&
    element !== null &&
    !Array.isArray(element) &&
    typeof element['key'] === 'string' &&
    typeof element['value'] === 'string'
  );
}

/**
 * Reads labels as clients give them: `[{"key": "value"}, {"key": ["a", "b"]}]` or `[{"key": k, "value": v}]`.
 * @throws GantryError bad_parameters_error
 */
export function parseLabels(given: Json): NewLabel[] {
  if (!Array.isArray(given)) {
    return refuse(
      'Labels must be a list of 1-entry dictionaries: [{<key1>: <value1>}, {<key2>: [<value2>, <value3>]}, ...]',
    );
  }
  const pairs = given.flatMap((element): [string, Json][] => {
    if (isKeyAndValue(element)) {
      return [[element.key, element.value]];
    }
    const [key, value] = entryOf(element);
    return [value].flat(1).map((single): [string, Json] => [key, single]);
  });
  const labels = pairs.map(([rawKey, rawValue]) => {
    const key = normaliseLabelKey(rawKey);
    if (typeof rawValue !== 'string') {
      return refuse(`The value of the label \`${rawKey}\` must be a text`);
    }
    return { key, value: normaliseLabelValue(key, rawValue) };
  });
  if (new Set(labels.map(({ key, value }) => `${key}\0${value}`)).size < labels.length) {
    refuse('You cannot define the same label twice');
  }
  return labels;
}
